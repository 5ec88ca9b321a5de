"""kubectl for the cluster that KUBECONFIG names."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any


class KubectlError(RuntimeError):
    """kubectl ended with an error; the message has its words."""


def kubectl(*arguments: str, text: str | None = None, check: bool = True, timeout: float = 300) -> str:
    """Run kubectl and return what it printed."""
    done = subprocess.run(["kubectl", *arguments], input=text, capture_output=True, text=True, check=False, timeout=timeout)
    if check and done.returncode:
        raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def get(*arguments: str) -> Any:
    """Objects as JSON."""
    return json.loads(kubectl("get", *arguments, "--output=json"))


def apply(manifest: str) -> None:
    """Create or change objects."""
    kubectl("apply", "--filename=-", text=manifest)


def wait_for(what: str, namespace: str, condition: str, seconds: int = 300) -> None:
    """Wait for a condition of ``kind/name``, or of all of a kind; the error has what the namespace's pods look like."""
    objects = [what] if "/" in what else [what, "--all"]
    try:
        kubectl(
            "wait", *objects, f"--namespace={namespace}", f"--for={condition}", f"--timeout={seconds}s", timeout=seconds + 30
        )
    except KubectlError as error:
        pods = kubectl("describe", "pods", f"--namespace={namespace}", check=False)
        raise KubectlError(f"{error}\n{pods[-6000:]}") from error


class Forward:
    """A port of this machine that leads to a service, kept up over restarts of the pod and of the API server."""

    def __init__(self, namespace: str, service: str, port: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._command = ["kubectl", "port-forward", f"--namespace={namespace}", f"service/{service}", f"{self.port}:{port}"]
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_up, daemon=True)
        self._thread.start()
        self.wait()

    def _keep_up(self) -> None:
        while not self._ended.is_set():
            self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self._process.wait()
            self._ended.wait(0.5)

    def wait(self, seconds: float = 60) -> None:
        """Return when the port takes connections."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            assert time.monotonic() < deadline, f"no connection through {' '.join(self._command)}"
            time.sleep(0.2)

    def close(self) -> None:
        """End it."""
        self._ended.set()
        if self._process is not None:
            self._process.terminate()
        self._thread.join(5)


@contextlib.contextmanager
def forwarded(namespace: str, service: str, port: int) -> Iterator[int]:
    """The local port of a service while the block runs."""
    forward = Forward(namespace, service, port)
    try:
        yield forward.port
    finally:
        forward.close()
