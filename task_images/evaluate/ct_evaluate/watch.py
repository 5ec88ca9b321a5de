"""Watch the champion after its promotion: judge every trigger of a rollback, decide, and record both.

Nothing is moved here; the promote image carries out what was decided.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from ct_contract import BadDataError, NothingToDoError, TaskInput, TaskResult
from ct_decisions import rollback as triggers
from ct_decisions.evidence import Gate
from ct_decisions.once import decide_once
from ct_decisions.policy import Policy, load_policy
from ct_decisions.reasons import render
from ct_decisions.reconcile import read_ledger, reconcile
from ct_decisions.registry import PREVIOUS, PRODUCTION, Registry, Version
from ct_decisions.standing import MOVED_BY_HAND, ROLLED_BACK, standing
from ct_store.connection import Connection, connect
from ct_store.ledger import record_decision

from ct_evaluate.rivals import Rivals, errors_on_new_homes, errors_on_real_prices
from ct_evaluate.served import real_prices, requests_before, requests_since

log = logging.getLogger(__name__)

KIND = "rollback"

_CAME_BY = {ROLLED_BACK: "a rollback", MOVED_BY_HAND: "hand"}


def watch(payload: TaskInput) -> TaskResult:
    """Record the run's decision about the champion, or find it recorded.

    The summary's ``decision`` is ``rollback`` or ``keep``. Raises NothingToDoError if there is no champion, if it did not
    come into production by a promotion, or if its time of being watched is over; TryLaterError if MLflow or PostgreSQL is away.
    """
    registry = Registry()
    with connect("watch") as connection:
        moved = reconcile(connection, registry, payload)
        decision = decide_once(connection, payload, KIND, lambda: _decide(connection, payload, registry, moved))
    if decision["code"] == "WATCH_NO_TARGET":
        log.error("%s", render(decision, "en"))
    return TaskResult(
        task=payload.task,
        run_id=payload.run_id,
        code=decision["code"],
        reason=render(decision, "en"),
        summary={
            "decision": decision["outcome"],
            "decision_id": str(decision["decision_id"]),
            "champion_version": decision["champion_version"],
            "target_version": decision["challenger_version"],
            "aliases_moved": moved,
            "reason_es": render(decision, "es"),
        },
    )


def _decide(connection: Connection, payload: TaskInput, registry: Registry, moved: list[dict[str, Any]]) -> None:
    policy = load_policy()
    champion = registry.by_alias(PRODUCTION)
    if champion is None:
        raise NothingToDoError(
            "NO_CHAMPION", "no version is in production, so there is none to watch.", {"aliases_moved": moved}
        )
    ledger = read_ledger(connection, registry.name)
    promoted_at = _promoted_at(connection, ledger, champion, policy, moved)
    previous = registry.by_alias(PREVIOUS)
    if previous is not None and previous.number == champion.number:
        previous = None
    gates = _judge(connection, registry, champion, previous, since=promoted_at, policy=policy)
    refused = None
    if previous is not None and any(gate.verdict == "fail" for gate in gates):
        refused = "withdrawn" if previous.number in standing(ledger).withdrawn else _broken(registry, previous)
    verdict = triggers.decide(gates, target=previous.number if previous else None, refused=refused)
    for gate in gates:
        log.info("%s: %s (limit %s): %s", gate.name, gate.value, gate.threshold, gate.verdict)
    record_decision(
        connection,
        dag_id=payload.dag_id,
        run_id=payload.run_id,
        kind=KIND,
        outcome=verdict.outcome,
        code=verdict.code,
        policy=policy.identity,
        champion_version=champion.number,
        challenger_version=previous.number if previous else None,
        facts={**verdict.facts, "promoted_at": promoted_at.isoformat()},
        gates=[gate.as_row() for gate in gates],
    )


def _promoted_at(
    connection: Connection, ledger: list[dict[str, Any]], champion: Version, policy: Policy, moved: list[dict[str, Any]]
) -> datetime:
    """When the champion was promoted. Raises NothingToDoError if it is not to be watched (any more)."""
    came = next((line for line in reversed(ledger) if _came_to_production(line, champion.number)), None)
    said = {"aliases_moved": moved}
    if came is None or came["event"] != "promoted":
        way = _CAME_BY[came["event"]] if came else "a way that the ledger does not know"
        raise NothingToDoError(
            "NOT_WATCHED",
            f"version {champion.number} came into production by {way} and not by a promotion, so it is not watched. Nothing "
            "was changed.",
            said,
        )
    promoted_at: datetime = came["happened_at"]
    hours = policy.rollback.window_hours
    row = connection.execute("SELECT clock_timestamp() AS now").fetchone()
    if row is None or row["now"] - promoted_at > timedelta(hours=hours):
        raise NothingToDoError(
            "WATCH_OVER",
            f"version {champion.number} was promoted at {promoted_at.isoformat(timespec='seconds')}, more than {hours:g} hours "
            "ago, and is not watched any more. Nothing was changed.",
            said,
        )
    return promoted_at


def _came_to_production(line: dict[str, Any], number: str) -> bool:
    if line["event"] == MOVED_BY_HAND:
        return any(move["alias"] == PRODUCTION and move["to"] == number for move in line["details"]["moves"])
    return line["event"] in ("promoted", ROLLED_BACK) and line["model_version"] == number


def _judge(
    connection: Connection, registry: Registry, champion: Version, previous: Version | None, *, since: datetime, policy: Policy
) -> list[Gate]:
    """Every trigger, whichever of them fails."""
    limits, confidence, most = policy.rollback, policy.bootstrap.confidence, policy.rollback.recent_requests
    now = requests_since(connection, registry.name, champion.number, since, most)
    before = triggers.Requests()
    on_new_homes = on_real_prices = triggers.Errors()
    if previous is not None:
        before = requests_before(connection, registry.name, previous.number, since, most)
        rivals = Rivals(registry, champion, previous)
        on_new_homes = _unless_broken(lambda: errors_on_new_homes(connection, rivals, policy))
        on_real_prices = _unless_broken(lambda: errors_on_real_prices(rivals, real_prices(connection, since), policy))
    return [
        triggers.errors(limits, now, before, confidence),
        triggers.latency(limits, now, before, confidence),
        triggers.quality(limits, triggers.NEW_HOMES, on_new_homes),
        triggers.quality(limits, triggers.REAL_PRICES, on_real_prices),
    ]


def _unless_broken(measure: Callable[[], triggers.Errors]) -> triggers.Errors:
    """A version that does not load here cannot be compared, and what was served of it is judged none the less."""
    try:
        return measure()
    except BadDataError as error:
        log.error("%s: %s The two versions were not compared.", error.code, error.message)  # noqa: TRY400 - the words say it
        return triggers.Errors()


def _broken(registry: Registry, target: Version) -> triggers.Refused | None:
    """Whether the version to go back to could not serve: serving would refuse it, and keep the one that is to go."""
    try:
        registry.load(target)
    except BadDataError as error:
        log.error("%s: %s", error.code, error.message)  # noqa: TRY400 - the words say it
        return "broken"
    return None
