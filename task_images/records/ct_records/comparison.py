"""``policy compare``: the recorded decisions beside those of another policy, with the sentence of each that differs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ct_contract import BadDataError, ContractError
from ct_decisions.compare import Row, compare, count
from ct_decisions.policy import POLICIES, Policy, load_policy, parse_policy
from ct_decisions.reasons import render
from ct_decisions.redecide import Answer
from ct_store.connection import connect

from ct_records.answers import ANSWERED, DIFFERENT, NO_ANSWER, as_json, table
from ct_records.history import read_history
from ct_records.texts import TEXTS

SIGNS = {"same": "=", "different": "≠", "unknown": "?"}


def answer_compare(inputs: Mapping[str, Any]) -> int:
    """Print the comparison; 0 if all is the same, 10 if something differs, 2 if nothing does and not all can be known.

    ``other`` and perhaps ``base`` are policies: ``{"name": ...}`` or ``{"source": ..., "text": ...}``; without ``base`` the
    other side is what was recorded. Raises PolicyError, ContractError, and BadDataError if nothing was ever decided.
    """
    language = str(inputs.get("language") or "en")
    if language not in TEXTS:
        raise ContractError(f"language is {language!r}, expected one of {', '.join(TEXTS)}")
    other = _policy(inputs.get("other"))
    base = _policy(inputs["base"]) if inputs.get("base") else None
    with connect("policy compare") as connection:
        connection.read_only = True
        history = read_history(connection)
    if not history:
        raise BadDataError("NO_HISTORY", "no decision was recorded yet, so there is nothing to compare")
    shipped = [load_policy(file.stem) for file in sorted(POLICIES.glob("*.yaml"))]
    rows = compare(history, other, base, shipped)
    lines = [as_json(_document(rows, other, base))] if inputs.get("json") else _lines(rows, other, base, language)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    found = count(rows)
    return DIFFERENT if found["different"] else NO_ANSWER if found["unknown"] else ANSWERED


def _policy(given: Any) -> Policy:
    if isinstance(given, Mapping) and "text" in given:
        return parse_policy(str(given["text"]), str(given.get("source") or "the policy"))
    if isinstance(given, Mapping) and given.get("name"):
        return load_policy(str(given["name"]))
    raise ContractError("a policy is given by its name or by its text")


def sentence(answer: Answer, language: str, *, recorded: bool = False) -> str:
    """What was or would be decided, or why it cannot be known."""
    if answer.decision is not None:
        return render(answer.decision, language)
    texts = TEXTS[language]
    sentences: Mapping[str, str] = texts["obstacles"]
    details: dict[str, Any] = {
        name: ", ".join(map(str, value)) if isinstance(value, list) else value for name, value in answer.details.items()
    }
    for name in ("champion", "recorded"):
        version = details.get(name)
        details[name] = texts["no_model"] if version is None else texts["version"].format(version)
    key = f"{answer.obstacle}:recorded" if recorded and f"{answer.obstacle}:recorded" in sentences else answer.obstacle
    return sentences[key].format_map(details)


def _lines(rows: Sequence[Row], other: Policy, base: Policy | None, language: str) -> Iterator[str]:
    texts = TEXTS[language]
    names = [texts["recorded"] if base is None else _name(base), _name(other)]
    cells = [[*texts["heads"], names[0], "", names[1]]]
    for row in rows:
        batch = "" if row.batch is None else str(row.batch)
        answers = [_cell(row.left, texts), SIGNS[row.change], _cell(row.right, texts)]
        cells.append([row.of["run_id"], batch, texts["kinds"][row.kind], *answers])
    head, *printed = table(cells)
    yield head
    for line, row in zip(printed, rows, strict=True):
        yield line
        if row.change != "same":
            yield f"    {names[0]}: {sentence(row.left, language, recorded=base is None)}"
            yield f"    {names[1]}: {sentence(row.right, language)}"
    yield texts["counts"].format(all=len(rows), **count(rows))


def _name(policy: Policy) -> str:
    return f"{policy.name} {policy.version}"


def _cell(answer: Answer, texts: Mapping[str, Any]) -> str:
    outcome = texts["outcomes"].get(answer.outcome, answer.outcome) if answer.is_known else texts["unknown"]
    return f"{outcome} {answer.code}"


def _document(rows: Sequence[Row], other: Policy, base: Policy | None) -> dict[str, Any]:
    return {
        "left": "recorded" if base is None else base.identity,
        "right": other.identity,
        "rows": [
            {
                **{name: row.of[name] for name in ("dag_id", "run_id", "batch_id")},
                "batch_number": row.batch,
                "kind": row.kind,
                "change": row.change,
                "left": _side(row.left, recorded=base is None),
                "right": _side(row.right),
            }
            for row in rows
        ],
        "counts": count(rows),
    }


def _side(answer: Answer, *, recorded: bool = False) -> dict[str, Any]:
    return {
        "outcome": answer.outcome or None,
        "code": answer.code,
        "reason": sentence(answer, "en", recorded=recorded),
        "reason_es": sentence(answer, "es", recorded=recorded),
        "details": dict(answer.details),
    }
