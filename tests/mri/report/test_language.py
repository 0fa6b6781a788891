"""The MRI's page in Portuguese: every sentence has its translation, with the same facts in it."""

import ast
import re
import string
from pathlib import Path

import pytest

from ascii_maze.errors import UsageError
from ascii_maze.mri.report import findings as words
from ascii_maze.mri.report.findings import findings
from ascii_maze.templating.language import LANGUAGES, catalogue, check_language, english, say_in

from .test_findings import results_of

ROOT = Path(__file__).resolve().parents[3] / "ascii_maze"
OTHERS = [language for language in LANGUAGES if language != "en"]


def fields(text):
    return sorted((name, form) for _, name, form, _ in string.Formatter().parse(text) if name)


def asked():
    """Every sentence that the page, its figures and its findings put into a language."""
    from jinja2 import Environment, nodes

    page = Environment(autoescape=True).parse(
        (ROOT / "templating" / "pages" / "mri.html.jinja").read_text(encoding="utf-8")
    )
    found = {call.args[0].value for call in page.find_all(nodes.Call) if getattr(call.node, "name", "") == "_"}
    for path in (ROOT / "mri" / "report").glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "say":
                found |= {call.args[0].value} if isinstance(call.args[0], ast.Constant) else set()
    return found | set(words.WORDS.values())


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_is_translated_with_the_same_facts(language):
    translated = catalogue("mri", language)
    assert set(translated) == asked()
    for sentence, other in translated.items():
        assert fields(sentence) == fields(other), sentence
        assert other != sentence


def test_another_language_is_refused():
    with pytest.raises(UsageError, match="--language 'fr': expected en or pt"):
        check_language("fr")


def test_no_caption_is_put_together_past_the_catalogue():
    """Whatever is handed to a figure as its caption has gone through `say`."""
    for path in (ROOT / "mri" / "report").glob("*figures.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "CaptionedFigure" and len(call.args) > 2:
                assert not isinstance(call.args[2], ast.Constant | ast.JoinedStr), f"{path.name}, line {call.lineno}"


@pytest.mark.parametrize("language", OTHERS)
def test_findings_say_the_same_numbers(language):
    for results in (results_of(), results_of(p=0.5, half_ci=None), results_of(unchanged=["sft"])):
        ours, theirs = (
            [sentence for found in findings(results, say) for sentence in found.sentences]
            for say in (english, say_in("mri", language))
        )
        for one, other in zip(ours, theirs, strict=True):
            assert one != other
            assert re.findall(r"[\d.]+\d", one) == re.findall(r"[\d.]+\d", other)
