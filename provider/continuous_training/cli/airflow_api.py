"""Kept calls from Airflow's REST API."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, urlencode

from continuous_training.cli.errors import CommandError
from continuous_training.kept_calls import XCOM_KEY, KeptCall

TIMEOUT_SECONDS = 30

LOGIN_WORDS = "set CT_AIRFLOW_TOKEN, or CT_AIRFLOW_USERNAME and CT_AIRFLOW_PASSWORD"


class AirflowApi:
    """Airflow at one address, for one user."""

    def __init__(self, url: str, username: str) -> None:
        self.url = url.rstrip("/")
        self._username = username
        self._token: str | None = None

    def kept_call(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> KeptCall:
        """The call that a task instance kept. Raises CommandError: Airflow is away, the login fails, there is no such thing."""
        dag = f"/api/v2/dags/{quote(dag_id, safe='')}"
        run = f"{dag}/dagRuns/{quote(run_id, safe='')}"
        task = f"{run}/taskInstances/{quote(task_id, safe='')}"
        found = self._get(f"{task}/xcomEntries/{XCOM_KEY}?{urlencode({'map_index': map_index})}")
        if found is None:
            whole = f"map index {map_index} of the task {task_id!r}" if map_index >= 0 else f"task {task_id!r}"
            state = "none"
            for path, words in (
                (dag, f"Airflow at {self.url} has no DAG {dag_id!r}: name yours with --dag-id"),
                (run, f"the DAG {dag_id} has no run {run_id!r}"),
                (f"{task}/{map_index}" if map_index >= 0 else task, f"the run {run_id} has no {whole}"),
            ):
                instance = self._get(path)
                if instance is None:
                    raise CommandError(words)
                state = instance.get("state") or "none"
            raise CommandError(
                f"{task_id} of {run_id} has kept no call: its state is {state}. A call is kept when the operator of a step "
                "starts, and forgotten when its task is cleared"
            )
        value = found["value"]
        try:
            return KeptCall.from_dict(json.loads(value) if isinstance(value, str) else value)
        except ValueError as error:
            raise CommandError(f"{task_id} of {run_id}: {error}") from error

    def _get(self, path: str) -> dict[str, Any] | None:
        """The answer, None for 404."""
        if self._token is None:
            self._token = self._login()
        try:
            return self._send(path, headers={"Authorization": f"Bearer {self._token}"})
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            if error.code in {401, 403}:
                raise CommandError(f"Airflow at {self.url} refused access ({error.code}): {LOGIN_WORDS}") from error
            raise CommandError(f"Airflow at {self.url} answered {error.code}: {_detail(error)}") from error

    def _login(self) -> str:
        if token := os.environ.get("CT_AIRFLOW_TOKEN"):
            return token
        body = None
        if self._username:
            body = json.dumps({"username": self._username, "password": os.environ.get("CT_AIRFLOW_PASSWORD", "")}).encode()
        try:
            return str(self._send("/auth/token", body=body)["access_token"])
        except urllib.error.HTTPError as error:
            who = f"the login of {self._username!r}" if self._username else "access without a login"
            raise CommandError(f"Airflow at {self.url} refused {who} ({error.code}): {LOGIN_WORDS}") from error

    def _send(self, path: str, *, body: bytes | None = None, headers: dict[str, str] | None = None) -> dict[str, Any]:
        if not self.url.startswith(("http://", "https://")):
            raise CommandError(f"Airflow's address {self.url!r} does not begin with http:// or https://")
        request = urllib.request.Request(  # noqa: S310 - the scheme was just checked
            f"{self.url}{path}", data=body, headers={"Content-Type": "application/json", **(headers or {})}
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
                value = json.load(answer)
        except urllib.error.HTTPError:
            raise
        except (OSError, ValueError) as error:
            raise CommandError(
                f"Airflow does not answer at {self.url}: {error}. Name its API server with --airflow-url or CT_AIRFLOW_URL"
            ) from error
        return dict(value)


def _detail(error: urllib.error.HTTPError) -> str:
    return error.read(500).decode("utf-8", "replace")
