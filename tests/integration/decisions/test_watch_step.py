"""Watching on a real PostgreSQL and a real MLflow: every trigger from what serving recorded and from homes scored now."""

import logging
import os
from pathlib import Path
from uuid import uuid4

import pytest
from continuous_training.runners.process import ProcessRunner
from ct_contract import NothingToDoError, SecretRef, TaskCall, TaskInput
from ct_evaluate.watch import watch as step
from ct_promote.rollback import rollback
from psycopg.types.json import Jsonb

pytestmark = pytest.mark.integration

ENVIRONMENTS = Path(__file__).parents[3] / ".envs"

TRIGGERS = ["serving_errors", "serving_latency", "error_new_homes", "error_real_prices"]


def promote(world, number, previous=None, hours=1.0):
    """Aliases and ledger as a promotion leaves them, some hours ago."""
    world.client.set_registered_model_alias(world.name, "production", number)
    events = [(number, "promoted")]
    if previous is not None:
        world.client.set_registered_model_alias(world.name, "previous", previous)
        events.insert(0, (previous, "demoted"))
    for version, event in events:
        world.connection.execute(
            "INSERT INTO audit.model_events (happened_at, dag_id, run_id, model_name, model_version, event) "
            "VALUES (clock_timestamp() - %s * interval '1 hour', 'before', %s, %s, %s, %s)",
            (hours, uuid4().hex, world.name, version, event),
        )
    world.connection.commit()


def served(world, number, count, *, failed=0, milliseconds=20.0, hours=0.5, rows=1, status="error", http_status=500):
    """Requests that a version was asked, some hours ago; the first ``failed`` of them without an answer."""
    with world.connection.cursor() as cursor:
        for request in range(count):
            bad = request < failed
            key = uuid4()
            cursor.executemany(
                "INSERT INTO raw.inferences (request_id, row_number, received_at, answered_at, model_name, model_version, "
                "status, http_status, input, price) "
                "SELECT %s, %s, at, at + %s * interval '1 millisecond', %s, %s, %s, %s, %s, %s "
                "FROM (SELECT clock_timestamp() - %s * interval '1 hour' AS at) AS moment",
                [
                    (key, row, milliseconds, world.name if number else None, number, status if bad else "ok",
                     http_status if bad else 200, Jsonb({"house_size": 1500, "zip_code": "90001"}), None if bad else 1.0, hours)
                    for row in range(rows)
                ],
            )  # fmt: skip
    world.connection.commit()


def watch(world, run_id="w"):
    return step(TaskInput(task="evaluate", dag_id="w", run_id=run_id, inputs={"action": "watch"}))


def gates(world):
    return {row["name"]: row for row in world.rows("SELECT * FROM audit.gates ORDER BY decision_id, position")}


def verdicts(world):
    return {name: gate["verdict"] for name, gate in gates(world).items()}


@pytest.fixture
def two(world):
    """Version 1 was in production, version 2 came in its place an hour ago; both know batch 1."""
    world.add_batch(1, 500)
    world.first, world.second = world.add_version("1"), world.add_version("1")
    promote(world, world.first, hours=30)
    promote(world, world.second, world.first)
    return world


def test_without_evidence_nothing_is_done_and_it_is_said(two):
    result = watch(two)
    assert (result.code, result.summary["decision"]) == ("WATCH_NO_EVIDENCE", "keep")
    assert "errors, with 0 of the 100 requests that it takes" in result.reason
    assert "No se juzgó: los errores, con 0 de las 100 peticiones" in result.summary["reason_es"]
    assert verdicts(two) == dict.fromkeys(TRIGGERS, "n/a")
    assert two.aliases() == {"production": two.second, "previous": two.first}


def test_a_champion_that_serves_well_stays(two):
    served(two, two.first, 120, failed=1, hours=2)
    served(two, two.second, 150)
    result = watch(two)
    assert (result.code, result.summary["champion_version"]) == ("WATCH_SOUND", two.second)
    assert verdicts(two) == {**dict.fromkeys(TRIGGERS, "n/a"), "serving_errors": "pass", "serving_latency": "pass"}
    found = gates(two)
    assert (found["serving_errors"]["value"], found["serving_errors"]["note"]["requests"]) == (0, 150)
    assert found["serving_errors"]["note"]["before"] == pytest.approx(1 / 120)
    assert found["serving_latency"]["value"] == pytest.approx(20)
    assert watch(two) == result
    assert len(two.rows("SELECT FROM audit.decisions WHERE kind = 'rollback'")) == 1


@pytest.mark.parametrize(("status", "http_status", "named"), [("error", 500, True), ("unavailable", 503, False)])
def test_errors_bring_the_previous_version_back(two, status, http_status, named):
    """Also where no version answered at all: the champion did not load."""
    served(two, two.first, 150, hours=2)
    served(two, two.second, 100)
    served(two, two.second if named else None, 20, failed=20, status=status, http_status=http_status)
    result = watch(two)
    assert (result.code, result.summary["decision"], result.summary["target_version"]) == (
        "ROLLBACK_ERRORS", "rollback", two.first,
    )  # fmt: skip
    assert "because 16.7% of its last 120 requests got no answer, 0% of those of the version before" in result.reason
    assert two.aliases()["production"] == two.second
    done = rollback(
        TaskInput(
            task="promote", dag_id="w", run_id="w", inputs={"action": "rollback", "decision_id": result.summary["decision_id"]}
        )
    )
    assert (done.code, done.reason) == ("ROLLED_BACK", result.reason)
    assert two.aliases() == {"production": two.first, "previous": two.second}
    with pytest.raises(NothingToDoError, match="by a rollback and not by a promotion") as caught:
        watch(two, "next")
    assert caught.value.code == "NOT_WATCHED"


def test_what_a_client_got_wrong_and_what_came_before_the_promotion_is_not_the_champions(two):
    served(two, two.second, 120)
    served(two, two.second, 50, failed=50, status="invalid", http_status=422)
    served(two, None, 50, failed=50, status="unavailable", http_status=503, hours=2)
    served(two, two.first, 50, failed=50, hours=0.5)
    assert watch(two).code == "WATCH_SOUND"
    assert (gates(two)["serving_errors"]["value"], gates(two)["serving_errors"]["note"]["requests"]) == (0, 120)


def test_the_last_requests_count_and_not_old_ones(two):
    """1,500 that went well, then 300 that did not: of the last 1,000 they are 30 %."""
    served(two, two.second, 1500, hours=0.8)
    served(two, two.second, 300, failed=300, hours=0.1)
    assert watch(two).code == "ROLLBACK_ERRORS"
    assert gates(two)["serving_errors"]["value"] == pytest.approx(0.3)


def test_latency_brings_the_previous_version_back(two):
    served(two, two.first, 120, hours=2)
    served(two, two.second, 120, milliseconds=700)
    result = watch(two)
    assert result.code == "ROLLBACK_LATENCY"
    assert "took up to 700 ms, those of the version before up to 20 ms" in result.reason


def test_a_machine_that_was_slow_before_is_no_slow_version_and_many_homes_at_once_are_no_slow_request(two):
    served(two, two.first, 120, milliseconds=600, hours=2)
    served(two, two.second, 120, milliseconds=700)
    served(two, two.second, 30, milliseconds=9000, rows=40)
    assert watch(two).code == "WATCH_SOUND"
    found = gates(two)["serving_latency"]
    assert (found["threshold"], found["note"]["requests"]) == (pytest.approx(1200), 120)


def world_with_error(world, error):
    """Version 1 is right about batch 2, version 2 is ``error`` worse; neither was trained on it."""
    world.add_batch(1, 500)
    world.add_batch(2, 1500, relisted=range(1_000_000, 1_000_020))
    world.first, world.second = world.add_version("1"), world.add_version("1", error=error)
    promote(world, world.first, hours=30)
    promote(world, world.second, world.first)


def test_an_error_on_new_homes_that_is_provably_larger_brings_the_previous_version_back(world):
    world_with_error(world, 0.3)
    result = watch(world)
    assert result.code == "ROLLBACK_QUALITY"
    gate = gates(world)["error_new_homes"]
    assert gate["note"]["rows"] == 1480
    assert 0.05 < gate["ci_low"] < gate["value"] < gate["ci_high"]
    assert "on 1,480 homes that are new to both" in result.reason


def test_a_champion_that_errs_less_on_new_homes_stays(world):
    world_with_error(world, 0.3)
    promote(world, world.first, world.second, hours=0.5)
    result = watch(world)
    assert result.code == "WATCH_SOUND"
    assert "it errs" in result.reason
    assert gates(world)["error_new_homes"]["value"] < 0


def test_batches_that_one_of_the_two_was_trained_on_are_not_new(world):
    world.add_batch(1, 500)
    world.add_batch(2, 1500)
    first, second = world.add_version("1"), world.add_version("1,2", error=0.3)
    promote(world, first, hours=30)
    promote(world, second, first)
    assert watch(world).code == "WATCH_NO_EVIDENCE"
    assert gates(world)["error_new_homes"]["note"]["rows"] == 0


def test_real_prices_that_came_back_are_compared_too(world):
    world.add_batch(1, 500)
    first, second = world.add_version("1"), world.add_version("1", error=0.3)
    promote(world, first, hours=30)
    promote(world, second, first)
    with world.connection.cursor() as cursor:
        for number in range(300):
            zip_code, size, key = 90000 + number % 40, 1000.0 + number, uuid4()
            cursor.execute(
                "INSERT INTO raw.inferences (request_id, row_number, received_at, answered_at, model_name, model_version, "
                "status, http_status, input) VALUES (%s, 0, now(), now(), %s, %s, 'ok', 200, %s)",
                (key, world.name, second, Jsonb({"house_size": size, "bed": 3, "zip_code": zip_code})),
            )
            for price in (1.0, size * (100 + zip_code % 40 * 5) * (1.1 if number % 2 else 0.9)):
                cursor.execute("INSERT INTO raw.feedback (request_id, actual_price) VALUES (%s, %s)", (key, price))
    world.connection.commit()
    result = watch(world)
    gate = gates(world)["error_real_prices"]
    assert (gate["note"]["rows"], gate["note"]["areas"]) == (300, 40)
    assert result.code == "ROLLBACK_QUALITY"
    assert "on 300 answers whose real price came back" in result.reason
    assert verdicts(world)["error_new_homes"] == "n/a"


def test_a_first_model_has_nothing_to_go_back_to_and_that_is_said(world):
    world.add_batch(1, 500)
    only = world.add_version("1")
    promote(world, only)
    served(world, only, 120, failed=60)
    result = watch(world)
    assert (result.code, result.summary["decision"], result.summary["target_version"]) == ("WATCH_NO_TARGET", "keep", None)
    assert "there is no version to go back to" in result.reason


def test_a_version_that_was_rolled_back_from_is_no_target(two):
    two.note(two.first, "withdrawn")
    served(two, two.second, 120, failed=60)
    result = watch(two)
    assert result.code == "WATCH_NO_TARGET"
    assert f"version {two.first}, the version before, was taken out of production itself" in result.reason


def test_a_version_that_does_not_load_is_no_target_and_does_not_hide_errors(world):
    world.add_batch(1, 500)
    world.add_batch(2, 500)
    first, second = world.add_version("1", broken=True), world.add_version("1")
    promote(world, first, hours=30)
    promote(world, second, first)
    served(world, second, 120, failed=60)
    result = watch(world)
    assert result.code == "WATCH_NO_TARGET"
    assert "the version before, does not load" in result.reason
    assert verdicts(world)["serving_errors"] == "fail"
    assert verdicts(world)["error_new_homes"] == "n/a"


def test_the_watch_ends_after_its_hours(world):
    only = world.add_version("1")
    promote(world, only, hours=73)
    with pytest.raises(NothingToDoError, match="more than 72 hours ago") as caught:
        watch(world)
    assert caught.value.code == "WATCH_OVER"
    assert world.rows("SELECT FROM audit.decisions") == []


def test_without_a_champion_there_is_nothing_to_watch(world):
    with pytest.raises(NothingToDoError) as caught:
        watch(world)
    assert caught.value.code == "NO_CHAMPION"


def test_a_champion_that_a_person_put_there_is_flagged_and_not_watched(two):
    two.client.set_registered_model_alias(two.name, "production", two.first)
    for run_id in ("w", "w", "next"):
        with pytest.raises(NothingToDoError, match="by hand and not by a promotion") as caught:
            watch(two, run_id)
        flagged = [{"alias": "production", "was": two.second, "to": two.first}] if run_id == "w" else []
        assert caught.value.summary["aliases_moved"] == flagged
    assert two.rows("SELECT model_version FROM audit.model_events WHERE event = 'alias_moved_by_hand'") == [
        {"model_version": two.first}
    ]


def test_the_next_evaluation_compares_with_the_champion_that_a_person_put_there(two):
    two.add_batch(2, 500)
    two.client.set_registered_model_alias(two.name, "production", two.first)
    challenger = two.add_version("1,2", alias="challenger")
    result = two.evaluate(2, challenger)
    assert result.summary["champion_version"] == two.first
    assert result.summary["aliases_moved"] == [{"alias": "production", "was": two.second, "to": two.first}]
    assert "alias_moved_by_hand" in [event for _, event in two.events()]


def test_each_shipped_policy_watches_and_none_makes_a_line_of_the_history(two, monkeypatch):
    for name in ("strict", "course-2025", "course-2026"):
        monkeypatch.setenv("CT_POLICY", name)
        assert watch(two, name).code == "WATCH_NO_EVIDENCE"
    assert [row["policy_name"] for row in two.rows("SELECT policy_name FROM audit.decisions ORDER BY decided_at")] == [
        "strict", "course-2025", "course-2026",
    ]  # fmt: skip
    assert two.rows("SELECT FROM audit.history WHERE dag_id = 'w'") == []


def started(task, **inputs):
    """The result of a step that is a process of its image's own environment, as an operator starts it."""
    payload = TaskInput(task=task, dag_id="w", run_id="process", inputs=inputs)
    call = TaskCall(
        image=task, command=("python", "-m", f"ct_{task}"), payload=payload,
        env={name: os.environ[name] for name in ("MLFLOW_TRACKING_URI", "CT_MODEL_NAME")},
        secrets=(SecretRef(name="CT_DATABASE_URL", secret="database", key="url"),),
    )  # fmt: skip
    outcome = ProcessRunner(ENVIRONMENTS).run(call, log=logging.getLogger("test"))
    assert outcome.result is not None, outcome.describe()
    return outcome.result


def test_a_watch_and_its_rollback_in_the_images_environments(world):
    world_with_error(world, 0.3)
    judged = started("evaluate", action="watch")
    assert (judged.code, judged.summary["decision"]) == ("ROLLBACK_QUALITY", "rollback")
    done = started("promote", action="rollback", decision_id=judged.summary["decision_id"])
    assert (done.code, done.reason, done.summary["reason_es"]) == ("ROLLED_BACK", judged.reason, judged.summary["reason_es"])
    assert world.aliases() == {"production": world.first, "previous": world.second}
    rows = world.rows("SELECT model_version, event FROM audit.model_events WHERE dag_id = 'w' ORDER BY event_id")
    assert [(row["model_version"], row["event"]) for row in rows] == [(world.second, "withdrawn"), (world.first, "rolled_back")]
    assert started("evaluate", action="watch").code == "ROLLBACK_QUALITY"
