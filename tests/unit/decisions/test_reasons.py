"""The sentences: every code in both languages, with value and limit, and golden ones for those that people read most."""

import importlib.util
import re
from pathlib import Path

import pytest
from ct_decisions.names import EVIDENCE
from ct_decisions.reasons import codes, grounds, render
from ct_decisions.rules import RULES
from ct_decisions.texts import ENGLISH as ENGLISH_TEXTS
from ct_decisions.texts import SPANISH as SPANISH_TEXTS
from ct_decisions.texts_en import WORDS as ENGLISH
from ct_decisions.texts_es import WORDS as SPANISH

pytestmark = pytest.mark.unit

SPEC = importlib.util.spec_from_file_location("told", Path(__file__).with_name("told.py"))
told = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(told)
AGAIN, GATES, HEADLINES, decision = told.AGAIN, told.GATES, told.HEADLINES, told.decision

TEXTS = {"en": ENGLISH_TEXTS, "es": SPANISH_TEXTS}


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("code", codes())
def test_every_code_has_a_finished_sentence(code, language):
    text = render(decision(code), language)
    assert text.endswith(".")
    assert text[0].isupper()
    assert not re.search(r"[{}?]|None|\bnan\b", text), text


NEGATIVE = [code for code in codes() if code.startswith(("SKIP", "REJECT", "HOLD", "EXPIRED"))]
YES_OR_NO = ("loading", "approval")
"""Evidence whose value is in its words: it does not load, the policy asks."""


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("found", [*map(decision, NEGATIVE), AGAIN], ids=[*NEGATIVE, "SKIP_NO_NEW_DATA of collect"])
def test_what_is_skipped_held_or_rejected_has_a_value_and_a_limit_and_says_both(found, language):
    text, texts = render(found, language), TEXTS[language]
    rests_on = grounds(found)
    assert rests_on
    for line in rests_on:
        assert line["value"] is not None
        assert line["threshold"] is not None
        name, value, limit = line["name"], line["value"], line["threshold"]
        number = texts.whole if name.startswith("new_") and name != "new_batch" else texts.numbers.get(name, texts.percent)
        if name not in YES_OR_NO:
            assert number(value) in text
        assert (texts.limit(name, limit, value) if name in texts.limits else number(limit)) in text


@pytest.mark.parametrize("code", [c for c in codes() if HEADLINES.get(c)])
def test_a_gate_with_an_interval_is_told_with_it(code):
    gate = next(g for g in GATES if g["name"] == HEADLINES[code])
    for language in ("en", "es"):
        if gate["ci_low"] is not None and gate["ci_high"] is not None:
            assert ("95% CI" if language == "en" else "IC95") in render(decision(code), language)


def test_both_languages_have_the_same_words():
    assert SPANISH.keys() == ENGLISH.keys()
    for part in ("codes", "evidence", "limits", "counterfactuals", "failures", "lineage", "slices", "too_little"):
        assert SPANISH[part].keys() == ENGLISH[part].keys(), part
    placeholder = re.compile(r"\{\w*\}")
    for part in ("codes", "evidence", "limits", "counterfactuals", "failures", "lineage", "slices", "too_little"):
        for key, text in ENGLISH[part].items():
            assert sorted(placeholder.findall(text)) == sorted(placeholder.findall(SPANISH[part][key])), key


def test_every_piece_of_evidence_has_a_name_for_tables():
    assert {key.split(":")[0].rstrip("+") for key in ENGLISH["evidence"]} <= EVIDENCE.keys()
    for english, spanish in EVIDENCE.values():
        assert english != spanish or english.isupper()


def test_every_rule_has_its_sentence_and_counterfactual():
    for code, names in RULES:
        assert code in ENGLISH["codes"]
        for name in names:
            assert name in ENGLISH["evidence"]
            assert name in ENGLISH["counterfactuals"]


GOLDEN = {
    ("TRAIN_PERFORMANCE_DEGRADED", "es"): (
        "Lote 4: se entrenó porque el modelo en producción (la versión 3) se equivoca 1,92 veces lo que en su evaluación "
        "(IC95 1,89 a 1,95; límite 1,10). Además: estima los precios un 50,8 % por debajo "
        "(IC95 −51,3 % a −50,3 %; límite 9,5 %)"
    ),
    ("TRAIN_PERFORMANCE_DEGRADED", "en"): (
        "Batch 4: trained, because the model in production (version 3) errs 1.92 times as much as in its evaluation "
        "(95% CI 1.89 to 1.95; limit 1.10). Also: it prices 50.8% too low (95% CI −51.3% to −50.3%; limit 9.5%)"
    ),
    ("REJECT_NOT_BETTER", "es"): (
        "No se promovió la versión 4 porque su mejora sobre la versión 3 en las mismas filas de prueba es demasiado pequeña: "
        "reduce el MAE un 0,98 % (IC95 −1,9 % a +0,04 %; se exige al menos un 1 % menos)."
    ),
    ("REJECT_SLICE", "es"): (
        "No se promovió la versión 4 porque, frente a la versión 3, aumenta el MAE un 12 % en el estado Nevada "
        "(cota inferior +7,2 %; se admite como mucho un 5 % más)."
    ),
    ("REJECT_SLICE", "en"): (
        "Version 4 was not promoted, because against version 3 it raises the MAE by 12% in the state Nevada "
        "(provably at least +7.2%; at most 5% higher is allowed)."
    ),
    ("REJECT_LINEAGE_INCOMPLETE", "es"): (
        "No se promovió la versión 4 porque su linaje está incompleto, faltan 2 datos (límite 0): la versión del código, "
        "la semilla."
    ),
    ("REJECT_INFRA_LATENCY", "es"): "No se promovió la versión 4 porque tarda 230,4 ms en una fila (límite 100,0 ms).",
    ("REJECT_INFRA_PARITY", "en"): (
        "Version 4 was not promoted, because its answers differ from those in training by a factor of up to 1 + 0.0031 "
        "(limit 1e-06)."
    ),
    ("HOLD_APPROVAL_BLAST", "es"): (
        "La versión 4 espera la aprobación de una persona porque el 31 % de las últimas 10.000 respuestas cambiaría más de "
        "un 20 % (límite 25 %). Sin la aprobación, producción queda como está."
    ),
    ("TRAIN_BOOTSTRAP", "es"): "Lote 4: se entrenó porque no había modelo en producción: es la línea base.",
    ("SKIP_INSUFFICIENT_EVIDENCE", "en"): (
        "Batch 4: not trained, because it is small: 41 new homes, 100 are needed against the 398,701 rows of the model in "
        "production. Its rows are kept and count with the next batch."
    ),
    ("SKIP_INVALID_BATCH", "en"): (
        "Batch 4: not trained, because the batch is invalid: price is missing in too many rows: "
        "price expect_column_values_to_not_be_null (100%; limit 20%): cheap. "
        "Its rows stay in RAW and nowhere else."
    ),
}


@pytest.mark.parametrize(("code", "language"), GOLDEN)
def test_the_sentences_that_people_read_most(code, language):
    assert render(decision(code), language).startswith(GOLDEN[code, language])


def test_an_unknown_code_or_language_is_an_error():
    with pytest.raises(ValueError, match="no sentence for the code 'TRAIN_BORED'"):
        render({"kind": "retrain", "code": "TRAIN_BORED", "facts": {}}, "en")
    with pytest.raises(ValueError, match="not in 'fr'"):
        render(decision("TRAIN_BOOTSTRAP"), "fr")
