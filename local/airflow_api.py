"""The few calls of Airflow's REST API that the demonstration needs."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx

from local.display import Task


class AirflowError(RuntimeError):
    """Airflow refused a call; the message has its words."""


class Airflow:
    """A client that signs in with the generated password and renews its token when it has expired."""

    def __init__(self, url: str, password: str, *, user: str = "admin") -> None:
        self._http = httpx.Client(base_url=url, timeout=60, trust_env=False)
        self._credentials = {"username": user, "password": password}

    def _sign_in(self) -> None:
        answer = self._http.post("/auth/token", json=self._credentials)
        if answer.is_error:
            raise AirflowError(f"Airflow refuses the generated password: {answer.status_code} {answer.text[:500]}")
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        for attempt in range(5):
            try:
                answer = self._http.request(method, f"/api/v2{path}", **options)
            except httpx.TransportError:
                # The process manager restarts an API server that fell; a POST is only sent again if it never arrived.
                if attempt == 4 or method != "GET":
                    raise
                time.sleep(2)
                continue
            if answer.status_code != 401:
                return answer
            self._sign_in()
        return answer

    def _get(self, path: str, **options: Any) -> Any:
        answer = self._send("GET", path, **options)
        if answer.is_error:
            raise AirflowError(f"GET {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

    def wait_for_dag(self, dag: str, seconds: float = 120) -> None:
        """Return when the DAG is known and not paused. Raises AirflowError with the import errors if it never is."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if errors := self._get("/importErrors")["import_errors"]:
                raise AirflowError("\n".join(f"{error['filename']}:\n{error['stack_trace']}" for error in errors))
            answer = self._send("PATCH", f"/dags/{dag}", json={"is_paused": False}, params={"update_mask": "is_paused"})
            if answer.is_success:
                return
            if answer.status_code != 404:
                raise AirflowError(f"the DAG {dag}: {answer.status_code} {answer.text[:500]}")
            time.sleep(0.5)
        raise AirflowError(f"Airflow does not know the DAG {dag} after {seconds:g} s")

    def trigger(self, dag: str, run: str, conf: Mapping[str, Any] | None = None) -> None:
        """Ask for one run; asking again with the same id changes nothing."""
        body = {"dag_run_id": run, "logical_date": None, "conf": dict(conf or {})}
        answer = self._send("POST", f"/dags/{dag}/dagRuns", json=body)
        if answer.is_error and answer.status_code != 409:
            raise AirflowError(f"the run {run} was refused: {answer.status_code} {answer.text[:500]}")

    def unfinished(self, dag: str) -> list[str]:
        """The runs that are queued or running, the oldest first."""
        parameters = {"state": ["queued", "running"], "order_by": "run_after", "limit": 100}
        return [str(run["dag_run_id"]) for run in self._get(f"/dags/{dag}/dagRuns", params=parameters)["dag_runs"]]

    def run(self, dag: str, run: str) -> dict[str, Any]:
        """A run as Airflow shows it: its state, its times, the version of its bundle."""
        found: dict[str, Any] = self._get(f"/dags/{dag}/dagRuns/{run}")
        return found

    def state(self, dag: str, run: str) -> str:
        """The state of a run."""
        return str(self.run(dag, run)["state"])

    def tasks(self, dag: str, run: str) -> list[Task]:
        """The tasks of a run that have been touched, in the order in which they began."""
        found = self._get(f"/dags/{dag}/dagRuns/{run}/taskInstances", params={"limit": 100})["task_instances"]
        touched = [task for task in found if task["state"]]
        touched.sort(key=lambda task: (task["start_date"] or "9", task["end_date"] or "9"))
        return [Task(name=task["task_id"], state=task["state"], seconds=_seconds(task)) for task in touched]

    def task(self, dag: str, run: str, task: str) -> dict[str, Any]:
        """A task instance as Airflow shows it: its state, its try, its times."""
        found: dict[str, Any] = self._get(f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}")
        return found

    def result(self, dag: str, run: str, task: str) -> dict[str, Any]:
        """What a task returned, or nothing if it returned nothing."""
        answer = self._send(
            "GET", f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries/return_value", params={"deserialize": False}
        )
        value = answer.json().get("value") if answer.is_success else None
        if isinstance(value, str):
            value = json.loads(value)
        return value if isinstance(value, dict) else {}

    def log(self, dag: str, run: str, task: str, lines: int = 25) -> Sequence[str]:
        """The last lines of a task's last try."""
        tries = int(self.task(dag, run, task)["try_number"])
        path = f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/{tries}"
        content = self._get(path, headers={"Accept": "application/json"})["content"]
        texts = [line if isinstance(line, str) else _line(line) for line in content]
        return [text for text in texts if text and "::group::" not in text and "::endgroup::" not in text][-lines:]


def _line(entry: Mapping[str, Any]) -> str:
    level = str(entry.get("level") or "").upper()
    text = str(entry.get("event", ""))
    details = entry.get("error_detail")
    if isinstance(details, list) and details:
        text += "".join(f"\n  {detail.get('exc_type')}: {detail.get('exc_value')}" for detail in details)
    return f"{level}: {text}" if level and text else text


def _seconds(task: Mapping[str, Any]) -> float | None:
    if task["start_date"] is None:
        return None
    end = datetime.fromisoformat(task["end_date"]) if task["end_date"] else datetime.now(UTC)
    return max(0.0, (end - datetime.fromisoformat(task["start_date"])).total_seconds())
