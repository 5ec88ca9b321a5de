"""``lineage``: from a model version to all that it comes from, and from a batch to the versions that were trained on it.

One query of ``audit.lineage`` and, for what MLflow alone knows (aliases and tags of today), one look into the registry.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ct_contract import BadDataError, ContractError, StepError
from ct_decisions.reasons import render
from ct_decisions.registry import Registry, model_name
from ct_store.connection import Connection, connect
from ct_store.ledger import with_evidence

from ct_records.answers import ANSWERED, as_json, table
from ct_records.texts import TEXTS

log = logging.getLogger(__name__)

OF_VERSION = "SELECT * FROM audit.lineage WHERE model_name = %s AND model_version = %s ORDER BY batch_id"
OF_BATCH = "SELECT * FROM audit.lineage WHERE batch_number = %s ORDER BY stream, batch_id, registered_at"

VERSION_COLUMNS = (
    "model_name", "model_version", "trained_by_dag", "trained_by_run", "registered_at", "code_version", "train_image", "seed",
    "mlflow_run_id", "data_digests", "retrain_decision_id", "retrain_code", "policy_name", "policy_version", "policy_digest",
    "promotion_decision_id", "promotion_outcome", "promotion_code", "compared_to", "gates", "events",
)  # fmt: skip
"""What the view says of a version; the rest of a line is about a batch."""

Line = Mapping[str, Any]


def answer_lineage(inputs: Mapping[str, Any]) -> int:
    """Print it. ``of`` is version or batch, ``key`` the version, or the batch's number as sentences name it.

    Raises ContractError for other inputs, BadDataError (UNKNOWN_VERSION, UNKNOWN_BATCH) for what the record does not know.
    """
    language, kind, key = str(inputs.get("language") or "en"), inputs.get("of"), str(inputs.get("key") or "")
    if language not in TEXTS:
        raise ContractError(f"language is {language!r}, expected one of {', '.join(TEXTS)}")
    if kind not in ("version", "batch"):
        raise ContractError(f"of is {kind!r}, expected version or batch")
    with connect("lineage") as connection:
        connection.read_only = True
        if kind == "version":
            document = of_version(connection, key)
            lines = version_lines(document, language)
        else:
            document = of_batch(connection, key)
            lines = batch_lines(document, language)
    sys.stdout.write(f"{as_json(document)}\n" if inputs.get("json") else "".join(f"{line}\n" for line in lines))
    return ANSWERED


def of_version(connection: Connection, number: str) -> dict[str, Any]:
    """A version, its decisions with their sentences, its batches, and what MLflow says of it today."""
    lines = connection.execute(OF_VERSION, (model_name(), number)).fetchall()
    if not lines:
        raise BadDataError("UNKNOWN_VERSION", f"the ledger knows no version {number!r} of {model_name()}")
    version = {name: lines[0][name] for name in VERSION_COLUMNS}
    return {
        **version,
        "decisions": {
            kind: _sentences(connection, version[f"{kind}_decision_id"])
            for kind in ("retrain", "promotion")
            if version[f"{kind}_decision_id"]
        },
        "batches": [_batch(line) for line in lines if line["batch_id"] is not None],
        "mlflow": _registry(number),
    }


def of_batch(connection: Connection, number: str) -> dict[str, Any]:
    """The batches of this number, one of each stream, with their decisions and the versions that were trained on them."""
    lines = connection.execute(OF_BATCH, (int(number),)).fetchall() if number.isdigit() else []
    if not lines:
        raise BadDataError("UNKNOWN_BATCH", f"RAW holds no batch of the number {number!r}")
    batches: dict[Any, dict[str, Any]] = {}
    for line in lines:
        batch = batches.setdefault(line["batch_id"], {**_batch(line), "versions": []})
        if line["model_version"] is not None:
            batch["versions"].append({name: line[name] for name in VERSION_COLUMNS} | {"is_trigger": line["is_trigger"]})
    for batch in batches.values():
        decisions = batch["batch_decisions"] or ()
        batch["batch_decisions"] = [{**line, **_sentences(connection, line["decision_id"])} for line in decisions]
    return {"batches": list(batches.values())}


def _batch(line: Line) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name not in VERSION_COLUMNS}


def _sentences(connection: Connection, decision_id: Any) -> dict[str, str]:
    row = connection.execute("SELECT * FROM audit.decisions WHERE decision_id = %s", (decision_id,)).fetchone()
    if row is None:
        return {}
    whole = with_evidence(connection, row)
    return {"code": row["code"], "reason": render(whole, "en"), "reason_es": render(whole, "es")}


def _registry(number: str) -> dict[str, Any] | None:
    """Aliases and tags of a version; None where MLflow is not named, does not answer or does not hold it."""
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        log.warning("MLFLOW_TRACKING_URI is not set: tags and aliases are left out")
        return None
    from mlflow.exceptions import MlflowException

    try:
        registry = Registry()
        version = registry.by_number(number)
        if version is None:
            log.warning("MLflow holds no version %s of %s any more", number, registry.name)
            return None
        aliases = registry.client.get_registered_model(registry.name).aliases
    except (StepError, MlflowException) as error:
        log.warning("MLflow: %s Tags and aliases are left out", error)
        return None
    return {"aliases": sorted(name for name, of in aliases.items() if str(of) == number), "tags": dict(version.tags)}


def version_lines(document: Mapping[str, Any], language: str) -> Iterator[str]:
    """The version for a person."""
    texts = TEXTS[language]["lineage"]
    registry = document["mlflow"] or {}
    yield texts["version"].format(document["model_version"], document["model_name"])
    facts = {
        "registered": document["registered_at"].isoformat(timespec="seconds"),
        "run": f"{document['trained_by_dag']} / {document['trained_by_run']}",
        "code": document["code_version"],
        "image": document["train_image"],
        "seed": document["seed"],
        "mlflow_run": document["mlflow_run_id"],
        "policy": " ".join(str(document[f"policy_{name}"]) for name in ("name", "version", "digest")),
        "aliases": ", ".join(registry.get("aliases", ())),
    }
    yield from _facts(facts, texts)
    yield from _facts({f"{texts['digest']} {split}": sha for split, sha in (document["data_digests"] or {}).items()}, texts)
    for kind, told in document["decisions"].items():
        yield f"{texts[kind]}: {told['code']}"
        yield f"  {told['reason' if language == 'en' else 'reason_es']}"
    if document["gates"]:
        yield texts["gates"]
        yield from table([_gate(gate) for gate in document["gates"]], "  ")
    yield texts["events"]
    yield from table([[str(e["at"])[:19], e["event"], e["run_id"]] for e in document["events"]], "  ")
    for batch in document["batches"]:
        yield ""
        yield from _batch_lines(batch, language)


def batch_lines(document: Mapping[str, Any], language: str) -> Iterator[str]:
    """Batches for a person."""
    texts = TEXTS[language]["lineage"]
    for batch in document["batches"]:
        yield from _batch_lines(batch, language)
        if not batch["versions"]:
            yield f"  {texts['no_version']}"
        rows = [
            [
                texts["version"].format(version["model_version"], version["model_name"]),
                texts["trigger"] if version["is_trigger"] else "",
                version["promotion_code"] or "-",
                " → ".join(event["event"] for event in version["events"]),
            ]
            for version in batch["versions"]
        ]
        yield from table(rows, "  ")


def _batch_lines(batch: Line, language: str) -> Iterator[str]:
    texts = TEXTS[language]["lineage"]
    trigger = f" ({texts['trigger']})" if batch["is_trigger"] and "versions" not in batch else ""
    yield texts["batch"].format(batch["batch_number"], batch["stream"]) + trigger
    accepted = {True: texts["accepted"], False: texts["refused"], None: None}[batch["validation_accepted"]]
    rows = ("row_count", "rows_accepted", "rows_new", "rows_quarantined")
    facts = {
        "run": f"{batch['batch_dag']} / {batch['batch_run']}",
        "rows": texts["of_rows"].format(*(batch[name] for name in rows)) if batch["rows_accepted"] is not None else None,
        "raw": batch["body_sha256"],
        "clean": batch["clean_digest"],
        "validation": accepted and f"{accepted}, {batch['suite_name']} {batch['suite_version']}",
    }
    yield from _facts(facts, texts)
    for decision in batch["batch_decisions"] or ():
        told = decision.get("reason" if language == "en" else "reason_es") or ""
        yield f"  {decision['kind']}: {decision['outcome']} {decision['code']}" + (f": {told}" if told else "")
    yield from table([_step(step) for step in batch["batch_steps"] or ()], "  ")


def _facts(facts: Mapping[str, Any], texts: Mapping[str, Any]) -> Iterator[str]:
    """Names and values; what is not known is said to be so."""
    rows: Sequence[Sequence[str]] = [
        [texts["facts"].get(key, key), texts["unknown"] if value in (None, "") else str(value)] for key, value in facts.items()
    ]
    yield from table(rows, "  ")


def _gate(gate: Line) -> list[str]:
    numbers = ["" if gate[name] is None else f"{gate[name]:.6g}" for name in ("value", "threshold")]
    return [gate["gate"], gate["verdict"], *numbers, gate["code"] if gate["verdict"] in ("fail", "hold") else ""]


def _step(step: Line) -> list[str]:
    return [step["step"], step["image"] or "-", step["code_version"] or "-", str(step["at"])[:19]]
