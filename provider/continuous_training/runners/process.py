"""Run a task image's program in the image's own Python environment on this machine, without a container."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ct_contract import TaskCall, TaskResult
from ct_contract.call import INPUT_VARIABLE, RESULT_PATH_VARIABLE

from continuous_training.runners.base import Log, Outcome, RunnerError
from continuous_training.runners.logs import pass_on, to_hide
from continuous_training.runners.programs import attend, end_with_parent, lines
from continuous_training.runners.secrets import secret_values

PASSED_ON = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR"}
    | {"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
    | {"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
)
"""The only variables of the launching process that a task sees: Airflow keeps its own secrets in the others."""

GRACE_SECONDS = 20.0
"""How long a task may take to roll back after SIGTERM."""


class ProcessRunner:
    """Runs ``<environments>/<task>/bin/python -m ct_<task>``.

    The task gets a small environment of its own, leads a process group, and ends when its launcher does, however that ends.
    """

    def __init__(
        self, environments: Path | str, *, environ: Mapping[str, str] | None = None, grace: float = GRACE_SECONDS
    ) -> None:
        self.environments = Path(environments)
        self._environ = os.environ if environ is None else environ
        self._grace = grace
        self._process: subprocess.Popen[bytes] | None = None

    def command(self, call: TaskCall) -> list[str]:
        """The call's command with the environment's own interpreter in the place of ``python``. Raises RunnerError."""
        task = call.payload.task
        python = self.environments.absolute() / task / "bin" / "python"
        if not python.exists():
            raise RunnerError(
                f"there is no Python environment for the {task} image: {python} does not exist. Nothing ran. "
                f"Make it with: python3 local/environments.py {task} - or set [continuous_training] environments"
            )
        if not call.command or call.command[0] != "python":
            raise RunnerError(f"the process runner starts Python programs only, not {' '.join(call.command) or 'nothing'!r}")
        return [str(python), *call.command[1:]]

    def environment(self, call: TaskCall) -> dict[str, str]:
        """Everything that the task sees of an environment but its result's path. Raises RunnerError without a secret."""
        kept = {name: self._environ[name] for name in PASSED_ON if name in self._environ}
        secrets = secret_values(call, self._environ)
        own = {INPUT_VARIABLE: call.payload.to_json(), "PYTHONUNBUFFERED": "1"}
        return {"LANG": "C.UTF-8", **kept, **call.env, **secrets, **own}

    def run(self, call: TaskCall, *, log: Log) -> Outcome:
        """Start the call, pass its log lines on, and return how it ended.

        Raises RunnerError if it cannot be started, ContractError if it left a result that breaks the contract.
        """
        with tempfile.TemporaryDirectory(prefix=f"ct-{call.payload.task}-") as directory:
            result = Path(directory) / "result.json"
            # A directory of its own: a module of the launcher's working directory must not shadow the image's.
            work = Path(directory) / "work"
            work.mkdir()
            environment = {**self.environment(call), RESULT_PATH_VARIABLE: str(result)}
            hide = to_hide(environment[secret.name] for secret in call.secrets)
            status = self._follow(self.command(call), environment, work, lambda line: pass_on(line, log, hide))
            text = result.read_bytes() if result.exists() else None
        return Outcome(status=status, result=None if text is None else TaskResult.from_json(text))

    def interact(self, call: TaskCall, program: Sequence[str]) -> int:
        """Run another program where the task would run, on this terminal; returns its exit status. Raises RunnerError.

        The environment's programs come first on its PATH, so that ``python`` is the task's.
        """
        python = Path(self.command(call)[0])
        with tempfile.TemporaryDirectory(prefix=f"ct-{call.payload.task}-") as directory:
            environment = self.environment(call)
            environment[RESULT_PATH_VARIABLE] = str(Path(directory) / "result.json")
            environment["PATH"] = f"{python.parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
            environment["TERM"] = self._environ.get("TERM", "dumb")
            return attend(program, environ=environment, directory=directory)

    def _follow(self, command: list[str], environment: dict[str, str], directory: Path, tell: Callable[[str], None]) -> int:
        process = self._process = subprocess.Popen(
            command,
            env=environment,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=end_with_parent(),  # noqa: PLW1509 - one system call, looked up before the fork
        )
        try:
            for line in lines(process):
                tell(line.decode("utf-8", "backslashreplace").rstrip("\r\n"))
            return process.wait()
        finally:
            self.stop()
            if process.stdout is not None:
                process.stdout.close()

    def stop(self) -> None:
        """SIGTERM to the whole process group, SIGKILL to what is left of it after the grace period."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            _signal_group(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(self._grace)
        # Also after a normal end: a child that outlives its task would go on writing.
        _signal_group(process.pid, signal.SIGKILL)
        process.wait()
        self._process = None


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)
