"""The gates about the artefact and those that ask a person, on a real PostgreSQL and a real MLflow."""

import uuid
from importlib.metadata import version as installed

import numpy as np
import pytest
import yaml
from ct_contract import BadDataError, TaskInput
from ct_decisions.policy import POLICIES
from ct_decisions.reasons import render
from ct_promote.step import promote
from ct_store.ledger import find_decision
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

pytestmark = pytest.mark.integration

PLAIN = {"house_size": 1500, "bed": 3, "zip_code": 90001, "state": "California", "status": "for_sale"}


def gate(world, name, run_id="r"):
    decision = find_decision(world.connection, dag_id="d", run_id=run_id, kind="promotion")
    world.connection.commit()
    return next(line for line in decision["gates"] if line["name"] == name)


def with_policy(monkeypatch, tmp_path, **changes):
    """strict with some of its promotion thresholds changed."""
    content = yaml.safe_load((POLICIES / "strict.yaml").read_text())
    content["promotion"].update(changes)
    file = tmp_path / f"{uuid.uuid4().hex}.yaml"
    file.write_text(yaml.safe_dump(content))
    monkeypatch.setenv("CT_POLICY", str(file))


def carry_out(result, action):
    inputs = {
        "batch_id": 1, "action": action, "decision_id": result.summary["decision_id"],
        "model_version": result.summary["challenger_version"],
    }  # fmt: skip
    return promote(TaskInput(task="promote", dag_id="d", run_id=result.run_id, inputs=inputs))


def test_four_faults_are_refused_with_four_codes_and_the_alias_does_not_move(world, monkeypatch, tmp_path):
    """All of them err less than the champion: only the gates about the artefact stand between them and production."""
    with_policy(monkeypatch, tmp_path, latency_ms=60)
    world.add_batch(1, 2000)
    champion = world.add_version("1", alias="production", error=0.2)
    faults = {
        "wrong library": {"requirements": ["catboost==1.2.5"]},
        "no signature": {"signature": None},
        "NaN": {"nonsense": 2.0},
        "slow": {"slow": 0.08},
    }
    results = {}
    for name, fault in faults.items():
        version = world.add_version("1", alias="challenger", **fault)
        results[name] = world.evaluate(1, version, run_id=name)
        assert carry_out(results[name], results[name].summary["decision"]).code == "REJECTED"
        assert world.aliases() == {"production": champion}
    assert {name: result.code for name, result in results.items()} == {
        "wrong library": "REJECT_INFRA_LOAD",
        "no signature": "REJECT_SIGNATURE",
        "NaN": "REJECT_INFRA_ERROR",
        "slow": "REJECT_INFRA_LATENCY",
    }
    assert f"catboost 1.2.5 ≠ {installed('catboost')}" in results["wrong library"].reason
    for name, result in results.items():
        assert result.reason != result.summary["reason_es"]
        decision = find_decision(world.connection, dag_id="d", run_id=name, kind="promotion")
        failed = {line["name"] for line in decision["gates"] if line["verdict"] == "fail"}
        headline = next(line for line in decision["gates"] if line["code"] == result.code and line["verdict"] == "fail")
        assert headline["value"] > headline["threshold"]
        assert failed <= {"libraries", "signature", "requests", "latency", "sound_answers", "parity"}
        assert len(decision["gates"]) == 30
    assert [event for event in world.events() if event[1] in ("promoted", "demoted")] == []
    assert gate(world, "latency", "slow")["value"] > 80


def test_a_challenger_that_does_not_load_is_rejected_in_its_own_words(world):
    world.add_batch(1, 1000)
    world.add_version("1", alias="production")
    result = world.evaluate(1, world.add_version("1", broken=True))
    assert result.code == "REJECT_INFRA_LOAD"
    assert "RuntimeError: this model was damaged" in result.reason
    assert gate(world, "requests")["verdict"] == gate(world, "superiority")["verdict"] == "n/a"
    assert gate(world, "signature")["verdict"] == "pass"


def test_a_model_that_refuses_what_the_api_allows_to_be_absent_is_no_model_for_the_api(world):
    """Every home of the hold-out has a size, so that the metrics see nothing."""
    world.add_batch(1, 1000)
    result = world.evaluate(1, world.add_version("1", refuses=True, golden="none"))
    assert result.code == "REJECT_LINEAGE_INCOMPLETE"
    assert "its answers in training" in result.reason
    requests = gate(world, "requests")
    assert (requests["verdict"], requests["value"]) == ("fail", 2), "the home of which nothing is known, and the one without"
    assert requests["note"]["error"] == "ValueError: a home needs a size"
    assert gate(world, "parity")["verdict"] == "n/a"


def test_answers_that_differ_from_training_or_from_each_other_are_refused(world):
    world.add_batch(1, 1000)
    answer = 1500 * 105 * np.exp([0.0, -0.329, 0.329]) / 1.00002
    golden = {"requests": [{"house_size": 1500.0, "zip_code": "90001"}], "answers": [answer.tolist()]}
    version = world.add_version("1", golden=golden)
    result = world.evaluate(1, version, run_id="parity")
    assert result.code == "REJECT_INFRA_PARITY"
    assert gate(world, "parity", "parity")["value"] == pytest.approx(0.00002)
    assert gate(world, "repeatability", "parity")["value"] == 0
    result = world.evaluate(1, world.add_version("1", drift=0.0001), run_id="drift")
    assert gate(world, "repeatability", "drift")["verdict"] == "fail"
    assert gate(world, "repeatability", "drift")["code"] == "REJECT_INFRA_PARITY"


def test_inputs_that_the_api_does_not_send_or_that_identify_a_home_are_refused(world):
    world.add_batch(1, 1000)
    inputs = [
        ColSpec(DataType.double, "house_size", required=False), ColSpec(DataType.long, "bed", required=False),
        ColSpec(DataType.string, "zip_code", required=False), ColSpec(DataType.string, "state", required=True),
        ColSpec(DataType.string, "status", required=False), ColSpec(DataType.double, "street", required=False),
    ]  # fmt: skip
    wrong = ModelSignature(inputs=Schema(inputs), outputs=Schema([ColSpec(DataType.double, "price")]))
    result = world.evaluate(1, world.add_version("1", signature=wrong))
    assert result.code == "REJECT_LEAKAGE"
    assert gate(world, "identifiers")["note"]["values"] == ["street"]
    assert gate(world, "signature")["note"]["values"] == [
        "bed: long ≠ double", "state: required", "street: double", "price_low: -", "price_high: -",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("tags", "missing"),
    [
        ({"ct.git_sha": "unknown", "ct.image": "none"}, ["code"]),
        ({"ct.seed": "", "ct.policy": "", "ct.retrain_decision_id": ""}, ["seed", "policy", "retrain_decision"]),
        ({"ct.test_digest": ""}, ["data"]),
    ],
)
def test_what_is_not_known_of_a_challenger_keeps_it_from_production(world, tags, missing):
    world.add_batch(1, 1000)
    result = world.evaluate(1, world.add_version("1", tags=tags))
    assert result.code == "REJECT_LINEAGE_INCOMPLETE"
    assert gate(world, "lineage")["note"]["missing"] == missing


def test_the_name_of_an_image_says_which_code_it_was_unless_the_policy_wants_a_digest(world, monkeypatch, tmp_path):
    world.add_batch(1, 1000)
    version = world.add_version("1", tags={"ct.git_sha": "unknown"})
    assert world.evaluate(1, version, run_id="name").code == "PROMOTE_FIRST_MODEL"
    with_policy(monkeypatch, tmp_path, lineage=["image_digest"])
    assert world.evaluate(1, version, run_id="digest").code == "REJECT_LINEAGE_INCOMPLETE"


def test_answers_of_many_people_do_not_change_by_much_without_a_person(world, monkeypatch, tmp_path):
    """The champion prices homes of Nevada at three times their worth; most people ask about Nevada."""
    with_policy(monkeypatch, tmp_path, blast_share=0.25)
    world.add_batch(1, 3000)
    champion = world.add_version("1", alias="production", error=0.1, states=["California"], strange=1.1)
    version = world.add_version("1", alias="challenger", states=["California"])
    plain = [PLAIN] * 150
    world.add_inferences([*plain, *[{**PLAIN, "zip_code": " 90001 ", "state": "Nevada", "bed": "3"}] * 100])
    result = world.evaluate(1, version)
    assert (result.code, result.summary["outcome"], result.summary["decision"]) == ("HOLD_APPROVAL_BLAST", "hold", "hold")
    blast = gate(world, "blast_radius")
    assert (blast["value"], blast["verdict"], blast["note"]) == (0.4, "hold", {"requests": 250, "move": 0.2, "moved": 0.4})
    assert gate(world, "requests")["note"] == {"requests": 204, "golden": 4, "replayed": 200}
    assert "40% of the last 250 answers would change by more than 20%" in result.reason
    decision = find_decision(world.connection, dag_id="d", run_id="r", kind="promotion")
    assert (decision["outcome"], decision["facts"]["would_be"]) == ("hold", "PROMOTE_BETTER")
    assert result.reason == render(decision, "en")
    for action in ("promote", "reject"):
        with pytest.raises(BadDataError, match="nobody's answer was given"):
            carry_out(result, action)
    assert world.aliases() == {"production": champion, "challenger": version}
    assert world.events() == [(version, "promotion_decided")]


def test_the_question_shows_reasons_and_every_judged_gate_in_both_languages(world, monkeypatch, tmp_path):
    with_policy(monkeypatch, tmp_path, approval=True)
    world.add_batch(1, 1000)
    version = world.add_version("1")
    result = world.evaluate(1, version)
    asked = result.summary["question"]
    assert asked["subject"] == f"Promote version {version}? · ¿Promover la versión {version}?"
    assert result.reason in asked["body"]
    assert result.summary["reason_es"] in asked["body"]
    gates = find_decision(world.connection, dag_id="d", run_id="r", kind="promotion")["gates"]
    for line in gates:
        assert asked["body"].count(f"(`{line['name']}`)") == (0 if line["verdict"] == "n/a" else 2)
    assert len(result.to_json()) < 20_000, "far from the 32 KiB that a result may have"
    tags = world.client.get_model_version(world.name, version).tags
    assert (tags["stage"], tags["ct.decision"], tags["ct.reason_text"]) == ("held", "hold", result.reason)


def test_a_policy_that_asks_a_person_every_time_holds_what_is_better(world, monkeypatch, tmp_path):
    with_policy(monkeypatch, tmp_path, approval=True)
    world.add_batch(1, 1000)
    result = world.evaluate(1, world.add_version("1"))
    assert (result.code, result.summary["outcome"]) == ("HOLD_APPROVAL", "hold")


def test_a_model_far_better_on_batches_that_the_champion_knows_waits_for_a_person(world):
    """Twice the noise is a champion from the same rows: such a leap has a reason that somebody should see."""
    world.add_batch(1, 3000)
    world.add_version("1", alias="production", error=0.6)
    result = world.evaluate(1, world.add_version("1"))
    assert result.code == "HOLD_TOO_GOOD"
    assert gate(world, "too_good")["value"] > 0.15


def test_a_slice_that_gets_worse_is_named_though_the_whole_gets_better(world):
    """Oregon's homes are cheap: a challenger that prices them 30 % too high has the lower MAE all the same."""
    world.add_batch(1, 4000)
    world.add_batch(2, 1500, state="Oregon", level=0.3, zips=range(97000, 97040))
    faults = {"states": ["California"]}
    world.add_version("1,2", alias="production", error=0.15, strange=float(np.log(0.3)), **faults)
    result = world.evaluate(2, world.add_version("1,2", strange=float(np.log(0.3)) + 0.26, **faults))
    assert gate(world, "superiority")["verdict"] == "pass"
    slices = gate(world, "slices")
    assert (slices["verdict"], slices["code"]) == ("fail", "REJECT_SLICE")
    assert slices["note"]["value"] == "Oregon"
    assert slices["ci_low"] > slices["threshold"]
    assert "in the state Oregon" in result.reason
