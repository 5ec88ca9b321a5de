"""Assess on a real PostgreSQL and a real MLflow: what is measured, what is decided, what is recorded once."""

import pytest
from ct_contract import BadDataError, ContractError, TryLaterError
from ct_decisions.evidence import key_of
from psycopg.types.json import Jsonb

pytestmark = pytest.mark.integration

SIGNALS = [
    "error_ratio", "log_bias", "interval_coverage", "unsound_answers", "outside_support", "unseen_status", "unseen_state",
    "unseen_zip3", "volume", "domain_auc", "psi:house_size", "wasserstein:house_size", "psi:bed", "wasserstein:bed", "psi:bath",
    "wasserstein:bath", "psi:acre_lot", "wasserstein:acre_lot", "psi:prev_sold_date", "wasserstein:prev_sold_date",
    "psi:status", "psi:state", "psi:price", "wasserstein:price", "schema_changed",
]  # fmt: skip
"""In the order of a champion that does not say what it relies on."""

UNKNOWN = "wasserstein:prev_sold_date"
"""No home of these worlds has a date."""


def signals(world):
    """Those of the last decision, by their keys."""
    last = "SELECT decision_id FROM audit.decisions ORDER BY decided_at DESC LIMIT 1"
    rows = world.rows(f"SELECT * FROM audit.signals WHERE decision_id = ({last}) ORDER BY position")
    return {key_of(row): row for row in rows}


def facts(world):
    return world.rows("SELECT facts FROM audit.decisions ORDER BY decided_at DESC LIMIT 1")[0]["facts"]


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


RELIANCE = {"location": 0.5, "house_size": 0.25, "bed": 0.15, "bath": 0.04, "acre_lot": 0.03, "status": 0.03}


def test_homes_that_changed_in_what_the_champion_relies_on_are_a_drift_though_it_errs_no_more(world):
    """The champion knows the market's formula, so larger homes cost it nothing."""
    world.add_batch(1, 3000)
    world.add_batch(2, 900)
    world.connection.execute("UPDATE clean.listings SET house_size = house_size * 1.5, price = price * 1.5 WHERE batch_id = 2")
    world.connection.commit()
    world.add_version("1", alias="production", reliance=RELIANCE)
    result = world.assess(2)
    assert result.code == "TRAIN_COVARIATE_DRIFT"
    assert facts(world)["fired"] == ["domain_auc", "psi:house_size", "wasserstein:house_size"]
    found = signals(world)
    assert list(found)[9:12] == ["domain_auc", "psi:state", "psi:house_size"]
    assert found["domain_auc"]["note"]["columns"][0] == "house_size"
    assert (found["psi:house_size"]["note"]["rank"], found["psi:house_size"]["feature"]) == (2, "house_size")
    assert found["wasserstein:house_size"]["value"] == pytest.approx(0.405 / 0.4, rel=0.1)
    assert "house_size has moved by" in result.reason
    assert "house_size se desplazó" in result.summary["reason_es"]


def test_drift_in_a_column_that_the_champion_hardly_uses_trains_nothing(world):
    world.add_batch(1, 3000)
    world.add_batch(2, 900)
    world.connection.execute("UPDATE clean.listings SET acre_lot = 0.25 + row_number % 7 WHERE batch_id = 2")
    world.connection.commit()
    world.add_version("1", alias="production", reliance=RELIANCE)
    assert world.assess(2).code == "SKIP_NO_MATERIAL_CHANGE"
    found = signals(world)
    assert (found["psi:acre_lot"]["verdict"], found["domain_auc"]["verdict"]) == ("fire", "fire")


def test_a_column_that_no_longer_comes_is_a_reason_once_the_champion_did_not_know_it(world):
    gone = [{"column": "brokered_by", "change": "missing", "rows": 900, "detail": "no row has it"}]
    extra = [{"column": "garage", "change": "new", "rows": 900, "detail": "not among the twelve"}]
    for batch_id, found in ((1, []), (2, [*gone, *extra]), (3, gone)):
        world.add_batch(batch_id, 2500 if batch_id == 1 else 900)
        world.connection.execute(
            "INSERT INTO audit.validations (batch_id, run_id, suite_name, suite_version, accepted, expectations, "
            "schema_changes, new_categories, report_html) VALUES (%s, 'r', 's', '1', true, '[]', %s, '{}', '')",
            (batch_id, Jsonb(found)),
        )
    world.connection.commit()
    world.add_version("1", alias="production")
    result = world.assess(2)
    assert result.code == "TRAIN_SCHEMA_CHANGED"
    assert "brokered_by is missing in 100% of the rows" in result.reason
    verdicts = {key: row["verdict"] for key, row in signals(world).items() if row["name"] == "schema_changed"}
    assert verdicts == {"schema_changed:brokered_by": "fire", "schema_changed:garage": "ok"}
    world.add_version("1,2", alias="production")
    assert world.assess(3, run_id="third").code == "SKIP_NO_MATERIAL_CHANGE"


def test_three_batches_in_a_row_that_are_watched_train_and_the_count_begins_anew(world):
    """Errors are 8 % larger than before: not proven to be 10 %, and proven to be some."""
    world.add_batch(1, 30_000)
    for batch_id in range(2, 8):
        world.add_batch(batch_id, 1500, noise=0.2 * 1.08)
    world.add_version("1", alias="production")
    codes = [world.assess(batch_id, run_id=f"run {batch_id}").code for batch_id in range(2, 5)]
    assert codes == ["SKIP_NO_MATERIAL_CHANGE", "SKIP_NO_MATERIAL_CHANGE", "TRAIN_PERSISTENT_WATCH"]
    assert facts(world)["persistent"] == ["error_ratio"]
    assert signals(world)["error_ratio"]["verdict"] == "watch"
    later = [world.assess(batch_id, run_id=f"run {batch_id}") for batch_id in range(5, 8)]
    assert [result.code for result in later] == codes
    assert "it was so in 3 batches in a row" in later[-1].reason


def test_watches_of_another_champion_or_of_a_repeated_batch_do_not_count(world):
    world.add_batch(1, 30_000)
    for batch_id in range(2, 5):
        world.add_batch(batch_id, 1500, noise=0.2 * 1.08)
    world.add_version("1", alias="production")
    assert world.assess(2, run_id="second").code == "SKIP_NO_MATERIAL_CHANGE"
    assert world.assess(2, run_id="second again").code == "SKIP_NO_MATERIAL_CHANGE"
    assert world.assess(3, run_id="third").code == "SKIP_NO_MATERIAL_CHANGE"
    assert facts(world)["watched"] == {"error_ratio": 2}
    world.add_version("1", alias="production")
    assert world.assess(4, run_id="fourth").code == "SKIP_NO_MATERIAL_CHANGE"
    assert facts(world)["watched"] == {"error_ratio": 1}


def test_postgresql_counts_what_the_rows_hold(world):
    """Unknown values on either side, a size of zero, a date, homes that were listed before."""
    from ct_assess.drift import count
    from house_prices.monitored import MONITORED

    world.add_batch(1, 40)
    world.add_batch(2, 30, relisted=[1_000_000, 1_000_001])
    for change in (
        "house_size = NULL WHERE row_number % 5 = 0",
        "house_size = 0 WHERE row_number = 7",
        "prev_sold_date = date '2001-01-01' WHERE row_number % 2 = 0",
        "acre_lot = NULL WHERE batch_id = 2",
    ):
        world.connection.execute(f"UPDATE clean.listings SET {change}".encode())
    world.connection.commit()
    found = {column.name: count(world.connection, column, [1], [2]) for column in MONITORED}
    assert {name: counts.rows for name, counts in found.items()} == dict.fromkeys(found, (40, 28))
    sizes = world.rows("SELECT house_size FROM clean.listings WHERE house_size > 0 AND batch_id = 1")
    assert found["house_size"].reference.sum() == len(sizes) == 31
    assert found["house_size"].values == pytest.approx(sorted(found["house_size"].values))
    assert found["prev_sold_date"].values.tolist() == [pytest.approx(366 / 365.25)]
    assert found["prev_sold_date"].reference_unknown == 20
    assert (found["acre_lot"].reference.tolist(), found["acre_lot"].new_unknown) == ([40], 28)
    assert (found["status"].values, found["status"].new.tolist()) == (None, [28])
    assert found["bed"].values.tolist() == sorted({row["bed"] for row in world.rows("SELECT bed FROM clean.listings")})
