"""Drift, changed columns and watches on a real PostgreSQL and a real MLflow: what moved, and what stayed for long enough."""

import importlib.util
from pathlib import Path

import pytest
from psycopg.types.json import Jsonb

pytestmark = pytest.mark.integration

SPEC = importlib.util.spec_from_file_location("assessed", Path(__file__).with_name("assessed.py"))
assessed = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(assessed)
signals, facts = assessed.signals, assessed.facts

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
