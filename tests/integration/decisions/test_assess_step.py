"""Assess on a real PostgreSQL and a real MLflow: what is measured, what is decided, what is recorded once."""

import importlib.util
from pathlib import Path

import pytest
from ct_contract import BadDataError, ContractError, TryLaterError

pytestmark = pytest.mark.integration

SPEC = importlib.util.spec_from_file_location("assessed", Path(__file__).with_name("assessed.py"))
assessed = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(assessed)
signals, facts = assessed.signals, assessed.facts

SIGNALS = [
    "error_ratio", "log_bias", "interval_coverage", "unsound_answers", "outside_support", "unseen_status", "unseen_state",
    "unseen_zip3", "volume", "domain_auc", "psi:house_size", "wasserstein:house_size", "psi:bed", "wasserstein:bed", "psi:bath",
    "wasserstein:bath", "psi:acre_lot", "wasserstein:acre_lot", "psi:prev_sold_date", "wasserstein:prev_sold_date",
    "psi:status", "psi:state", "psi:price", "wasserstein:price", "schema_changed",
]  # fmt: skip
"""In the order of a champion that does not say what it relies on."""

UNKNOWN = "wasserstein:prev_sold_date"
"""No home of these worlds has a date."""


def test_without_a_champion_the_first_batch_is_trained(world):
    world.add_batch(1, 400)
    result = world.assess(1)
    assert (result.code, result.summary["decision"], result.summary["champion_version"]) == ("TRAIN_BOOTSTRAP", "train", None)
    decision = world.rows("SELECT * FROM audit.decisions")
    assert [str(row["decision_id"]) for row in decision] == [result.summary["decision_id"]]
    assert (decision[0]["policy_name"], len(decision[0]["policy_digest"])) == ("strict", 64)


def test_a_batch_like_the_known_ones_is_not_trained_and_every_signal_is_kept(world):
    world.add_batch(1, 4000)
    world.add_batch(2, 1200)
    champion = world.add_version("1", alias="production", error=0.05)
    result = world.assess(2)
    assert (result.code, result.summary["decision"]) == ("SKIP_NO_MATERIAL_CHANGE", "skip")
    assert result.summary["champion_version"] == champion
    found = signals(world)
    assert list(found) == SIGNALS
    assert {key: row["verdict"] for key, row in found.items() if row["verdict"] != "ok"} == {UNKNOWN: "n/a"}
    assert all(row["value"] is not None for key, row in found.items() if key != UNKNOWN)
    assert all(row["threshold"] is not None for row in found.values())
    assert found["domain_auc"]["ci_low"] < 0.5 < found["domain_auc"]["ci_high"] + 0.02
    assert found["error_ratio"]["ci_low"] < found["error_ratio"]["value"] < found["error_ratio"]["ci_high"]
    assert found["error_ratio"]["value"] == pytest.approx(1, abs=0.1)
    assert found["volume"]["value"] == pytest.approx(1200 / 4000)
    assert facts(world)["closest"]["signal"] in SIGNALS
    assert "Closest to a training" in result.reason
    assert "Lo más cercano a un entrenamiento" in result.summary["reason_es"]


def test_a_second_try_of_the_run_finds_its_decision_whatever_has_changed(world, monkeypatch):
    world.add_batch(1, 400)
    first = world.assess(1)
    world.add_version("1", alias="production")
    monkeypatch.setenv("CT_POLICY", "course-2026")
    assert world.assess(1) == first
    assert world.rows("SELECT count(*) AS n FROM audit.decisions") == [{"n": 1}]
    assert world.assess(1, run_id="another").code == "SKIP_NO_NEW_DATA"


def test_larger_errors_on_the_new_rows_degrade_the_champion(world):
    world.add_batch(1, 3000)
    world.add_batch(2, 1000, noise=0.3)
    world.add_version("1", alias="production")
    result = world.assess(2)
    assert result.code == "TRAIN_PERFORMANCE_DEGRADED"
    found = signals(world)
    assert found["error_ratio"]["value"] == pytest.approx(1.5, abs=0.12)
    assert found["error_ratio"]["ci_low"] > found["error_ratio"]["threshold"] == 1.10
    assert facts(world)["fired"] == ["error_ratio", "interval_coverage"]
    assert "an error ratio of at most 1.10" in result.reason


def test_dearer_homes_are_a_bias_that_is_named_with_its_size(world):
    world.add_batch(1, 3000)
    world.add_batch(2, 1000, level=1.5)
    world.add_version("1", alias="production")
    result = world.assess(2)
    assert result.code == "TRAIN_PERFORMANCE_DEGRADED"
    assert signals(world)["log_bias"]["value"] == pytest.approx(-0.405, abs=0.03)
    assert facts(world)["fired"][:2] == ["error_ratio", "log_bias"]
    assert "too low" in result.reason


def test_prices_beyond_what_was_trained_on_are_out_of_support(world):
    world.add_batch(1, 3000)
    world.add_batch(2, 400, level=30)
    world.add_version("1", alias="production")
    world.assess(2)
    support = signals(world)["outside_support"]
    assert support["value"] > 0.9
    assert 0 < support["note"]["low"] < support["note"]["high"]


@pytest.mark.parametrize(
    ("change", "signal", "named"),
    [
        ({"state": "Nevada"}, "unseen_state", "Nevada"),
        ({"status": "sold"}, "unseen_status", "sold"),
        ({"zips": range(91000, 91040)}, "unseen_zip3", "910"),
    ],
)
def test_categories_that_the_champion_never_saw(world, change, signal, named):
    world.add_batch(1, 3000)
    world.add_batch(2, 900, **change)
    world.add_version("1", alias="production")
    result = world.assess(2)
    assert result.code == "TRAIN_NEW_CATEGORIES"
    drift = {"unseen_state": "psi:state", "unseen_status": "psi:status"}
    assert facts(world)["fired"] == [signal, *(["domain_auc", drift[signal]] if signal in drift else [])]
    row = signals(world)[signal]
    assert (row["value"], row["note"]["values"]) == (1.0, [named])
    assert named in result.reason


def test_much_more_of_the_same_is_a_reason_of_volume(world):
    world.add_batch(1, 1500)
    world.add_batch(2, 1000)
    world.add_version("1", alias="production", error=0.05)
    assert world.assess(2).code == "TRAIN_VOLUME"


def test_small_batches_wait_until_together_they_are_evidence(world):
    world.add_batch(1, 3000)
    world.add_batch(2, 60, state="Nevada")
    world.add_batch(3, 70, state="Nevada")
    world.add_version("1", alias="production")
    small = world.assess(2, run_id="second")
    assert small.code == "SKIP_INSUFFICIENT_EVIDENCE"
    assert list(signals(world)) == SIGNALS
    assert "60 new homes, 100 are needed" in small.reason
    assert "With enough rows it would have been trained" in small.reason
    assert world.assess(3, run_id="third").code == "TRAIN_NEW_CATEGORIES"
    assert facts(world)["new_rows"] == 130


def test_homes_that_were_listed_before_are_no_evidence(world):
    """Their prices are thirty times the usual: they would fire every signal."""
    world.add_batch(1, 3000)
    again = [1_000_000 + n for n in range(300)]
    world.add_batch(2, 300, level=30, relisted=again)
    world.add_version("1", alias="production", error=0.05)
    result = world.assess(2, run_id="second")
    assert result.code == "SKIP_NO_NEW_DATA"
    assert signals(world) == {}
    world.add_batch(3, 900)
    world.connection.execute(
        "UPDATE clean.listings SET relisted = true, price = price * 30 WHERE batch_id = 3 AND row_number < 100"
    )
    world.connection.execute("UPDATE clean.batches SET rows_new = 801, rows_relisted = 99 WHERE batch_id = 3")
    world.connection.commit()
    assert world.assess(3, run_id="third").code == "SKIP_NO_MATERIAL_CHANGE"
    assert signals(world)["error_ratio"]["note"]["rows"] == 801


def test_a_forced_training_keeps_who_and_why(world):
    world.add_batch(1, 1000)
    world.add_batch(2, 300)
    world.add_version("1", alias="production")
    with pytest.raises(ContractError, match="needs an author and a reason"):
        world.assess(2, force=True, author=" ", reason="new price list")
    result = world.assess(2, force=True, author="Ana", reason="new price list")
    assert result.code == "TRAIN_MANUAL"
    assert "at the request of Ana: new price list" in result.reason
    assert list(signals(world)) == SIGNALS


def test_a_champion_that_answers_nonsense_is_replaced(world):
    world.add_batch(1, 2000)
    world.add_batch(2, 600)
    world.add_version("1", alias="production", nonsense=0.05)
    result = world.assess(2)
    assert result.code == "TRAIN_PERFORMANCE_DEGRADED"
    assert 0.02 < signals(world)["unsound_answers"]["value"] < 0.08
    assert facts(world)["fired"] == ["unsound_answers"]


def test_a_champion_that_answers_nothing_but_nonsense_leaves_signals_unjudged(world):
    world.add_batch(1, 1000)
    world.add_batch(2, 300)
    world.add_version("1", alias="production", nonsense=2.0)
    assert world.assess(2).code == "TRAIN_PERFORMANCE_DEGRADED"
    found = signals(world)
    assert list(found) == SIGNALS
    assert found["unsound_answers"]["value"] == 1
    unjudged = {name for name, row in found.items() if row["verdict"] == "n/a"}
    assert unjudged == {"error_ratio", "log_bias", "interval_coverage", UNKNOWN}


@pytest.mark.parametrize(
    ("batches", "faults", "code"),
    [("1", {"broken": True}, "MODEL_DOES_NOT_LOAD"), ("", {}, "LINEAGE_UNKNOWN")],
)
def test_a_champion_that_cannot_be_judged_stops_the_run_and_nothing_is_decided(world, batches, faults, code):
    world.add_batch(1, 1000)
    world.add_batch(2, 300)
    champion = world.add_version(batches, alias="production", **faults)
    with pytest.raises(BadDataError, match="Nothing was decided") as caught:
        world.assess(2)
    assert caught.value.code == code
    assert world.rows("SELECT * FROM audit.decisions") == []
    assert world.aliases() == {"production": champion}


def test_a_champion_without_lineage_can_be_replaced_by_force(world):
    world.add_batch(1, 1000)
    world.add_version("", alias="production")
    assert world.assess(1, force=True, author="Ana", reason="a version from outside").code == "TRAIN_MANUAL"


def test_an_uncleaned_batch_and_an_absent_mlflow_decide_nothing(world, monkeypatch):
    with pytest.raises(BadDataError, match="run clean first"):
        world.assess(9)
    world.add_batch(1, 300)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    import mlflow

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    try:
        with pytest.raises(TryLaterError) as caught:
            world.assess(1)
    finally:
        mlflow.set_tracking_uri(before)
    assert caught.value.code == "MLFLOW_UNAVAILABLE"
    assert world.rows("SELECT * FROM audit.decisions") == []
