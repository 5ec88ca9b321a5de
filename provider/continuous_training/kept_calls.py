"""The task call as it is kept with every task instance (XCom ``call``), so that a person can run the step again by hand.

Secrets are in it by reference only. No Airflow here: the operators write it, the command line reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from ct_contract import SecretRef, TaskCall, TaskInput

XCOM_KEY = "call"

VERSION = 1

ADMIN_VARIABLE = "CT_ADMIN_DATABASE_URL"
"""The URL of a role that may create databases; only the scratch image gets it."""


class KeptCallError(ValueError):
    """What was kept cannot be read; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where the task ran, and what each kind of place needs to run it again.

    ``pod`` is empty until there is one. ``scratch_image`` and ``admin`` are for the scratch copy that a step is run on by hand.
    """

    runner: str
    environments: str
    docker_network: str
    namespace: str
    service_account: str
    sidecar_image: str
    scratch_image: str
    admin: SecretRef
    pod: str = ""


@dataclass(frozen=True, kw_only=True)
class KeptCall:
    """One task instance and its call."""

    task_id: str
    map_index: int
    call: TaskCall
    places: Places

    def in_pod(self, namespace: str, pod: str) -> Self:
        """The same with the pod that it runs in."""
        return replace(self, places=replace(self.places, namespace=namespace, pod=pod))

    def to_dict(self) -> dict[str, Any]:
        """As plain values of JSON, which Airflow keeps as they are."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return {"version": VERSION, **plain}

    @classmethod
    def from_dict(cls, value: Any) -> Self:
        """Read it back. Raises KeptCallError for what was not written by `to_dict` of this release."""
        if not isinstance(value, Mapping) or value.get("version") != VERSION:
            raise KeptCallError(
                f"the kept call is not of version {VERSION}: use the command line of the release that ran the task"
            )
        try:
            call, places = dict(value["call"]), dict(value["places"])
            call |= {
                "command": tuple(call["command"]),
                "payload": TaskInput.from_json(json.dumps(call["payload"])),
                "secrets": tuple(SecretRef(**reference) for reference in call["secrets"]),
            }
            places["admin"] = SecretRef(**places["admin"])
            return cls(task_id=value["task_id"], map_index=value["map_index"], call=TaskCall(**call), places=Places(**places))
        except (KeyError, TypeError, ValueError) as error:
            raise KeptCallError(f"the kept call is damaged: {error}") from error
