"""What is said of a training and of a skip: what fired, what would have prevented it, what was closest."""

import importlib.util
from pathlib import Path

import pytest
from ct_decisions.reasons import grounds, render

pytestmark = pytest.mark.unit

SPEC = importlib.util.spec_from_file_location("told", Path(__file__).with_name("told.py"))
told = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(told)
AGAIN, SIGNALS, changed, decision, only, signal = told.AGAIN, told.SIGNALS, told.changed, told.decision, told.only, told.signal


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


def test_a_training_names_what_would_have_prevented_it():
    text = render(decision("TRAIN_PERFORMANCE_DEGRADED"), "en")
    assert "No new model would have been trained with an error ratio of at most 1.10, a bias of at most 9.5%" in text


def test_a_skip_names_the_closest_signal_and_its_margin():
    text = render(decision("SKIP_NO_MATERIAL_CHANGE"), "en")
    assert "Closest to a training: the model in production errs 1.92 times" in text
    assert "80% of the way to its limit" in text


def test_a_champion_that_answers_nonsense_is_said_to():
    found = changed("TRAIN_PERFORMANCE_DEGRADED", "unsound_answers", value=0.02, verdict="fire")
    assert "gives no sound price for 2% of the new homes (limit 0%)" in render(found, "en")
    assert "no da un precio válido para el 2 % de las viviendas nuevas (límite 0 %)" in render(found, "es")


def test_a_small_batch_says_whether_it_would_have_been_trained():
    found = decision("SKIP_INSUFFICIENT_EVIDENCE")
    assert "With enough rows" not in render(found, "en")
    found |= {"outcome": "skip", "signals": SIGNALS}
    found["facts"]["fired"] = ["error_ratio", "unseen_state"]
    assert "With enough rows it would have been trained, because the model in production errs 1.92 times" in render(found, "en")
    assert "Con filas suficientes se habría entrenado porque el modelo en producción se equivoca 1,92 veces" in render(
        found, "es"
    )


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


def test_a_bias_that_is_over_its_limit_never_reads_as_if_it_were_below():
    """A limit of 0.10 in logarithms is 9.5 % downwards and 10.5 % upwards."""
    for value, words in ((-0.1001, "9.5% too low"), (0.1001, "10.5% too high")):
        text = render(changed("TRAIN_BIASED", "log_bias", value=value), "en")
        assert words in text
        assert f"limit {words.split()[0]}" in text


WATCHED = {"value": 1.07, "ci_low": 1.02, "ci_high": 1.11, "verdict": "watch", "note": {"watch": 1.05}}
SENTENCES = [
    (
        changed("TRAIN_PERSISTENT_WATCH", "error_ratio", **WATCHED),
        "Batch 4: trained, because it was so in 3 batches in a row: the model in production errs 1.07 times as much as in its "
        "evaluation (95% CI 1.02 to 1.11; limit 1.10; watched from 1.05). "
        "No new model would have been trained with an error ratio of at most 1.05.",
        "Lote 4: se entrenó porque en 3 lotes seguidos se observó lo mismo: el modelo en producción se equivoca 1,07 veces lo "
        "que en su evaluación (IC95 1,02 a 1,11; límite 1,10; en observación desde 1,05). "
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
    found = only("TRAIN_NEW_CATEGORIES", "unseen_state")
    found["signals"] = [
        {**line, "ci_low": 1.0, "ci_high": 1.0} if line["name"] == "unseen_state" else line for line in found["signals"]
    ]
    assert render(found, "en").startswith(
        "Batch 4: trained, because 100% of the rows are in a state that the model in production never saw (limit 5%): "
        "Massachusetts."
    )


def test_of_many_columns_the_most_important_are_named_once_each():
    found = only("TRAIN_COVARIATE_DRIFT", "domain_auc")
    for column in ("house_size", "bath", "bed", "acre_lot"):
        for name in ("psi", "wasserstein"):
            found["signals"].append(signal(name, 0.3, 0.20, feature=column))
            found["facts"]["fired"].append(f"{name}:{column}")
    text = render(found, "en")
    assert [text.count(f"{column} has moved") for column in ("house_size", "bath", "bed", "acre_lot")] == [1, 1, 1, 0]
    assert "PSI" not in text


def test_a_skip_says_what_was_not_judged_for_homes_in_few_zip_codes():
    few = {"verdict": "n/a", "note": {"areas": 1, "required_areas": 10}}
    found = changed("SKIP_NO_MATERIAL_CHANGE", "error_ratio", **few)
    found["facts"]["closest"] = {"signal": "volume", "rule": "TRAIN_VOLUME", "reached": 0.2}
    assert "Not judged: the error (homes in 1 of the 10 zip codes that it takes)." in render(found, "en")
    assert "No se juzgó: el error (viviendas en 1 de las 10 zonas postales que hacen falta)." in render(found, "es")
    found["signals"] = [{**line, **few} if line["name"] in ("log_bias", "domain_auc") else line for line in found["signals"]]
    assert "Not judged: the error, the bias and whether the homes are of another kind (" in render(found, "en")


def test_what_else_spoke_for_a_training_says_of_whom():
    """The headline is about prices, so "it" would be nobody; after a headline about the model it is the model."""
    found = only("TRAIN_TARGET_OUT_OF_SUPPORT", "outside_support", "error_ratio", "log_bias")
    assert "Also: the model in production errs 1.92 times" in render(found, "en")
    assert " and it prices 50.8% too low" in render(found, "en")
    assert "Además: el modelo en producción se equivoca 1,92 veces" in render(found, "es")
    assert "Also: it prices 50.8% too low" in render(only("TRAIN_PERFORMANCE_DEGRADED", "error_ratio", "log_bias"), "en")
