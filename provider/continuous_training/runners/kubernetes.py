"""Run a task image as a pod, for the command line: what the operators do by Airflow's own pod operator, without Airflow.

The result is read as Airflow reads it, by a program in the side-car: a container's termination message would hold 4 KiB of
it at most, and the log must stay a log.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import uuid4

from ct_contract import TaskCall, TaskResult
from ct_contract.call import DEFAULT_RESULT_PATH
from kubernetes import client, config, stream  # type: ignore[import-untyped]
from kubernetes.client import models as k8s  # type: ignore[import-untyped]
from kubernetes.client.exceptions import ApiException  # type: ignore[import-untyped]
from urllib3.exceptions import HTTPError

from continuous_training import pods
from continuous_training.kept_calls import Places
from continuous_training.names import BASE, SIDECAR
from continuous_training.pod_status import Trouble, api_words, diagnose, exit_status
from continuous_training.runners.base import Log, Outcome, RunnerError, RunnerUnavailableError
from continuous_training.runners.logs import pass_on
from continuous_training.runners.programs import attend

KUBECTL = "kubectl"

PATIENCE_SECONDS = 600.0
"""How long a pod may take until it runs."""

PAUSE_SECONDS = 1.0

ResultReader = Callable[[Any, str, str], str]
"""From the API, a namespace and a pod's name to the result file's content, empty for none."""


class KubernetesRunner:
    """Runs the call as a pod of its own name, which is deleted at the end unless ``keep``.

    ``api`` is a CoreV1Api; None for that of KUBECONFIG, or of the cluster that this runs in.
    """

    def __init__(
        self,
        places: Places,
        *,
        keep: bool = False,
        patience: float = PATIENCE_SECONDS,
        api: Any = None,
        read_result: ResultReader | None = None,
    ) -> None:
        self._places = places
        self._keep = keep
        self._patience = patience
        self._given = api
        self._read_result = read_result or cat_result
        self._pod: str | None = None

    def run(self, call: TaskCall, *, log: Log) -> Outcome:
        """Start the call, pass its log lines on, and return how it ended.

        Raises RunnerError if it cannot be started, RunnerUnavailableError if the API is away or the pod was lost, ContractError
        if it left a result that breaks the contract.
        """
        ended = False
        try:
            with _told_as_runner_errors():
                name = self._create(call, call.command, log)
                self._follow(name, log)
                status = self._await_end(name)
                text = self._read_result(self._api, self._namespace, name).strip()
                ended = True
        finally:
            if ended and self._keep:
                log.log(
                    logging.INFO, "Kept the pod; delete it with: kubectl --namespace %s delete pod %s", self._namespace, name
                )
            else:
                self.stop()
        return Outcome(status=status, result=TaskResult.from_json(text) if text else None)

    def interact(self, call: TaskCall, program: Sequence[str]) -> int:
        """Run another program in a pod like the task's, on this terminal; returns its exit status. Raises RunnerError."""
        log = logging.getLogger(__name__)
        try:
            with _told_as_runner_errors():
                name = self._create(call, ["sleep", str(pods.BY_HAND_SECONDS)], log)
            terminal = ["--stdin", *(["--tty"] if sys.stdin.isatty() else [])]
            command = [KUBECTL, "--namespace", self._namespace, "exec", *terminal, name, "--container", BASE, "--", *program]
            return attend(command, environ=os.environ)
        except FileNotFoundError as error:
            raise RunnerError(f"there is no program {KUBECTL} on the PATH, which a shell in a pod needs") from error
        finally:
            self.stop()

    def stop(self) -> None:
        """Delete the pod; its task gets SIGTERM and the cluster's grace period."""
        name, self._pod = self._pod, None
        if name is not None:
            with contextlib.suppress(ApiException, HTTPError):
                self._api.delete_namespaced_pod(name, self._namespace)

    @property
    def _api(self) -> Any:
        if self._given is None:
            try:
                config.load_config()
            except config.ConfigException as error:
                raise RunnerError(f"no Kubernetes cluster is known here: {error}. Set KUBECONFIG") from error
            self._given = client.CoreV1Api()
        return self._given

    @property
    def _namespace(self) -> str:
        if self._places.namespace:
            return self._places.namespace
        with contextlib.suppress(config.ConfigException):
            _, active = config.list_kube_config_contexts()
            return str(active["context"].get("namespace") or "default")
        return "default"

    def _create(self, call: TaskCall, command: Sequence[str], log: Log) -> str:
        name = f"{call.payload.task.replace('_', '-')}-by-hand-{uuid4().hex[:8]}"
        self._api.create_namespaced_pod(
            body=client.ApiClient().sanitize_for_serialization(pods.by_hand(call, self._places, name, command)),
            namespace=self._namespace,
        )
        self._pod = name
        log.log(logging.INFO, "Made the pod %s in the namespace %s", name, self._namespace)
        self._await_start(name, log)
        return name

    def _await_start(self, name: str, log: Log) -> None:
        deadline, told = time.monotonic() + self._patience, ""
        while True:
            pod = self._read(name)
            if pod.status.phase not in {"Pending", "Unknown"}:
                return
            found = diagnose(pod, BASE)
            if found is not None and found.trouble in {Trouble.IMAGE, Trouble.CONFIGURATION, Trouble.DELETED}:
                raise RunnerError(f"the pod {name} cannot start: {found.words}. Nothing ran")
            if found is not None and found.words != told:
                told = found.words
                log.log(logging.WARNING, "The pod has no node yet: %s", told)
            if time.monotonic() >= deadline:
                raise RunnerError(f"the pod {name} did not start within {self._patience:.0f} s. {told} Nothing ran")
            time.sleep(PAUSE_SECONDS)

    def _follow(self, name: str, log: Log) -> None:
        """Pass the log on until the container has ended; what was written while the connection broke may come twice."""
        since: dict[str, int] = {}
        while True:
            with contextlib.suppress(HTTPError):
                answer = self._api.read_namespaced_pod_log(
                    name=name, namespace=self._namespace, container=BASE, follow=True, _preload_content=False, **since
                )
                for line in _lines(answer.stream(decode_content=True)):
                    pass_on(line.decode("utf-8", "backslashreplace").rstrip("\r"), log)
            pod = self._read(name)
            if pod.status.phase != "Running" or exit_status(pod, BASE) is not None:
                return
            since = {"since_seconds": 1}
            time.sleep(PAUSE_SECONDS)

    def _await_end(self, name: str) -> int:
        pod = self._read(name)
        status = exit_status(pod, BASE)
        found = diagnose(pod, BASE)
        if status is None or (found is not None and found.trouble in {Trouble.EVICTED, Trouble.DELETED, Trouble.DEADLINE}):
            words = found.words if found else f"it is {pod.status.phase}"
            raise RunnerUnavailableError(f"the pod {name} was lost while its task ran ({words}); its work was rolled back")
        return status

    def _read(self, name: str) -> k8s.V1Pod:
        try:
            return self._api.read_namespaced_pod(name, self._namespace)
        except ApiException as error:
            if error.status == 404:
                raise RunnerUnavailableError(
                    f"the pod {name} was deleted while its task ran; its work was rolled back"
                ) from error
            raise


def cat_result(api: Any, namespace: str, name: str) -> str:
    """Read the result file by a program in the side-car; empty if there is none. Raises ApiException."""
    command = ["sh", "-c", f"test ! -f {DEFAULT_RESULT_PATH} || cat {DEFAULT_RESULT_PATH}"]
    answer = stream.stream(
        api.connect_get_namespaced_pod_exec, name, namespace, container=SIDECAR, command=command,
        stdin=False, stdout=True, stderr=True, tty=False, _preload_content=False,
    )  # fmt: skip
    try:
        answer.run_forever()
        return str(answer.read_stdout() or "")
    finally:
        answer.close()


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest


@contextlib.contextmanager
def _told_as_runner_errors() -> Iterator[None]:
    try:
        yield
    except ApiException as error:
        words = f"the cluster refused: {error.status} {error.reason}: {api_words(error)}"
        raise (RunnerUnavailableError(words) if not error.status or error.status >= 500 else RunnerError(words)) from error
    except HTTPError as error:
        raise RunnerUnavailableError(f"the Kubernetes API does not answer: {error}") from error
