"""What evaluate keeps for the dashboard: every version on the same homes now, and explanations that add up."""

import numpy as np
import pytest
from ct_contract import TryLaterError
from ct_decisions.registry import Registry
from ct_evaluate import fixed_set, insights

pytestmark = pytest.mark.integration

SCORES = "SELECT * FROM audit.version_scores ORDER BY scored_at, dimension, slice"


def scored(world, digest=None):
    rows = world.rows("SELECT * FROM audit.version_scores WHERE dimension = 'all'")
    return {row["model_version"]: row for row in rows if digest in (None, row["set_digest"])}


def sets(world):
    return world.rows("SELECT * FROM audit.fixed_sets ORDER BY drawn_at")


def test_every_version_is_scored_again_when_homes_were_added(world):
    world.add_batch(1, 2000)
    first = world.add_version("1", error=0.3, alias="production", claims=1.0)
    world.evaluate(1, world.add_version("1", error=0.2), run_id="a")
    world.add_batch(2, 1500)
    third = world.add_version("1,2")
    world.evaluate(2, third, run_id="b")
    before, after = sets(world)
    assert (before["batch_id"], after["batch_id"]) == (1, 2)
    assert before["row_count"] < after["row_count"]
    assert set(scored(world, before["set_digest"])) == {"1", "2"}
    found = scored(world, after["set_digest"])
    assert set(found) == {first, "2", third}
    # Worse models have larger errors on the same homes, whatever their runs boast of.
    assert found[first]["metrics"]["mae"][0] > found["2"]["metrics"]["mae"][0] > found[third]["metrics"]["mae"][0] > 1
    rows = world.rows("SELECT price, house_size, bed, zip_code::int AS zip FROM clean.listings WHERE split = 'test'")
    price, size, bed, zips = (np.array([row[name] for row in rows]) for name in ("price", "house_size", "bed", "zip"))
    error = np.abs(size * (100 + zips % 40 * 5) * np.exp(0.2 * (bed - 3)) - price)
    assert found[third]["metrics"]["mae"][0] == pytest.approx(np.mean(error))
    assert found[third]["row_count"] == len(rows)
    value, low, high = found[third]["metrics"]["coverage"]
    assert low < value < high


def test_a_second_try_adds_what_is_missing_and_changes_nothing(world, monkeypatch):
    world.add_batch(1, 2000)
    world.add_version("1", alias="production", error=0.2)
    version = world.add_version("1")
    with monkeypatch.context() as patched:
        # Killed after the first version.
        patched.setattr(insights._Keeper, "keep", _killed_at("1", insights._Keeper.keep))
        with pytest.raises(KeyboardInterrupt):
            world.evaluate(1, version)
    first = world.rows(SCORES)
    assert set(scored(world)) == {version}
    result = world.evaluate(1, version)
    assert set(scored(world)) == {"1", version}
    assert world.rows(SCORES)[: len(first)] == first
    everything = world.rows(SCORES)
    assert world.evaluate(1, version) == result
    assert world.rows(SCORES) == everything


def _killed_at(number, keep):
    def killed(self, version, **options):
        if version.number == number:
            raise KeyboardInterrupt
        keep(self, version, **options)

    return killed


def test_slices_have_enough_homes_to_say_something(world):
    world.add_batch(1, 2000)
    world.add_batch(2, 40, state="Nevada", zips=range(89000, 89005))
    world.evaluate(2, world.add_version("1,2"))
    rows = world.rows("SELECT dimension, slice, row_count, area_count FROM audit.version_scores")
    assert {(row["dimension"], row["slice"]) for row in rows if row["dimension"] != "house_size"} == {
        ("all", ""), ("state", "California"), ("status", "for_sale"),
    }  # fmt: skip
    sizes = [row for row in rows if row["dimension"] == "house_size"]
    assert len(sizes) == 3
    assert sum(row["row_count"] for row in sizes) == next(row["row_count"] for row in rows if row["dimension"] == "all")
    assert all(row["row_count"] >= fixed_set.FEWEST_ROWS for row in rows)


def test_a_version_that_cannot_be_scored_leaves_a_code_and_blocks_nothing(world):
    world.add_batch(1, 2000)
    broken, refusing = world.add_version("1", broken=True), world.add_version("1", refuses=True)
    world.connection.execute("UPDATE clean.listings SET house_size = NULL WHERE row_number = "
                             "(SELECT min(row_number) FROM clean.listings WHERE split = 'test')")  # fmt: skip
    world.connection.commit()
    lost = world.add_version("1", nonsense=0.1)
    world.evaluate(1, world.add_version("1"))
    found = scored(world)
    assert found[broken]["problem"] == "MODEL_DOES_NOT_LOAD"
    assert found[refusing]["problem"] == "VERSION_RAISES"
    assert found[lost]["problem"] is None
    assert found[lost]["unsound"] > 0
    assert found[lost]["row_count"] + found[lost]["unsound"] == found["4"]["row_count"]
    # Versions from outside price and do not explain.
    problems = world.rows("SELECT model_version, problem FROM audit.explanations ORDER BY 1")
    assert [(row["model_version"], row["problem"]) for row in problems] == [(lost, "NO_EXPLANATION"), ("4", "NO_EXPLANATION")]


def test_challenger_champion_and_the_newest_are_chosen(world, monkeypatch):
    monkeypatch.setattr(insights, "MOST_VERSIONS", 3)
    world.add_batch(1, 600)
    world.add_version("1", alias="production")
    for _ in range(3):
        world.add_version("1")
    world.evaluate(1, world.add_version("1"))
    assert set(scored(world)) == {"1", "4", "5"}
    explained = world.rows("SELECT model_version FROM audit.explanations ORDER BY 1")
    assert [row["model_version"] for row in explained] == ["1", "4", "5"]


def test_an_old_version_whose_files_are_away_is_left_out_and_one_that_is_compared_is_not(world, monkeypatch):
    """As in a scratch copy, which holds the files of the aliases alone."""
    world.add_batch(1, 600)
    world.add_version("1")
    version = world.add_version("1")
    files = Registry.files

    def away(self, found):
        if found.number == "1":
            raise TryLaterError("MODEL_FILES_UNAVAILABLE", "they could not be fetched")
        return files(self, found)

    monkeypatch.setattr(Registry, "files", away)
    world.evaluate(1, version)
    assert set(scored(world)) == {version}
    with pytest.raises(TryLaterError):
        insights.record_insights(
            world.connection, Registry(), batch_id=1, batch_ids=[1], challenger=Registry().require("1"), champion=None,
            confidence=0.95,
        )  # fmt: skip


def test_the_set_is_the_homes_of_the_smallest_hashes_with_their_first_listing(world, monkeypatch):
    monkeypatch.setattr(fixed_set, "SET_HOMES", 50)
    monkeypatch.setattr(fixed_set, "BACKGROUND_HOMES", 10)
    world.add_batch(1, 1500)
    world.evaluate(1, world.add_version("1"), run_id="a")
    # A second batch in which every home of the first one is listed again at another price.
    world.add_batch(2, 2500, level=2.0, relisted=[1_000_000 + n for n in range(1500)])
    world.evaluate(2, world.add_version("1,2"), run_id="b")
    first, second = sets(world)
    expected = world.rows(
        "SELECT property_key, price FROM clean.listings WHERE split = 'test' AND NOT relisted "
        "ORDER BY md5(property_key) LIMIT 10"
    )
    assert [(home["property_key"], home["price"]) for home in second["background"]] == [
        (row["property_key"], row["price"]) for row in expected
    ]
    shared = {home["property_key"] for home in first["background"]} & {home["property_key"] for home in second["background"]}
    prices = [{home["property_key"]: home["price"] for home in found["background"]} for found in (first, second)]
    assert shared
    assert all(prices[0][key] == prices[1][key] for key in shared)
    assert (first["row_count"], second["row_count"]) == (50, 50)
