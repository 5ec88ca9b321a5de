"""Every pod that a namespace ever had, as it was last seen."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from kubernetes import client, config


@dataclass
class SeenPod:
    """One pod: whose task it was, its image, and when it was seen running."""

    name: str
    labels: dict[str, str]
    image: str
    spec: Any
    phases: list[str] = field(default_factory=list)
    running: list[float] = field(default_factory=list)


class PodWatch:
    """Looks at a namespace's pods four times a second from a thread; an API server that is away is asked again."""

    def __init__(self, namespace: str) -> None:
        config.load_kube_config()
        self._api = client.CoreV1Api()
        self._namespace = namespace
        self.pods: dict[str, SeenPod] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._ended.wait(0.25):
            try:
                found = self._api.list_namespaced_pod(self._namespace, _request_timeout=5).items
            except Exception:
                continue
            for pod in found:
                seen = self.pods.setdefault(
                    pod.metadata.uid,
                    SeenPod(pod.metadata.name, dict(pod.metadata.labels), pod.spec.containers[0].image, pod.spec),
                )
                if not seen.phases or seen.phases[-1] != pod.status.phase:
                    seen.phases.append(pod.status.phase)
                if pod.status.phase == "Running":
                    seen.running.append(time.monotonic())

    def of(self, dag: str, run: str, task: str) -> list[SeenPod]:
        """The pods of one task instance, over all its tries."""
        wanted = {"dag_id": dag, "run_id": run, "task_id": task}
        return [pod for pod in list(self.pods.values()) if wanted.items() <= pod.labels.items()]

    def close(self) -> None:
        """Stop looking."""
        self._ended.set()
        self._thread.join(10)
