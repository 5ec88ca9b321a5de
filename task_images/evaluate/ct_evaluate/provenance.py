"""Where a challenger comes from and what it takes, as its tags and files say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ct_decisions.policy_checks import LINEAGE
from house_prices.model import RAW_COLUMNS
from house_prices.requests import TEXTS

API_TYPES: Mapping[str, str] = {name: "string" if name in TEXTS else "double" for name in RAW_COLUMNS}
"""What the API sends, by column; a contract test holds it to serving's own fields."""

OUTPUTS = ("price", "price_low", "price_high")

IDENTIFYING = ("price", "street", "property_key", "batch_id", "row_number", "bucket", "split")
"""Columns of CLEAN that hold the answer, name one home, or say how it came here."""


def _data(tags: Mapping[str, str]) -> bool:
    return bool(tags.get("ct.batch_ids")) and all(
        tags.get(f"ct.{split}_digest") for split in ("train", "validation", "calibration", "test")
    )


_KNOWN: Mapping[str, Callable[[Mapping[str, str]], bool]] = {
    # A commit says it exactly; the name of a released image says it as long as nobody moves the tag. "unknown" and
    # "none" are what the train step writes when it was told neither, as in a run by hand.
    "code": lambda tags: tags.get("ct.git_sha", "unknown") != "unknown" or tags.get("ct.image", "none") != "none",
    "image_digest": lambda tags: "@sha256:" in tags.get("ct.image", ""),
    "data": _data,
    "seed": lambda tags: bool(tags.get("ct.seed")),
    "policy": lambda tags: bool(tags.get("ct.policy")),
    "retrain_decision": lambda tags: bool(tags.get("ct.retrain_decision_id")),
}


def unknown_lineage(tags: Mapping[str, str], *, golden: bool) -> list[str]:
    """What the version's tags do not say of all that a policy can ask for; ``golden``: its answers in training are kept."""
    known = {name: test(tags) for name, test in _KNOWN.items()} | {"golden_answers": golden}
    return [name for name in LINEAGE if not known[name]]


def signature_of(files: Path) -> Any:
    """The signature of a logged model, or None."""
    from mlflow.models import Model

    return Model.load(str(files)).signature


def signature_problems(signature: Any) -> list[str] | None:
    """Where inputs and outputs differ from the API's, as ``column: found``; None without a signature.

    Fewer inputs than the API has are no problem: MLflow drops what a model does not name. An input that the API does not
    send, of another type, or that must not be absent is one, and so is a missing output.
    """
    if signature is None or signature.inputs is None:
        return None
    if not signature.inputs.is_tensor_spec() and signature.inputs.has_input_names():
        found = [problem for column in signature.inputs.inputs if (problem := _input_problem(column))]
    else:
        found = ["inputs: no named columns"]
    outputs = _types(signature.outputs)
    return found + [f"{name}: {outputs.get(name, '-')}" for name in OUTPUTS if outputs.get(name) != "double"]


def _input_problem(column: Any) -> str | None:
    kind = getattr(column.type, "name", str(column.type))
    if column.name not in API_TYPES:
        return f"{column.name}: {kind}"
    if kind != API_TYPES[column.name]:
        return f"{column.name}: {kind} ≠ {API_TYPES[column.name]}"
    return f"{column.name}: required" if column.required else None


def _types(schema: Any) -> dict[str, str]:
    if schema is None or schema.is_tensor_spec() or not schema.has_input_names():
        return {}
    return {column.name: getattr(column.type, "name", str(column.type)) for column in schema.inputs}


def identifying_inputs(signature: Any) -> list[str]:
    """Inputs that identify a home or hold its price."""
    if signature is None or signature.inputs is None or not signature.inputs.has_input_names():
        return []
    return [name for name in signature.inputs.input_names() if name in IDENTIFYING]
