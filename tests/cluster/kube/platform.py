"""The platform of the cluster test: PostgreSQL, object store, MLflow, data source, Airflow, serving, in a namespace of its
own; the task pods in another. Any cluster will do that KUBECONFIG names and that has the images."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

import psycopg

from kube.kubectl import Forward, apply, kubectl, wait_for
from local.airflow_api import Airflow
from local.databases import MEMBERS, OWNERS, create_members, create_owners

MANIFESTS = Path(__file__).parent.parent / "manifests"
DAGS = Path(__file__).parent.parent / "dags"
PLATFORM, TASKS = "ct-test-platform", "ct-test-tasks"
DATABASES = ("continuous_training", "group_2")
COMPONENTS = {
    "api-server": ("default", "false"),
    "scheduler": ("airflow-scheduler", "true"),
    "dag-processor": ("default", "false"),
    "triggerer": ("airflow-triggerer", "true"),
}
"""Component of Airflow -> its service account, and whether it gets that account's token."""

API_PROBE = "readinessProbe: {httpGet: {path: /api/v2/monitor/health, port: 8080}, periodSeconds: 3, timeoutSeconds: 5}"
SCALE = "2"


def setting(name: str, default: str) -> str:
    """What the environment says, for clusters whose images have other names."""
    return os.environ.get(name) or default


@dataclass
class Platform:
    """The running platform; ``forwards`` lead to its services."""

    passwords: dict[str, str]
    forwards: dict[str, Forward] = field(default_factory=dict)

    def url(self, service: str) -> str:
        """A service as this machine reaches it."""
        return f"http://127.0.0.1:{self.forwards[service].port}"

    def database_url(self, database: str = "continuous_training") -> str:
        """The database as the superuser, from this machine."""
        return f"postgresql://postgres:{self.passwords['postgres']}@127.0.0.1:{self.forwards['postgres'].port}/{database}"

    @property
    def airflow(self) -> Airflow:
        """A client of Airflow's API."""
        return Airflow(self.url("airflow"), self.passwords["airflow_admin"])

    def close(self) -> None:
        """End the forwards; the namespaces stay for whoever wants to look, and the next start removes them."""
        for forward in self.forwards.values():
            forward.close()


def values() -> dict[str, str]:
    """What every manifest may name."""
    return {
        "platform": PLATFORM,
        "tasks": TASKS,
        "scale": SCALE,
        "image_prefix": setting("CT_IMAGE_PREFIX", "localhost/continuous-training/"),
        "image_tag": setting("CT_IMAGE_TAG", "test"),
        "postgres_image": setting("CT_POSTGRES_IMAGE", "postgres:17"),
        "minio_image": setting("CT_MINIO_IMAGE", "minio/minio:RELEASE.2025-09-07T16-13-09Z"),
    }


def manifest(name: str, **more: str) -> str:
    """One of the manifests, filled in."""
    return Template((MANIFESTS / f"{name}.yaml").read_text()).substitute(values() | more)


def secret(name: str, namespace: str, **entries: str) -> str:
    """A Secret as kubectl takes it from standard input; it never touches a disk or a command line."""
    data = {key: base64.b64encode(value.encode()).decode() for key, value in entries.items()}
    return json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "data": data})


def config_map(name: str, directory: Path) -> str:
    """A ConfigMap with a directory's Python files."""
    data = {path.name: path.read_text() for path in sorted(directory.glob("*.py"))}
    return json.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": PLATFORM}, "data": data}
    )


def start() -> Platform:
    """Bring up everything in two fresh namespaces."""
    kubectl("delete", "namespace", PLATFORM, TASKS, "--ignore-not-found", "--wait", "--timeout=180s")
    apply(manifest("namespaces"))
    names = {"postgres", "object_store", "airflow_admin", *(secret for _, secret in OWNERS.values()), *MEMBERS}
    platform = Platform({name: secrets.token_urlsafe(18) for name in names})
    _make_secrets(platform.passwords)
    for name in ("postgres", "object-store", "data-source"):
        apply(manifest(name))
    wait_for("statefulset/postgres", PLATFORM, "jsonpath={.status.readyReplicas}=1")
    platform.forwards["postgres"] = Forward(PLATFORM, "postgres", 5432)
    _make_databases(platform)
    apply(manifest("mlflow"))
    apply(manifest("airflow-rbac"))
    apply(config_map("dags", DAGS))
    apply(manifest("airflow"))
    for database in DATABASES:
        apply(manifest("migrate", database=database, database_slug=database.replace("_", "-")))
    wait_for("job", PLATFORM, "condition=complete", 300)
    for database in DATABASES:
        _grant(platform, database)
    for component, (account, token) in COMPONENTS.items():
        probe = API_PROBE if component == "api-server" else ""
        apply(manifest("airflow-component", component=component, service_account=account, token=token, probe=probe))
    apply(manifest("serving"))
    wait_for("deployment", PLATFORM, "condition=Available", 300)
    for name, port in (("mlflow", 5000), ("airflow", 8080), ("serving", 8000)):
        platform.forwards[name] = Forward(PLATFORM, name, port)
    return platform


def _make_secrets(passwords: dict[str, str]) -> None:
    def address(user: str, secret: str, database: str, driver: str = "postgresql") -> str:
        return f"{driver}://{user}:{passwords[secret]}@postgres.{PLATFORM}:5432/{database}"

    owners = {f"owner_{database}": address("ct_owner", "owner", database) for database in DATABASES}
    airflow = address("airflow", "airflow_database", "airflow", "postgresql+psycopg")
    for text in (
        secret("passwords", PLATFORM, postgres=passwords["postgres"], object_store=passwords["object_store"]),
        secret(
            "addresses",
            PLATFORM,
            mlflow=address("mlflow", "mlflow_database", "mlflow", "postgresql+psycopg2"),
            serving=address("serving", "serving", "continuous_training"),
            **owners,
        ),
        secret("continuous-training-database", TASKS, url=address("pipeline", "pipeline", "continuous_training")),
        secret("continuous-training-database-admin", TASKS, url=address("ct_owner", "owner", "continuous_training")),
        secret("group-2-database", TASKS, url=address("pipeline", "pipeline", "group_2")),
        secret("airflow-passwords", PLATFORM, **{"passwords.json": json.dumps({"admin": passwords["airflow_admin"]})}),
        secret(
            "airflow",
            PLATFORM,
            AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=airflow,
            AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC=airflow.replace("+psycopg:", "+psycopg_async:"),
            AIRFLOW__CORE__FERNET_KEY=base64.urlsafe_b64encode(os.urandom(32)).decode(),
            AIRFLOW__API__SECRET_KEY=secrets.token_urlsafe(48),
            AIRFLOW__API_AUTH__JWT_SECRET=secrets.token_urlsafe(48),
        ),
    ):
        apply(text)


def _make_databases(platform: Platform) -> None:
    create_owners(platform.passwords, platform.database_url("postgres"))
    with psycopg.connect(platform.database_url("postgres"), autocommit=True) as connection:
        for database in set(DATABASES) - set(OWNERS):
            connection.execute(f"CREATE DATABASE {database} OWNER ct_owner")


def _grant(platform: Platform, database: str) -> None:
    create_members(platform.passwords, platform.database_url("postgres"))
    with psycopg.connect(platform.database_url("postgres"), autocommit=True) as connection:
        connection.execute(f"GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {', '.join(MEMBERS)}")
