"""The exact commands by which a person runs a task again or looks at what is left of it (XCom ``debug``). No Airflow here."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from ct_contract import TaskCall
from ct_contract.call import INPUT_VARIABLE

from continuous_training.kept_calls import KeptCall
from continuous_training.names import BASE, RESULT_FOLDER

XCOM_KEY = "debug"

PROGRAM = "continuous-training"

DEFAULT_DAG_ID = "continuous_training"


def debug_commands(kept: KeptCall) -> dict[str, str]:
    """By name: what shows the call, what runs it again in each place, and for a pod what looks at it.

    Secrets are named, never written: they come from the environment of the shell. ``in_place_process`` and
    ``in_place_docker`` act on the real state, as clearing the task does; ``process``, ``docker`` and ``kubernetes`` on a
    scratch copy.
    """
    commands = {"show": by_hand(kept, "show")}
    for runner in ("process", "docker", "kubernetes"):
        commands[runner] = by_hand(kept, "run", "--runner", runner)
    commands["in_place_process"] = process_command(kept.call, kept.places.environments)
    commands["in_place_docker"] = docker_command(kept.call, kept.places.docker_network)
    if kept.places.pod:
        commands |= kubectl_commands(kept.places.namespace, kept.places.pod)
    return commands


def by_hand(kept: KeptCall, verb: str, *options: str) -> str:
    """A call of this provider's command line for the task."""
    words = [PROGRAM, "task", verb, kept.call.payload.run_id, kept.task_id]
    if kept.call.payload.dag_id != DEFAULT_DAG_ID:
        words += ["--dag-id", kept.call.payload.dag_id]
    if kept.map_index >= 0:
        words += ["--map-index", str(kept.map_index)]
    return shlex.join([*words, *options])


def process_command(call: TaskCall, environments: str) -> str:
    """The step in its image's Python environment, its result in the working directory."""
    python = Path(environments) / call.payload.task / "bin" / "python"
    given = [f"{name}={value}" for name, value in {**call.env, INPUT_VARIABLE: call.payload.to_json()}.items()]
    return _needs(call) + shlex.join(["env", *given, str(python), *call.command[1:], "--result", "result.json"])


def docker_command(call: TaskCall, network: str) -> str:
    """The step in a container as tight as the Docker runner makes it, removed when it has ended."""
    return _needs(call) + shlex.join(
        [
            "docker", "run", "--rm", *docker_options(call, network, {**call.env, INPUT_VARIABLE: call.payload.to_json()}),
            "--tmpfs", f"{RESULT_FOLDER}:mode=1777", *docker_program(call.image, call.command),
        ]
    )  # fmt: skip


def docker_options(call: TaskCall, network: str, env: Mapping[str, str]) -> list[str]:
    """The options of ``docker run`` and ``docker create`` that a task's container always gets; secrets by name only."""
    options = ["--read-only", "--tmpfs", "/tmp:exec,mode=1777", "--cap-drop", "ALL"]  # noqa: S108 - a path in the container
    options += ["--security-opt", "no-new-privileges", "--network", network]
    for name, value in env.items():
        options += ["--env", f"{name}={value}"]
    for secret in call.secrets:
        options += ["--env", secret.name]
    return options


def docker_program(image: str, command: Sequence[str]) -> list[str]:
    """The image and its command; as in a pod, the command takes the place of the image's entry point."""
    return ["--entrypoint", command[0], image, *command[1:]]


def kubectl_commands(namespace: str, pod: str) -> dict[str, str]:
    """What looks at a pod that is running or was kept."""
    kubectl = ["kubectl", "--namespace", namespace]
    return {
        "kubectl_describe": shlex.join([*kubectl, "describe", "pod", pod]),
        "kubectl_logs": shlex.join([*kubectl, "logs", pod, "--container", BASE]),
        "kubectl_exec": shlex.join([*kubectl, "exec", "-it", pod, "--container", BASE, "--", "sh"]),
        "kubectl_debug": shlex.join(
            [*kubectl, "debug", pod, "-it", "--copy-to", f"{pod}-debug", "--container", BASE, "--", "sh"]
        ),
    }


def _needs(call: TaskCall) -> str:
    """A shell that lacks a secret says so before anything starts."""
    return "".join(f': "${{{secret.name}:?}}" && ' for secret in call.secrets)
