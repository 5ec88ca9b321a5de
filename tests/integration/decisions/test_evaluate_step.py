"""Evaluate on a real PostgreSQL and a real MLflow: both models scored now, every gate kept, nothing promoted unjudged."""

import json
from pathlib import Path

import numpy as np
import pytest
from ct_contract import BadDataError
from mlflow.artifacts import download_artifacts

pytestmark = pytest.mark.integration

TECHNICAL = [
    "lineage", "leakage", "identifiers", "signature", "libraries", "loading", "load_seconds", "artifact_size", "requests",
    "latency", "memory", "parity", "repeatability",
]  # fmt: skip
STATISTICAL = [
    "sound_answers", "baseline", "superiority", "rmse", "relative_error", "bias", "prd", "prb", "slices", "intervals",
    "interval_fifths", "new_batch", "rest", "too_good", "single_column",
]  # fmt: skip
PEOPLE = ["blast_radius", "approval"]
GATES = TECHNICAL + STATISTICAL + PEOPLE
AGAINST_CHAMPION = [
    "superiority", "rmse", "relative_error", "prd", "prb", "slices", "new_batch", "rest", "too_good",
]  # fmt: skip


def gates(world):
    return {row["name"]: row for row in world.rows("SELECT * FROM audit.gates ORDER BY position")}


def evaluations(world):
    rows = world.rows("SELECT * FROM audit.evaluations ORDER BY dataset, role")
    return {(row["dataset"], row["role"]): row for row in rows}


def verdicts(world, verdict):
    return [name for name, gate in gates(world).items() if gate["verdict"] == verdict]


def test_a_first_model_is_promoted_if_it_beats_what_anyone_could_compute(world):
    world.add_batch(1, 3000)
    version = world.add_version("1", reason="TRAIN_BOOTSTRAP", alias="challenger")
    result = world.evaluate(1, version)
    assert (result.code, result.summary["decision"], result.summary["champion_version"]) == (
        "PROMOTE_FIRST_MODEL",
        "promote",
        None,
    )
    assert list(gates(world)) == GATES
    assert verdicts(world, "n/a") == AGAINST_CHAMPION + PEOPLE
    assert result.summary["outcome"] == "promote"
    assert {role for _, role in evaluations(world)} == {"challenger", "baseline"}
    assert world.aliases() == {"challenger": version}
    assert world.events() == [(version, "promotion_decided")]


def test_both_models_are_scored_now_on_the_same_rows_and_stored_metrics_count_for_nothing(world):
    """The champion's run boasts of an MAE of one dollar, the challenger's of a million: neither is read."""
    world.add_batch(1, 3000)
    world.add_batch(2, 2000)
    champion = world.add_version("1", alias="production", claims=1.0, error=0.2)
    version = world.add_version("1,2", claims=1e6)
    result = world.evaluate(2, version)
    assert result.code == "PROMOTE_BETTER"
    assert verdicts(world, "pass") == TECHNICAL + STATISTICAL
    assert verdicts(world, "n/a") == PEOPLE
    found = evaluations(world)
    assert set(found) == {(d, r) for d in ("hold-out", "new batch") for r in ("baseline", "challenger", "champion")}
    for dataset in ("hold-out", "new batch"):
        assert len({found[dataset, role]["dataset_digest"] for role in ("baseline", "challenger", "champion")}) == 1
    assert found["hold-out", "champion"]["model_version"] == champion
    counted = world.rows(
        "SELECT count(*) AS n, count(*) FILTER (WHERE batch_id = 2) AS new FROM clean.listings WHERE split = 'test'"
    )
    assert (found["hold-out", "champion"]["row_count"], found["new batch", "champion"]["row_count"]) == (
        counted[0]["n"],
        counted[0]["new"],
    )
    superiority = gates(world)["superiority"]
    mae = {role: found["hold-out", role]["metrics"]["mae"] for role in ("champion", "challenger")}
    assert superiority["value"] == pytest.approx(mae["challenger"] / mae["champion"] - 1)
    assert superiority["ci_low"] < superiority["value"] < superiority["ci_high"] < 0
    shapes = world.rows("SELECT * FROM audit.diagnostics")
    assert {(row["role"], row["kind"], row["model_version"], row["row_count"]) for row in shapes} == {
        (role, kind, number, counted[0]["n"])
        for role, number in (("champion", champion), ("challenger", version))
        for kind in ("errors", "prices", "intervals")
    }


def test_the_metrics_are_those_of_the_formula(world):
    """The model knows the market's formula, so its errors are the market's noise."""
    world.add_batch(1, 4000)
    world.evaluate(1, world.add_version("1"))
    found = evaluations(world)["hold-out", "challenger"]["metrics"]
    rows = world.rows("SELECT price, house_size, bed, zip_code::int AS zip FROM clean.listings WHERE split = 'test'")
    price, size, bed, zips = (np.array([row[name] for row in rows]) for name in ("price", "house_size", "bed", "zip"))
    answer = size * (100 + zips % 40 * 5) * np.exp(0.2 * (bed - 3))
    assert found["mae"] == pytest.approx(np.mean(np.abs(answer - price)))
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean((answer - price) ** 2)))
    assert found["mean_abs_log_error"] == pytest.approx(np.mean(np.abs(np.log(answer / price))))
    assert found["coverage"] == pytest.approx(0.9, abs=0.03)
    assert found["unsound_answers"] == 0


def test_a_second_try_finds_the_decision_and_writes_its_evidence_once(world, monkeypatch):
    world.add_batch(1, 2000)
    version = world.add_version("1")
    from ct_evaluate import step

    def killed(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(step, "_publish", killed)
        with pytest.raises(KeyboardInterrupt):
            world.evaluate(1, version)
    first = world.rows("SELECT decision_id::text AS id FROM audit.decisions")
    result = world.evaluate(1, version)
    assert world.evaluate(1, version) == result
    assert [row["id"] for row in first] == [result.summary["decision_id"]]
    assert world.events() == [(version, "promotion_decided")]
    run_id = world.client.get_model_version(world.name, version).run_id
    kept = json.loads(Path(download_artifacts(run_id=run_id, artifact_path="decision/promotion.json")).read_text())
    assert (kept["decision_id"], [gate["name"] for gate in kept["gates"]]) == (result.summary["decision_id"], GATES)
    logged = world.client.get_run(run_id).data.metrics
    assert logged["challenger_mae"] == evaluations(world)["hold-out", "challenger"]["metrics"]["mae"]
    assert len(world.client.get_metric_history(run_id, "challenger_mae")) == 1
    with pytest.raises(BadDataError, match="has decided about version"):
        world.evaluate(1, world.add_version("1"))


def test_a_worse_challenger_is_rejected_for_all_its_reasons(world):
    world.add_batch(1, 3000)
    world.add_version("1", alias="production")
    result = world.evaluate(1, world.add_version("1", error=0.1, bias=0.07))
    assert (result.code, result.summary["decision"]) == ("REJECT_WORSE", "reject")
    assert verdicts(world, "fail") == ["superiority", "rmse", "relative_error", "bias", "slices", "rest"]
    assert "raises the MAE by" in result.reason


def test_a_challenger_that_is_the_champion_again_is_no_better(world):
    world.add_batch(1, 3000)
    world.add_version("1", alias="production")
    result = world.evaluate(1, world.add_version("1"))
    assert result.code == "REJECT_NOT_BETTER"
    assert gates(world)["superiority"]["value"] == 0
    assert "it is no better than version 1" in result.reason


def test_a_challenger_that_differs_by_luck_alone_is_not_promoted(world):
    world.add_batch(1, 3000)
    world.add_version("1", alias="production", error=0.05)
    for seed in range(1, 6):
        result = world.evaluate(1, world.add_version("1", error=0.05, seed=seed), run_id=f"seed {seed}")
        assert result.summary["decision"] == "reject", result.reason


@pytest.mark.parametrize(
    ("reason", "code"), [("TRAIN_NEW_CATEGORIES", "PROMOTE_COVERAGE"), ("TRAIN_VOLUME", "REJECT_NOT_BETTER")]
)
def test_a_small_new_state_is_reason_enough_only_after_a_training_for_it(world, reason, code):
    """Cheap homes of a state where the champion is 40 % off: the MAE of all rows hardly moves."""
    world.add_batch(1, 5000)
    world.add_batch(2, 250, state="Nevada", level=0.08, zips=range(89000, 89020))
    faults = {"states": ["California"]}
    world.add_version("1", alias="production", strange=float(np.log(0.08)) + 0.4, **faults)
    result = world.evaluate(2, world.add_version("1,2", reason=reason, strange=float(np.log(0.08)), **faults))
    assert result.code == code
    found = gates(world)
    assert -0.01 < found["superiority"]["value"] < 0
    assert found["new_batch"]["ci_high"] < 0
    assert found["rest"]["value"] == 0


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        ({"nonsense": 0.02}, "REJECT_UNSOUND_ANSWERS"),
        ({"nonsense": 2.0}, "REJECT_INFRA_ERROR"),
        ({"error": 0.9}, "REJECT_BELOW_BASELINE"),
        ({"width": 0.6}, "REJECT_INTERVALS"),
        ({"width": 2.0}, "REJECT_INTERVALS"),
        ({"bias": 0.08}, "REJECT_BIAS"),
    ],
)
def test_a_first_model_with_a_fault_is_refused_by_the_gate_for_it(world, faults, code):
    world.add_batch(1, 3000)
    result = world.evaluate(1, world.add_version("1", **faults))
    assert (result.code, result.summary["decision"]) == (code, "reject")
    assert list(gates(world)) == GATES
    assert {"mae", "unsound_answers"} & set(evaluations(world)["hold-out", "challenger"]["metrics"])


def test_a_home_on_both_sides_is_leakage(world):
    world.add_batch(1, 2000)
    world.connection.execute(
        "UPDATE clean.listings SET property_key = (SELECT property_key FROM clean.listings WHERE split = 'train' LIMIT 1) "
        "WHERE row_number = (SELECT min(row_number) FROM clean.listings WHERE split = 'test')"
    )
    world.connection.commit()
    result = world.evaluate(1, world.add_version("1"))
    assert result.code == "REJECT_LEAKAGE"
    assert gates(world)["leakage"]["value"] == 1


@pytest.mark.parametrize(
    ("champion", "code"), [({"broken": True}, "MODEL_DOES_NOT_LOAD"), ({"nonsense": 2.0}, "CHAMPION_UNSOUND")]
)
def test_without_a_champion_to_compare_with_nothing_is_promoted(world, champion, code):
    world.add_batch(1, 1000)
    champion = world.add_version("1", alias="production", **champion)
    with pytest.raises(BadDataError, match="Nothing was decided") as caught:
        world.evaluate(1, world.add_version("1"))
    assert caught.value.code == code
    assert world.rows("SELECT * FROM audit.decisions") == []
    assert world.events() == []
    assert world.aliases() == {"production": champion}


def test_rows_on_which_the_champion_fails_are_left_out_of_the_comparison_and_counted(world):
    world.add_batch(1, 3000)
    world.add_version("1", alias="production", error=0.2, nonsense=0.1)
    assert world.evaluate(1, world.add_version("1")).code == "PROMOTE_BETTER"
    facts = world.rows("SELECT facts FROM audit.decisions")[0]["facts"]
    lost = evaluations(world)["hold-out", "champion"]["metrics"]["unsound_answers"]
    assert facts["compared_rows"] == facts["holdout_rows"] - lost < facts["holdout_rows"]


def test_what_is_not_known_is_not_judged(world):
    world.add_batch(1, 300)
    unknown = world.add_version("")
    cases = [
        (1, "99", "UNKNOWN_VERSION"),
        (1, unknown, "LINEAGE_UNKNOWN"),
        (7, world.add_version("1"), "BATCH_NOT_CLEANED"),
        (1, world.add_version("1", alias="production"), "ALREADY_CHAMPION"),
    ]
    for batch_id, version, code in cases:
        with pytest.raises(BadDataError) as caught:
            world.evaluate(batch_id, version)
        assert caught.value.code == code
    assert world.rows("SELECT * FROM audit.decisions") == []


def test_without_hold_out_rows_nothing_is_decided(world):
    world.add_batch(1, 100)
    world.connection.execute("DELETE FROM clean.listings WHERE split = 'test'")
    world.connection.commit()
    with pytest.raises(BadDataError) as caught:
        world.evaluate(1, world.add_version("1"))
    assert caught.value.code == "NO_HOLDOUT"
