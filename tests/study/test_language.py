"""The report of a study in Portuguese: every sentence has its translation, with the same facts in it."""

import re
import string
from pathlib import Path

import pytest

from ascii_maze.study import findings as english_findings
from ascii_maze.study.findings import findings, sentence_of
from ascii_maze.study.report import CONTRASTS, FAILURES, HEADER, LOST, LOST_WORDS, SPLITS
from ascii_maze.templating.language import LANGUAGES, catalogue, say_in

from .test_findings import CONTRAST

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "ascii_maze" / "templating" / "pages" / "study.html.jinja"
OTHERS = [language for language in LANGUAGES if language != "en"]
# The same in every language.
SYMBOLS = {"n", "p", "95 %", "tokens", "pass@1", "pass@8", "pass@64"}


def fields(text):
    return sorted((name, form) for _, name, form, _ in string.Formatter().parse(text) if name)


def asked():
    """Every sentence that the page and the findings put into a language."""
    from jinja2 import Environment, nodes

    calls = Environment(autoescape=True).parse(PAGE.read_text(encoding="utf-8")).find_all(nodes.Call)
    said = [call.args[0] for call in calls if getattr(call.node, "name", "") == "_"]
    return {words.value for words in said if isinstance(words, nodes.Const)}  # headers are listed apart


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_is_translated_with_the_same_facts(language):
    words = catalogue("study", language)
    assert asked() - set(words) == set()
    for sentence, translated in words.items():
        assert fields(sentence) == fields(translated), sentence
        assert translated != sentence or sentence in SYMBOLS
    code = re.sub(r'"\s*\n\s*"', "", Path(english_findings.__file__).read_text(encoding="utf-8"))
    listed = [*english_findings.WORDS.values(), *english_findings.TUNED.values(), *SPLITS.values()]
    listed += [*HEADER, *CONTRASTS, *LOST, LOST_WORDS, *FAILURES.values()]
    for sentence in [*re.findall(r'say\(\s*"([^"]+)"', code), *listed]:
        assert sentence in words


@pytest.mark.parametrize("page", ["study", "mri"])
def test_no_words_of_a_page_go_past_the_catalogue(page):
    """What stands between tags and is no code: `base`, which is a model's name, and what is put together from it."""
    from jinja2 import Environment, nodes

    template = Environment(autoescape=True).parse(PAGE.with_name(f"{page}.html.jinja").read_text(encoding="utf-8"))
    text = "".join(data.data for data in template.find_all(nodes.TemplateData))
    text = re.sub(r"(?s)<(code|style|script)\b.*?</\1>", "", text.partition("<nav>")[2])
    assert set(re.findall(r"[^\W\d]{3,}", re.sub(r"<[^>]*>", " ", text))) <= {"base"}


@pytest.mark.parametrize("language", OTHERS)
def test_findings_say_the_same_numbers(language):
    say = say_in("study", language)
    for verdict, p_equivalent in (("more", 0.9), ("fewer", 0.02), ("equivalent", 0.02), ("not shown", 0.9)):
        contrast = {**CONTRAST, "verdict": verdict, "p_holm": 0.01, "p_equivalent_holm": p_equivalent}
        one, other = sentence_of(contrast, 0.05), sentence_of(contrast, 0.05, say)
        assert one != other
        assert re.findall(r"[\d.]+\d", one) == re.findall(r"[\d.]+\d", other)
    assert len(findings([CONTRAST], 1, 0.05)) == len(findings([CONTRAST], 1, 0.05, (), say))
