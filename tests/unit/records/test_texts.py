"""The words of the answers: every code in both languages and in the documentation, with the same placeholders."""

import re
from pathlib import Path

import pytest
from ct_decisions import redecide
from ct_decisions.redecide import Answer
from ct_records.answers import table
from ct_records.comparison import sentence
from ct_records.texts import ENGLISH, SPANISH

pytestmark = pytest.mark.unit

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "policies.md").read_text(encoding="utf-8")

OBSTACLES = [
    redecide.NOT_TRAINED, redecide.NO_CHALLENGER, redecide.OTHER_CHAMPION, redecide.CHAMPION_UNKNOWN, redecide.TRAINING_UNKNOWN,
    redecide.OTHER_MEASUREMENT, redecide.MEASUREMENT_UNKNOWN, redecide.EVIDENCE_NOT_KEPT,
]  # fmt: skip
DETAILS = {"champion": "2", "recorded": "3", "since": 4, "settings": ["bootstrap.seed"], "policy": "old 1", "missing": ["bias"]}


def leaves(words, path=()):
    """Every text with its place."""
    if isinstance(words, dict):
        return {key: text for name, part in words.items() for key, text in leaves(part, (*path, name)).items()}
    return {path: words if isinstance(words, tuple) else (words,)}


def test_both_languages_say_the_same_things():
    english, spanish = leaves(ENGLISH), leaves(SPANISH)
    assert english.keys() == spanish.keys()
    for place, texts in english.items():
        for one, other in zip(texts, spanish[place], strict=True):
            assert sorted(re.findall(r"{\w*}", one)) == sorted(re.findall(r"{\w*}", other))


@pytest.mark.parametrize("code", OBSTACLES)
def test_every_reason_why_there_is_no_answer_reads_in_both_languages_and_is_documented(code):
    answer = Answer(obstacle=code, details=DETAILS)
    english, spanish = sentence(answer, "en"), sentence(answer, "es")
    assert english != spanish
    assert "{" not in english + spanish
    assert f"| `{code}` |" in PAGE


def test_the_champion_that_there_would_not_be_is_named():
    answer = Answer(obstacle=redecide.OTHER_CHAMPION, details={"champion": None, "recorded": "3"})
    assert sentence(answer, "en") == "The model in production would have been none; the evidence is about version 3."


def test_columns_are_as_wide_as_their_widest_cell():
    assert table([["a", "b", ""], ["long", "b", "c"]], "  ") == ["  a     b", "  long  b  c"]
    assert table([]) == []
