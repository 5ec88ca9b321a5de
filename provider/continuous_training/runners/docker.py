"""Run a task image as a container of a Docker engine: as tight as a pod, and never twice at once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from ct_contract import TaskCall, TaskResult
from ct_contract.call import INPUT_VARIABLE, RESULT_PATH_VARIABLE

from continuous_training.commands import docker_options, docker_program
from continuous_training.names import RESULT_FOLDER
from continuous_training.runners import engine
from continuous_training.runners.base import Log, Outcome, RunnerError, RunnerUnavailableError
from continuous_training.runners.logs import pass_on, to_hide
from continuous_training.runners.programs import attend, end_with_parent, lines
from continuous_training.runners.secrets import secret_values

LABEL = "continuous-training."
"""What the names of a container's labels begin with."""

RESULT_PATH = PurePosixPath(RESULT_FOLDER) / "result" / "return.json"
"""In a volume, which outlives the container's end, in a folder that the image's user may write to."""

GRACE_SECONDS = 20.0
"""How long a task may take to roll back after SIGTERM."""

PAUSE_SECONDS = 1.0
"""How long to wait before a container is followed again whose log broke off."""

BEING_REMOVED = ("removing", "dead")
"""States of a container that somebody removes."""


class DockerRunner:
    """Runs the call's image and command on the Docker engine that the ``docker`` program reaches.

    ``owner`` says whose task it is: the engine holds one container of an owner at most, by its name. One that a killed
    launcher left behind is taken up again if it runs, or has ended well, with the same call; any other is removed first. The
    result is copied out of the container, so that the engine need not see this machine's files.
    """

    def __init__(
        self,
        owner: Mapping[str, str],
        *,
        network: str = "host",
        environ: Mapping[str, str] | None = None,
        grace: float = GRACE_SECONDS,
        keep: bool = False,
    ) -> None:
        self.name = f"ct-{hashlib.sha256(json.dumps(dict(owner), sort_keys=True).encode()).hexdigest()[:20]}"
        self._owner = dict(owner)
        self._network = network
        self._environ = os.environ if environ is None else environ
        self._grace = grace
        self._keep = keep
        self._running = False

    def run(self, call: TaskCall, *, log: Log) -> Outcome:
        """Start the call, pass its log lines on, and return how it ended.

        Raises RunnerError if it cannot be started, RunnerUnavailableError if the engine is away or the container was removed
        by somebody else, ContractError if it left a result that breaks the contract.
        """
        hide = to_hide(secret_values(call, self._environ).values())
        fresh = not self._take_over(call, log)
        self._running, ended = True, False
        try:
            if fresh:
                engine.make_folder(self.name, RESULT_PATH.parent, self._environ)
            state = self._follow(log, hide, fresh=fresh)
            text = engine.read_file(self.name, RESULT_PATH, self._environ)
            ended = True
        except RunnerUnavailableError:
            # The container may go on where nobody sees it; the next try looks for it.
            self._running = False
            raise
        finally:
            if self._running:
                self._clear(log, ended=ended)
            self._running = False
        return Outcome(status=int(state["ExitCode"]), result=None if text is None else TaskResult.from_json(text))

    def interact(self, call: TaskCall, program: Sequence[str]) -> int:
        """Run another program in a container like the task's, on this terminal; returns its exit status. Raises RunnerError."""
        secret_values(call, self._environ)
        env = {**call.env, INPUT_VARIABLE: call.payload.to_json(), "TERM": self._environ.get("TERM", "dumb")}
        terminal = ["--interactive", *(["--tty"] if sys.stdin.isatty() else [])]
        options = [*docker_options(call, self._network, env), *_limits(call), "--tmpfs", f"{RESULT_FOLDER}:mode=1777"]
        command = [engine.PROGRAM, "run", "--rm", *terminal, *options, *docker_program(call.image, program)]
        try:
            return attend(command, environ=self._environ)
        except FileNotFoundError as error:
            raise RunnerError(f"there is no program {engine.PROGRAM} on the PATH: install Docker's command line") from error

    def stop(self) -> None:
        """SIGTERM to the task, SIGKILL after the grace period."""
        if self._running:
            with contextlib.suppress(RunnerError):  # it has ended, or the engine is away: nothing is left to be done
                engine.docker("stop", "-t", str(max(1, round(self._grace))), self.name, environ=self._environ)

    def _take_over(self, call: TaskCall, log: Log) -> bool:
        """Find the owner's container and say whether it is to be followed; make a new one if not. Raises RunnerError."""
        found = engine.inspect(self.name, self._environ)
        if found is not None:
            state, labels = found["State"], found["Config"]["Labels"] or {}
            useful = state["Running"] or (state["Status"] == "exited" and state["ExitCode"] == 0)
            if useful and labels.get(f"{LABEL}call") == _digest(call):
                log.log(logging.INFO, "Took up the container %s, which an earlier try had started", self.name)
                return True
            log.log(logging.WARNING, "Removed the container %s, which an earlier try had left (%s)", self.name, state["Status"])
            engine.remove(self.name, self._environ)
        try:
            self._create(call)
        except engine.NameTakenError as error:
            raise RunnerUnavailableError(f"another process has just started the same task: {error}") from error
        return False

    def _create(self, call: TaskCall) -> None:
        env = {**call.env, INPUT_VARIABLE: call.payload.to_json(), RESULT_PATH_VARIABLE: str(RESULT_PATH)}
        labels = {**self._owner, "task": call.payload.task, "call": _digest(call)}
        options = ["--name", self.name, "--volume", RESULT_FOLDER]
        for name, value in labels.items():
            options += ["--label", f"{LABEL}{name}={value}"]
        try:
            engine.docker(
                "create", *options, *docker_options(call, self._network, env), *_limits(call),
                *docker_program(call.image, call.command), environ=self._environ,
            )  # fmt: skip
        except RunnerUnavailableError:
            raise
        except RunnerError as error:
            raise RunnerError(
                f"no container could be made from the image {call.image}: {error}. Nothing ran. Build or pull the image, "
                "or set [continuous_training] image_prefix and image_tag"
            ) from error

    def _follow(self, log: Log, hide: Iterable[str], *, fresh: bool) -> Mapping[str, Any]:
        """Pass the log on until the container has ended, also over interruptions; returns the engine's account of its end."""
        seen, last = False, ""
        while True:
            with subprocess.Popen(
                engine.follow_command(self.name, fresh=fresh, seen=seen),
                env=dict(self._environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                # Not SIGTERM, which the program would hand on to the container: the next try takes that up again.
                preexec_fn=end_with_parent(signal.SIGKILL),  # noqa: PLW1509 - one system call, looked up before the fork
            ) as follower:
                try:
                    for line in lines(follower):
                        last = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
                        pass_on(last, log, hide)
                finally:
                    follower.kill()
            found = engine.inspect(self.name, self._environ)
            # Who removes a container kills it first, and for a moment it is still there.
            if found is None or found["State"]["Status"] in BEING_REMOVED:
                raise RunnerUnavailableError(
                    f"the container {self.name} was removed while its task ran; its work was rolled back"
                )
            state: Mapping[str, Any] = found["State"]
            if state["Status"] == "created":
                raise RunnerError(f"the container could not be started: {state.get('Error') or last}. Nothing ran")
            if not state["Running"]:
                return state
            fresh, seen = False, True
            time.sleep(PAUSE_SECONDS)

    def _clear(self, log: Log, *, ended: bool) -> None:
        """Remove the container, or keep one that has ended if it was asked for."""
        if ended and self._keep:
            log.log(logging.INFO, "Kept the container; remove it with: docker rm --volumes %s", self.name)
            return
        if not ended:
            self.stop()
        try:
            engine.remove(self.name, self._environ)
        except RunnerError as error:
            log.log(logging.WARNING, "%s. Remove it later: docker rm --force --volumes %s", error, self.name)


def _digest(call: TaskCall) -> str:
    """The same for two tries of the same call."""
    told = [call.image, list(call.command), dict(call.payload.inputs), dict(call.env), dict(call.limits)]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:20]


def _limits(call: TaskCall) -> list[str]:
    if not call.limits:
        return []
    # The client is slow to load, and only its reading of amounts is needed.
    from kubernetes.utils.quantity import parse_quantity  # type: ignore[import-untyped]

    options = []
    if memory := call.limits.get("memory"):
        amount = str(int(parse_quantity(memory)))
        options += ["--memory", amount, "--memory-swap", amount]
    if cpu := call.limits.get("cpu"):
        options += ["--cpus", str(parse_quantity(cpu))]
    return options
