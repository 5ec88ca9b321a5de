"""The sentences: every code in both languages, with value and limit, and golden ones for those that people read most."""

import re

import pytest
from ct_decisions.evidence import key_of
from ct_decisions.names import EVIDENCE
from ct_decisions.reasons import codes, grounds, render
from ct_decisions.rules import RULES
from ct_decisions.texts import ENGLISH as ENGLISH_TEXTS
from ct_decisions.texts import SPANISH as SPANISH_TEXTS
from ct_decisions.texts_en import WORDS as ENGLISH
from ct_decisions.texts_es import WORDS as SPANISH

pytestmark = pytest.mark.unit

TEXTS = {"en": ENGLISH_TEXTS, "es": SPANISH_TEXTS}


def signal(name, value, threshold, verdict="fire", low=None, high=None, feature=None, **note):  # noqa: PLR0917
    return {
        "name": name, "feature": feature, "value": value,
        "ci_low": low, "ci_high": high, "threshold": threshold, "verdict": verdict, "note": note,
    }  # fmt: skip


SIGNALS = [
    signal("error_ratio", 1.92, 1.10, low=1.89, high=1.95),
    signal("log_bias", -0.71, 0.10, low=-0.72, high=-0.70),
    signal("interval_coverage", 0.72, 0.85, low=0.70, high=0.74),
    signal("unsound_answers", 0.0, 0.0, "ok"),
    signal("outside_support", 1.0, 0.05),
    signal("unseen_status", 0.06, 0.05, values=["sold"]),
    signal("unseen_state", 1.0, 0.05, values=["Massachusetts"]),
    signal("unseen_zip3", 0.2, 0.10, values=["010", "011", "012", "013"]),
    signal("domain_auc", 0.83, 0.65, low=0.80, high=0.86, watch=0.60, columns=["house_size", "bath"]),
    signal("psi", 0.34, 0.20, feature="house_size", watch=0.10, input=True, rank=2),
    signal("wasserstein", 0.45, 0.20, feature="bath", watch=0.10, input=True, rank=3),
    signal("schema_changed", 0.31, 0.05, feature="brokered_by", change="missing", usable=True),
    signal("volume", 0.71, 0.50),
]
GATES = [
    signal("leakage", 3, 0, "fail"),
    signal("sound_answers", 7, 0, "fail"),
    signal("baseline", -0.05, -0.10, "fail", -0.07, -0.03),
    signal("superiority", -0.0098, -0.01, "fail", -0.019, 0.0004),
    signal("rmse", 0.05, 0.02, "fail", 0.03, 0.08),
    signal("relative_error", 0.03, 0.01, "fail", 0.02, 0.04),
    signal("bias", 0.09, 0.03, "fail", 0.08, 0.10),
    signal("intervals", 0.80, 0.88, "fail", 0.78, 0.82, highest=0.92),
    signal("new_batch", -0.33, 0, "pass", -0.40, -0.20),
    signal("rest", 0.001, 0.01, "pass", -0.002, 0.004),
    signal("lineage", 2, 0, "fail", missing=["code", "seed"]),
    signal("identifiers", 1, 0, "fail", values=["street"]),
    signal("signature", 1, 0, "fail", values=["bed: long ≠ double"]),
    signal("libraries", 1, 0, "fail", values=["catboost 1.2.5 ≠ 1.2.10"]),
    signal("loading", 1, 0, "fail", error="RuntimeError: damaged"),
    signal("load_seconds", 41.27, 30, "fail"),
    signal("artifact_size", 250.4, 200, "fail"),
    signal("requests", 3, 0, "fail", requests=415, error="ValueError: no such state"),
    signal("latency", 230.4, 100, "fail"),
    signal("memory", 912.3, 700, "fail"),
    signal("parity", 0.0031, 0.000001, "fail", requests=215),
    signal("repeatability", 0.02, 0.000001, "fail"),
    signal("prd", 0.05, 0.02, "fail", challenger=1.15, champion=1.10),
    signal("prb", 0.04, 0.02, "fail", challenger=-0.09, champion=-0.05),
    signal("slices", 0.12, 0.05, "fail", low=0.072) | {"note": {"dimension": "state", "value": "Nevada", "rows": 420}},
    signal("interval_fifths", 0.79, 0.85, "fail", 0.76, 0.82, fifth=5),
    signal("too_good", 0.21, 0.15, "hold"),
    signal("single_column", 0.97, 0.95, "hold", values=["acre_lot"]),
    signal("blast_radius", 0.31, 0.25, "hold", requests=10_000, move=0.20),
    signal("approval", 1, 0, "hold"),
    signal("serving_errors", 0.041, 0.01, "fail", 0.029, 0.057, requests=812, required=100, before=0.004),
    signal("serving_latency", 812.4, 250, "fail", 700.1, 901.0, requests=640, required=100, before=None),
    signal("error_new_homes", 0.12, 0.05, "fail", 0.08, 0.16, rows=1400, areas=60, required=200, required_areas=10, unsound=0),
    signal("error_real_prices", None, 0.05, "n/a", rows=12, areas=4, required=200, required_areas=10, unsound=0),
]
HEADLINES = {
    "REJECT_LEAKAGE": "leakage", "REJECT_UNSOUND_ANSWERS": "sound_answers", "REJECT_BELOW_BASELINE": "baseline",
    "REJECT_NOT_BETTER": "superiority", "REJECT_WORSE": "superiority", "REJECT_RMSE": "rmse",
    "REJECT_RELATIVE_ERROR": "relative_error", "REJECT_BIAS": "bias", "REJECT_INTERVALS": "intervals",
    "REJECT_LINEAGE_INCOMPLETE": "lineage", "REJECT_SIGNATURE": "signature", "REJECT_INFRA_LOAD": "loading",
    "REJECT_INFRA_ERROR": "requests", "REJECT_INFRA_LATENCY": "latency", "REJECT_INFRA_MEMORY": "memory",
    "REJECT_INFRA_PARITY": "parity", "REJECT_EQUITY": "prd", "REJECT_SLICE": "slices", "HOLD_TOO_GOOD": "too_good",
    "HOLD_APPROVAL_BLAST": "blast_radius", "HOLD_APPROVAL": "approval", "PROMOTE_BY_HUMAN": "blast_radius",
    "REJECT_BY_HUMAN": "blast_radius", "EXPIRED_APPROVAL": "blast_radius",
    "ROLLBACK_ERRORS": "serving_errors",
    "ROLLBACK_LATENCY": "serving_latency", "ROLLBACK_QUALITY": "error_new_homes", "WATCH_NO_TARGET": "serving_errors",
}  # fmt: skip
ANSWERS = {"PROMOTE_BY_HUMAN": "promote", "REJECT_BY_HUMAN": "reject", "EXPIRED_APPROVAL": "reject"}


def decision(code):
    promotion = code.startswith(("PROMOTE", "REJECT", "HOLD", "EXPIRED"))
    watch = code.startswith(("ROLLBACK", "WATCH"))
    facts = {
        "batch_number": 4, "new_rows": 41, "required_rows": 100, "champion_rows": 398_701, "stream": "group 9, Tuesday",
        "author": "Ana", "reason": "new price list", "watches": 3, "batches_stored": 6, "waited": 86_400,
        "fired": [key_of(s) for s in SIGNALS] if code.startswith("TRAIN") else [],
        "closest": {"signal": "error_ratio", "reached": 0.8}, "retrain_code": "TRAIN_BIASED",
    }  # fmt: skip
    if code == "SKIP_INVALID_BATCH":
        facts["failed"] = [
            {
                "expectation": "expect_column_values_to_not_be_null",
                "column": "price",
                "share": 1.0,
                "limit": 0.2,
                "examples": ["cheap"],
            }
        ]
    elif code == "TRAIN_PERSISTENT_WATCH":
        facts |= {"fired": ["error_ratio"], "persistent": ["error_ratio"], "watched": {"error_ratio": 3}}
    elif promotion or watch:
        held = code.startswith("HOLD") or code in ANSWERS
        facts["held" if held else "failed"] = [HEADLINES[code]] if code in HEADLINES else []
    if watch and code != "ROLLBACK_MANUAL":
        facts["unjudged"] = ["error_real_prices"]
    facts["alias"] = "production"
    others = "alias" if code.startswith("ALIAS") else "intake" if code == "SKIP_END_OF_DATA" else "retrain"
    kind = "approval" if code in ANSWERS else "promotion" if promotion else "rollback" if watch else others
    outcome = ANSWERS.get(code) or ("keep" if code.startswith("WATCH") else code.split("_")[0].lower())
    return {
        "kind": kind, "code": code, "facts": facts, "champion_version": "3", "challenger_version": "4", "outcome": outcome,
        "signals": [{**s, "verdict": "ok"} if code.startswith("SKIP") else s for s in SIGNALS], "gates": GATES,
    }  # fmt: skip


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("code", codes())
def test_every_code_has_a_finished_sentence(code, language):
    text = render(decision(code), language)
    assert text.endswith(".")
    assert text[0].isupper()
    assert not re.search(r"[{}?]|None|\bnan\b", text), text


NEGATIVE = [code for code in codes() if code.startswith(("SKIP", "REJECT", "HOLD", "EXPIRED"))]
AGAIN = {"kind": "intake", "outcome": "skip", "code": "SKIP_NO_NEW_DATA", "facts": {"batch_number": 2, "stream": "group 9"}}
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


def test_a_batch_with_too_few_rows_or_values_says_how_few():
    found = decision("SKIP_INVALID_BATCH")
    name = "expect_table_row_count_to_be_between"
    found["facts"]["failed"] = [{"expectation": name, "column": None, "share": None, "observed": 7, "least": 10}]
    assert "the batch has too few rows: expect_table_row_count_to_be_between (7; at least 10 needed)." in render(found, "en")
    assert "(7; hacen falta al menos 10)." in render(found, "es")
    assert grounds(found) == [{"name": name, "feature": None, "value": 7, "threshold": 10}]


def test_a_training_rests_on_what_fired():
    assert [line["name"] for line in grounds(only("TRAIN_VOLUME", "volume"))] == ["volume"]
    assert grounds(decision("TRAIN_BOOTSTRAP")) == []


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
        "(con seguridad al menos un +7,2 %; se admite como mucho un 5 % más)."
    ),
    ("REJECT_SLICE", "en"): (
        "Version 4 was not promoted, because against version 3 it raises the MAE by 12% in the state Nevada "
        "(provably at least +7.2%; at most 5% higher is allowed)."
    ),
    ("REJECT_LINEAGE_INCOMPLETE", "es"): (
        "No se promovió la versión 4 porque su linaje está incompleto, faltan 2 (límite 0): la versión del código, la semilla."
    ),
    ("REJECT_INFRA_LATENCY", "es"): "No se promovió la versión 4 porque una fila le lleva 230,4 ms (límite 100,0 ms).",
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


def test_a_training_names_what_would_have_prevented_it():
    text = render(decision("TRAIN_PERFORMANCE_DEGRADED"), "en")
    assert "No new model would have been trained with an error ratio of at most 1.10, a bias of at most 9.5%" in text


def test_a_skip_names_the_closest_signal_and_its_margin():
    text = render(decision("SKIP_NO_MATERIAL_CHANGE"), "en")
    assert "Closest to a training: the model in production errs 1.92 times" in text
    assert "80% of the way to its limit" in text


def changed(code, name, **values):
    """The decision of a code with one piece of its evidence changed."""
    found = decision(code)
    for part in ("signals", "gates"):
        found[part] = [{**line, **values} if line["name"] == name else line for line in found[part]]
    return found


def only(code, *fired):
    """The decision of a code for which these signals alone fired."""
    found = decision(code)
    found["facts"]["fired"] = list(fired)
    found["signals"] = [line if key_of(line) in fired else {**line, "verdict": "ok"} for line in found["signals"]]
    return found


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


def test_a_bias_that_is_over_its_limit_never_reads_as_if_it_were_below():
    """A limit of 0.10 in logarithms is 9.5 % downwards and 10.5 % upwards."""
    for value, words in ((-0.1001, "9.5% too low"), (0.1001, "10.5% too high")):
        text = render(changed("TRAIN_BIASED", "log_bias", value=value), "en")
        assert words in text
        assert f"limit {words.split()[0]}" in text


def test_a_champion_that_answers_nonsense_is_said_to():
    found = changed("TRAIN_PERFORMANCE_DEGRADED", "unsound_answers", value=0.02, verdict="fire")
    assert "gives no sound price for 2% of the new homes (limit 0%)" in render(found, "en")
    assert "no da un precio válido para el 2 % de las viviendas nuevas (límite 0 %)" in render(found, "es")


def test_a_small_batch_says_whether_it_would_have_been_trained():
    found = decision("SKIP_INSUFFICIENT_EVIDENCE")
    assert "With enough rows" not in render(found, "en")
    found |= {"outcome": "skip", "signals": SIGNALS}
    found["facts"]["fired"] = ["error_ratio", "unseen_state"]
    assert "With enough rows it would have been trained, because it errs 1.92 times" in render(found, "en")
    assert "Con filas suficientes se habría entrenado porque se equivoca 1,92 veces" in render(found, "es")


def test_an_invalid_batch_says_what_is_wrong_in_plain_words_and_by_its_expectation():
    found = decision("SKIP_INVALID_BATCH")
    assert "falta price en demasiadas filas: price expect_column_values_to_not_be_null (100 %; límite 20 %)" in render(
        found, "es"
    )
    found["facts"]["failed"] = [{"column": "repetition", "expectation": "expect_column_values_to_be_between", "share": 0.967}]
    assert "too many listings are repeated: repetition expect_column_values_to_be_between (96.7%)" in render(found, "en")
    found["facts"]["failed"] = [{"column": "colour", "expectation": "expect_column_to_exist"}]
    assert "invalid: colour expect_column_to_exist." in render(found, "en")


def test_a_batch_that_came_again_is_no_batch_without_new_homes():
    assert render(AGAIN, "en").startswith("No new batch: the source of group 9 sent batch 2 again")
    assert render(AGAIN, "es").startswith("Sin lote nuevo: la fuente de group 9 volvió a enviar el lote 2")


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


def test_an_unknown_code_or_language_is_an_error():
    with pytest.raises(ValueError, match="no sentence for the code 'TRAIN_BORED'"):
        render({"kind": "retrain", "code": "TRAIN_BORED", "facts": {}}, "en")
    with pytest.raises(ValueError, match="not in 'fr'"):
        render(decision("TRAIN_BOOTSTRAP"), "fr")


WATCHED = {"value": 1.07, "ci_low": 1.02, "ci_high": 1.11, "verdict": "watch", "note": {"watch": 1.05}}
SENTENCES = [
    (
        changed("TRAIN_PERSISTENT_WATCH", "error_ratio", **WATCHED),
        "Batch 4: trained, because it was so in 3 batches in a row: the model in production errs 1.07 times as much as in its "
        "evaluation (95% CI 1.02 to 1.11; limit 1.10; watched from 1.05). "
        "No new model would have been trained with an error ratio of at most 1.05.",
        "Lote 4: se entrenó porque se repitió en 3 lotes seguidos: el modelo en producción se equivoca 1,07 veces lo que en su "
        "evaluación (IC95 1,02 a 1,11; límite 1,10; en observación desde 1,05). "
        "No se habría entrenado un modelo nuevo con una razón de error de 1,05 como mucho.",
    ),
    (
        only("TRAIN_COVARIATE_DRIFT", "domain_auc", "psi:house_size", "wasserstein:bath"),
        "Batch 4: trained, because the homes have changed: the new homes can be told from the known ones, mostly by house_size "
        "and bath, with an AUC of 0.83 (95% CI 0.80 to 0.86; limit 0.65), house_size is distributed differently, with a PSI of "
        "0.34 (limit 0.20) and bath has moved by 0.45 standard deviations (limit 0.20). "
        "No new model would have been trained with an AUC of at most 0.65.",
        "Lote 4: se entrenó porque las viviendas cambiaron: las viviendas nuevas se distinguen de las conocidas, sobre todo "
        "por house_size y bath, con un AUC de 0,83 (IC95 0,80 a 0,86; límite 0,65), cambió la distribución de house_size, con "
        "un PSI de 0,34 (límite 0,20) y bath se desplazó 0,45 desviaciones estándar (límite 0,20). "
        "No se habría entrenado un modelo nuevo con un AUC de 0,65 como mucho.",
    ),
    (
        only("TRAIN_SCHEMA_CHANGED", "schema_changed:brokered_by"),
        "Batch 4: trained, because the columns have changed: brokered_by is missing in 31% of the rows (limit 5%). "
        "No new model would have been trained with less than 5% of the rows with a change of brokered_by.",
        "Lote 4: se entrenó porque cambiaron las columnas: falta brokered_by en el 31 % de las filas (límite 5 %). "
        "No se habría entrenado un modelo nuevo con menos del 5 % de las filas con un cambio de brokered_by.",
    ),
]


@pytest.mark.parametrize(("found", "english", "spanish"), SENTENCES)
def test_drift_schema_and_persistence_in_words(found, english, spanish):
    assert render(found, "en") == english
    assert render(found, "es") == spanish


def test_a_skip_says_how_often_a_signal_has_been_watched():
    found = changed("SKIP_NO_MATERIAL_CHANGE", "error_ratio", **WATCHED)
    found["facts"]["closest"] = {"signal": "error_ratio", "rule": "TRAIN_PERSISTENT_WATCH", "reached": 0.67, "batches": 2}
    assert "limit 1.10; watched from 1.05), watched in 2 of the 3 batches in a row that train." in render(found, "en")
    assert "en observación en 2 de los 3 lotes seguidos que entrenan." in render(found, "es")


@pytest.mark.parametrize("key", ["psi:house_size", "wasserstein:bath", "domain_auc", "schema_changed:brokered_by"])
def test_a_skip_can_be_closest_by_every_new_signal(key):
    found = decision("SKIP_NO_MATERIAL_CHANGE")
    found["facts"]["closest"] = {"signal": key, "rule": "TRAIN_COVARIATE_DRIFT", "reached": 0.9}
    for language, words in (("en", "90% of the way"), ("es", "el 90 % del camino")):
        assert words in render(found, language)
        assert ("house_size" in render(found, language)) == (key in ("psi:house_size", "domain_auc"))


@pytest.mark.parametrize("change", ["missing", "returned", "retyped", "new"])
def test_every_change_of_a_column_has_its_words(change):
    found = changed("TRAIN_SCHEMA_CHANGED", "schema_changed", note={"change": change})
    texts = [render(found, language) for language in ("en", "es")]
    assert all("brokered_by" in text for text in texts)
    assert texts[0] != texts[1]


def test_signals_of_one_name_and_different_columns_are_told_apart():
    found = only("TRAIN_COVARIATE_DRIFT", "domain_auc", "psi:house_size")
    found["signals"].append(signal("psi", 0.01, 0.20, "ok", feature="bed"))
    assert "PSI of 0.34" in render(found, "en")
    assert "bed " not in render(found, "en")


def test_an_interval_without_width_is_not_shown():
    assert "CI" not in render(changed("TRAIN_NEW_CATEGORIES", "unseen_state", ci_low=1.0, ci_high=1.0), "en").split("Also")[0]


def test_of_many_columns_the_most_important_are_named_once_each():
    found = only("TRAIN_COVARIATE_DRIFT", "domain_auc")
    for column in ("house_size", "bath", "bed", "acre_lot"):
        for name in ("psi", "wasserstein"):
            found["signals"].append(signal(name, 0.3, 0.20, feature=column))
            found["facts"]["fired"].append(f"{name}:{column}")
    text = render(found, "en")
    assert [text.count(f"{column} has moved") for column in ("house_size", "bath", "bed", "acre_lot")] == [1, 1, 1, 0]
    assert "PSI" not in text


AFTER_PROMOTION = [
    (
        decision("ROLLBACK_ERRORS"),
        "Version 3 was taken out of production and version 4 was restored, because 4.1% of its last 812 requests got no answer"
        ", 0.40% of those of the version before (95% CI 2.9% to 5.7%; limit 1%). Not judged: the error on real prices, with 12 "
        "prices in 4 zip codes where it takes 200 in 10.",
        "Se retiró la versión 3 de producción y se restauró la versión 4 porque el 4,1 % de sus últimas 812 peticiones quedó "
        "sin respuesta, frente al 0,40 % con la versión anterior (IC95 2,9 % a 5,7 %; límite 1 %). No se juzgó: el error en "
        "precios reales, con 12 precios en 4 zonas postales y hacen falta 200 en 10.",
    ),
    (
        decision("ROLLBACK_QUALITY"),
        "Version 3 was taken out of production and version 4 was restored, because version 3 errs 12% more than the version "
        "before on 1,400 homes that are new to both (95% CI +8% to +16%; at most 5% more is allowed).",
        "Se retiró la versión 3 de producción y se restauró la versión 4 porque la versión 3 se equivoca un 12 % más que la "
        "versión anterior en 1.400 viviendas nuevas para ambas (IC95 +8 % a +16 %; se admite como mucho un 5 % más).",
    ),
    (
        decision("ROLLBACK_MANUAL"),
        "Version 3 was taken out of production and version 4 was restored at the request of Ana: new price list.",
        "Se retiró la versión 3 de producción y se restauró la versión 4 a petición de Ana: new price list.",
    ),
    (
        decision("ALIAS_MOVED_BY_HAND"),
        "The alias production was moved by hand from version 3 to version 4. Nothing was moved back: from now on challengers "
        "are compared with version 4.",
        "El alias production se movió a mano de la versión 3 a la versión 4.",
    ),
]


@pytest.mark.parametrize(("found", "english", "spanish"), AFTER_PROMOTION)
def test_what_happens_after_a_promotion_in_words(found, english, spanish):
    assert render(found, "en").startswith(english)
    assert render(found, "es").startswith(spanish)


def test_a_champion_that_stays_says_what_was_judged_and_what_was_not():
    found = decision("WATCH_SOUND")
    found["gates"] = [
        {**line, "verdict": "pass", "value": -0.2, "ci_low": -0.3, "ci_high": -0.1} if line["name"] == "error_new_homes"
        else {**line, "verdict": "n/a"} for line in GATES
    ]  # fmt: skip
    assert render(found, "en").startswith(
        "Version 3 stays in production: it errs 20% less than the version before on 1,400 homes that are new to both "
        "(95% CI −30% to −10%; at most 5% more is allowed). Not judged: the error on real prices"
    )
    found = decision("WATCH_NO_EVIDENCE")
    found["facts"]["unjudged"] = []
    assert "Not judged: no trigger of the policy is switched on." in render(found, "en")


def test_a_champion_without_a_version_to_go_back_to_is_said_loudly():
    found = decision("WATCH_NO_TARGET")
    found["facts"] |= {"failed": ["error_new_homes", "serving_errors"], "refused": "withdrawn"}
    assert "although it errs 12% more" in render(found, "en")
    assert "Version 3 stays in production" in render(found, "en")
    assert "version 4, the version before, was taken out of production itself" in render(found, "en")
    assert "Also: 4.1% of its last 812 requests got no answer" in render(found, "en")
    assert "la versión 4, la anterior, fue retirada de producción ella misma" in render(found, "es")


@pytest.mark.parametrize(
    ("old", "new", "words"), [(None, "4", "from no version to version 4"), ("3", None, "version 3 to no version")]
)
def test_an_alias_that_was_set_or_removed_by_hand(old, new, words):
    found = decision("ALIAS_MOVED_BY_HAND") | {"champion_version": old, "challenger_version": new}
    found["facts"]["alias"] = "previous"
    assert words in render(found, "en")
    assert "compared" not in render(found, "en")
