"""A person's answer: read strictly, decided purely, told in one sentence that no comment can break."""

from datetime import UTC, datetime

import pytest
from ct_decisions.approval import LONGEST_COMMENT, AnswerError, decide, read_answer
from ct_decisions.reasons import render

pytestmark = pytest.mark.unit

ANSWER = {
    "answer": "approve",
    "author": "ana",
    "answered_at": "2026-01-02T03:04:05+00:00",
    "comment": "",
    "timeout_seconds": 86400,
}


def gate(name, value, threshold, verdict, **more):
    return {
        "name": name, "code": "X", "value": value, "threshold": threshold, "verdict": verdict, "ci_low": None, "ci_high": None,
        "note": {}, **more,
    }  # fmt: skip


def held(*gates, code="HOLD_APPROVAL_BLAST", names=("blast_radius",)):
    return {
        "decision_id": "5d", "kind": "promotion", "outcome": "hold", "code": code, "challenger_version": "4",
        "champion_version": "3", "facts": {"held": list(names), "would_be": "PROMOTE_BETTER", "batch_number": 4, "failed": []},
        "gates": [
            gate("baseline", -0.4, -0.1, "pass"),
            gate("superiority", -0.09, -0.01, "pass", ci_low=-0.12, ci_high=-0.06),
            gate("blast_radius", 0.31, 0.25, "hold", note={"requests": 10_000, "move": 0.2}), *gates,
        ],
    }  # fmt: skip


def told(answer, found=None, language="en"):
    found = found or held()
    verdict, gates = decide(found, read_answer({**ANSWER, **answer}))
    decision = {**found, "kind": "approval", "outcome": verdict.outcome, "code": verdict.code, "facts": verdict.facts}
    kept, whole = ({**decision, "gates": lines} for lines in (gates, found["gates"]))
    assert render(kept, language) == render(whole, language), "what is kept says the same as the whole evidence"
    return render(kept, language)


@pytest.mark.parametrize(
    ("answer", "english", "spanish"),
    [
        (
            {"comment": "we saw the market move."},
            "Version 4 was promoted, because ana approved it: we saw the market move. It had waited for a person's approval, "
            "because 31% of the last 10,000 answers would change by more than 20% (limit 25%). "
            "Also: it lowers the MAE by 9% (95% CI −12% to −6%; at least 1% lower is required).",
            "Se promovió la versión 4 porque ana la aprobó: we saw the market move. Había esperado la aprobación de una "
            "persona porque el 31 % de las últimas 10.000 respuestas cambiaría más de un 20 % (límite 25 %). "
            "Además: reduce el MAE un 9 % (IC95 −12 % a −6 %; se exige al menos un 1 % menos).",
        ),
        (
            {"answer": "reject"},
            "Version 4 was not promoted, because ana refused it: no reason given. It had waited",
            "No se promovió la versión 4 porque ana la rechazó: sin motivo indicado. Había esperado",
        ),
        (
            {"answer": "expired", "author": ""},
            "Version 4 was not promoted, because nobody answered within 24 h. It had waited",
            "No se promovió la versión 4 porque nadie respondió en 24 h. Había esperado",
        ),
        ({"answer": "expired", "author": "", "timeout_seconds": 90}, "within 90 s.", "en 90 s."),
        ({"answer": "expired", "author": "", "timeout_seconds": 5400}, "within 90 min.", "en 90 min."),
    ],
)  # fmt: skip
def test_the_sentences(answer, english, spanish):
    assert english in told(answer)
    assert spanish in told(answer, language="es")


def test_a_first_model_is_told_with_its_baseline():
    found = held()
    found["gates"] = [
        line | {"verdict": "n/a", "value": None} if line["name"] == "superiority" else line for line in found["gates"]
    ]
    assert "Also: it has an MAE 40% below that of the zip code's median price per square foot" in told({}, found)


def test_everything_that_asked_is_told():
    found = held(gate("approval", 1.0, 0, "hold"), names=("blast_radius", "approval"))
    assert "Also: the policy asks for it at every promotion (limit 0) and it lowers the MAE by 9%" in told({}, found)


def test_the_answer_is_kept_whole():
    answer = read_answer({**ANSWER, "comment": "fine"})
    verdict, gates = decide(held(), answer)
    assert (verdict.outcome, verdict.code) == ("promote", "PROMOTE_BY_HUMAN")
    assert verdict.facts == {
        "batch_number": 4, "held": ["blast_radius"], "would_be": "PROMOTE_BETTER", "held_decision_id": "5d",
        "held_code": "HOLD_APPROVAL_BLAST", "author": "ana", "reason": "fine", "answered_at": "2026-01-02T03:04:05+00:00",
        "waited": 86400,
    }  # fmt: skip
    assert [line["name"] for line in gates] == ["blast_radius", "superiority"]
    assert answer.answered_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "comment", ["{challenger} {0} {", "line\nbreak\tand  blanks", "100 % | <b>sure</b>", "¿seguro?", "x" * 9000]
)
def test_no_comment_breaks_the_sentence(comment):
    for language in ("en", "es"):
        text = told({"comment": comment}, language=language)
        assert "\n" not in text
        assert text.endswith(".")
        assert len(text) < LONGEST_COMMENT + 600
    if len(comment) < LONGEST_COMMENT:
        assert " ".join(comment.split()) in text


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"answer": "maybe"}, "answer is 'maybe', expected one of approve, reject, expired"),
        ({"answer": None}, "answer is None"),
        ({"author": " "}, "author is empty"),
        ({"answered_at": "yesterday"}, "answered_at is 'yesterday'"),
        ({"answered_at": "2026-01-02T03:04:05"}, "with its zone"),
        ({"timeout_seconds": 0}, "timeout_seconds is 0"),
        ({"timeout_seconds": True}, "timeout_seconds is True"),
    ],
)
def test_an_answer_that_cannot_be_read_says_why(wrong, words):
    with pytest.raises(AnswerError, match=words):
        read_answer({**ANSWER, **wrong})
