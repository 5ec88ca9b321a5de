"""What is said of a promotion, a rejection and a hold: every gate with its numbers."""

import importlib.util
import re
from pathlib import Path

import pytest
from ct_decisions.reasons import render

pytestmark = pytest.mark.unit

SPEC = importlib.util.spec_from_file_location("told", Path(__file__).with_name("told.py"))
told = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(told)
GATES, changed, decision = told.GATES, told.changed, told.decision


@pytest.mark.parametrize(
    ("value", "english", "spanish"),
    [
        (-0.0098, "is too small: it lowers the MAE by 0.98%", "es demasiado pequeña: reduce el MAE un 0,98 %"),
        (-0.04, "may be chance: it lowers the MAE by 4%", "puede ser azar: reduce el MAE un 4 %"),
        (0.04, "it is no better than version 3 on the same hold-out rows: it raises the MAE by 4%", "aumenta el MAE un 4 %"),
    ],
)
def test_a_gain_that_does_not_suffice_says_in_which_way(value, english, spanish):
    found = changed("REJECT_NOT_BETTER", "superiority", value=value, ci_high=0.05)
    assert english in render(found, "en")
    assert spanish in render(found, "es")


@pytest.mark.parametrize(("value", "english", "spanish"), [(-0.0198, "1.98%", "1,98 %"), (-0.019996, "1.9996%", "1,9996 %")])
def test_a_value_that_misses_its_limit_by_little_never_reads_like_the_limit(value, english, spanish):
    found = changed("REJECT_NOT_BETTER", "superiority", value=value, threshold=-0.02, ci_high=-0.01)
    assert f"it lowers the MAE by {english}" in render(found, "en")
    assert "at least 2% lower is required" in render(found, "en")
    assert f"reduce el MAE un {spanish}" in render(found, "es")


def test_a_rejection_says_why_a_gain_on_the_new_batch_was_not_enough():
    found = changed("REJECT_NOT_BETTER", "new_batch", verdict="n/a", note={"rows": 25, "required_rows": 30})
    found["facts"]["area_failed"] = ["new_batch"]
    assert "the new batch has only 25 hold-out rows, 30 are needed." in render(found, "en")
    assert "el lote nuevo tiene solo 25 filas de prueba y hacen falta 30." in render(found, "es")
    found = changed("REJECT_NOT_BETTER", "rest", value=0.02, ci_high=0.03, verdict="fail")
    found["facts"]["area_failed"] = ["rest"]
    assert "it raises it on the other rows by 2%" in render(found, "en")


@pytest.mark.parametrize(("value", "share"), [(0.80, "80%"), (0.95, "95%")])
def test_intervals_show_both_of_their_limits(value, share):
    text = render(changed("REJECT_INTERVALS", "intervals", value=value), "en")
    assert f"covers {share} of the hold-out" in text
    assert "88% to 92% is required" in text


def test_a_rejection_names_every_gate_that_failed():
    found = decision("REJECT_RMSE")
    found["facts"]["failed"] = ["rmse", "bias", "intervals"]
    text = render(found, "en")
    assert "raises the RMSE by 5%" in text
    assert "Also: it prices 9.4% too high" in text
    assert "its 90% interval covers 80%" in text


@pytest.mark.parametrize("gate", [gate for gate in GATES if gate["verdict"] in ("fail", "hold")], ids=lambda gate: gate["name"])
def test_every_gate_that_fails_or_holds_beside_the_headline_is_said_with_its_numbers(gate):
    code = "HOLD_APPROVAL" if gate["verdict"] == "hold" else "REJECT_LEAKAGE"
    found = decision(code)
    part = "held" if gate["verdict"] == "hold" else "failed"
    found["facts"][part] = [*found["facts"][part], gate["name"]]
    texts = [render(found, language) for language in ("en", "es")]
    assert texts[0] != texts[1]
    for text in texts:
        assert not re.search(r"[{}?]|None|\bnan\b", text), text
        assert re.search(r"\d", text)


def test_every_slice_dimension_has_words_in_both_languages():
    for dimension, value in [("state", "Ohio"), ("status", "sold"), ("size", "3"), ("prediction", "5"), ("area", "new")]:
        note = {"dimension": dimension, "value": value}
        texts = {render(changed("REJECT_SLICE", "slices", note=note), language) for language in ("en", "es")}
        assert len(texts) == 2
        assert all(value in text for text in texts) or dimension == "area"


def test_a_missing_signature_is_no_wrong_one():
    text = render(changed("REJECT_SIGNATURE", "signature", note={"absent": True}), "en")
    assert "because it has no signature" in text


def test_a_gain_in_few_zip_codes_says_why_it_may_be_chance():
    few = {"value": -0.3, "ci_low": -0.3, "ci_high": -0.3, "note": {"areas": 4, "required_areas": 10}}
    found = changed("REJECT_NOT_BETTER", "superiority", **few)
    assert "may be chance: it lowers the MAE by 30% (at least 1% lower is required; homes in 4 of the 10 zip codes" in render(
        found, "en"
    )
    assert "se exige al menos un 1 % menos; viviendas en 4 de las 10 zonas postales que hacen falta)" in render(found, "es")


@pytest.mark.parametrize(
    ("code", "name", "english", "spanish"),
    [
        ("REJECT_LEAKAGE", "leakage", "1 home stands both", "1 vivienda está a la vez"),
        ("REJECT_UNSOUND_ANSWERS", "sound_answers", "1 of its answers is no", "1 de sus respuestas no es"),
        ("REJECT_LINEAGE_INCOMPLETE", "lineage", "1 fact is missing", "falta 1 dato"),
        ("REJECT_SIGNATURE", "signature", "in 1 place (", "en 1 punto ("),
    ],
)
def test_one_is_told_as_one(code, name, english, spanish):
    assert english in render(changed(code, name, value=1), "en")
    assert spanish in render(changed(code, name, value=1), "es")
