"""One task call: everything a runner needs to start a task image, wherever that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ct_contract.messages import TaskInput

INPUT_VARIABLE = "CT_INPUT"
RESULT_PATH_VARIABLE = "CT_RESULT_PATH"
DEFAULT_RESULT_PATH = "/airflow/xcom/return.json"


@dataclass(frozen=True, kw_only=True)
class SecretRef:
    """A secret by reference: ``name`` in the task's environment, ``secret`` and ``key`` where Kubernetes keeps it.

    Off Kubernetes the value is taken from the same variable of the launching process.
    """

    name: str
    secret: str
    key: str


@dataclass(frozen=True, kw_only=True)
class TaskCall:
    """Image, command, input and environment of one task; the same whichever runner starts it.

    ``requests`` and ``limits`` are amounts of ``cpu`` and ``memory`` as Kubernetes writes them (``500m``, ``2Gi``); a runner
    without containers does not apply them.
    """

    image: str
    command: tuple[str, ...]
    payload: TaskInput
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[SecretRef, ...] = ()
    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
