"""The report of a study in Portuguese: every sentence has its translation, with the same facts in it."""

import re
import string
from pathlib import Path

import pytest

from ascii_maze.language import LANGUAGES, catalogue, say_in
from ascii_maze.study import findings as english_findings
from ascii_maze.study.findings import findings, sentence_of
from ascii_maze.study.report import SPLITS

from .test_findings import CONTRAST

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "ascii_maze" / "templates" / "study.html.jinja"
OTHERS = [language for language in LANGUAGES if language != "en"]


def fields(text):
    return sorted((name, form) for _, name, form, _ in string.Formatter().parse(text) if name)


def asked():
    """Every sentence that the page and the findings put into a language."""
    from jinja2 import Environment, nodes

    calls = Environment(autoescape=True).parse(PAGE.read_text(encoding="utf-8")).find_all(nodes.Call)
    return {call.args[0].value for call in calls if getattr(call.node, "name", "") == "_"}


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_is_translated_with_the_same_facts(language):
    words = catalogue("study", language)
    assert asked() - set(words) == set()
    for sentence, translated in words.items():
        assert fields(sentence) == fields(translated), sentence
        assert translated != sentence or sentence == "en"
    code = re.sub(r'"\s*\n\s*"', "", Path(english_findings.__file__).read_text(encoding="utf-8"))
    listed = [*english_findings.WORDS.values(), *english_findings.TUNED.values(), *SPLITS.values()]
    for sentence in [*re.findall(r'say\(\s*"([^"]+)"', code), *listed]:
        assert sentence in words


@pytest.mark.parametrize("language", OTHERS)
def test_findings_say_the_same_numbers(language):
    say = say_in("study", language)
    for verdict, p_equivalent in (("more", 0.9), ("fewer", 0.02), ("equivalent", 0.02), ("not shown", 0.9)):
        contrast = {**CONTRAST, "verdict": verdict, "p_holm": 0.01, "p_equivalent_holm": p_equivalent}
        one, other = sentence_of(contrast, 0.05), sentence_of(contrast, 0.05, say)
        assert one != other
        assert re.findall(r"[\d.]+\d", one) == re.findall(r"[\d.]+\d", other)
    assert len(findings([CONTRAST], 0.05)) == len(findings([CONTRAST], 0.05, (), say))
