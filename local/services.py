"""The programs of the stack: command, environment, health address. Every one runs in its own Python environment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping

from local.databases import DATABASE
from local.environments import ENVIRONMENTS, ROOT
from local.postgres import PostgresServer, account
from local.processes import Program
from local.settings import Settings, write_private

AIRFLOW_COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")

INHERITED = ("HOME", "USER", "LOGNAME", "TZ", "TMPDIR", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
INHERITED_PREFIXES = ("SSL_", "REQUESTS_CA")

DATABASE_SETTINGS = {
    "max_connections": "120",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "2GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "random_page_cost": "1.1",
    "jit": "off",
}


def base_environment(environment: str) -> dict[str, str]:
    """What a program gets of ours: no secrets, no settings of another Airflow, MLflow or Python."""
    kept = {name: value for name, value in os.environ.items() if name in INHERITED or name.startswith(INHERITED_PREFIXES)}
    direct = ",".join(filter(None, (os.environ.get("no_proxy") or os.environ.get("NO_PROXY"), "127.0.0.1,localhost")))
    binaries = ENVIRONMENTS / environment / "bin"
    return kept | {
        "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "no_proxy": direct,
        "NO_PROXY": direct,
    }


def executable(environment: str, name: str) -> str:
    """The path of a program of one of the environments."""
    return str(ENVIRONMENTS / environment / "bin" / name)


def postgres_server(settings: Settings) -> PostgresServer:
    """The stack's PostgreSQL."""
    directory = settings.postgres_directory or settings.state / "postgres"
    return PostgresServer(directory, settings.ports["postgres"], settings.secrets["postgres"], DATABASE_SETTINGS)


def programs(settings: Settings, server: PostgresServer) -> list[Program]:
    """Every program of the stack, the database first. ``server`` must be initialised."""
    source = [] if settings.stream.source_url else [_source(settings)]
    return [_postgres(server), _mlflow(settings), *source, *_airflow(settings), _serving(settings), _dashboard(settings)]


def _postgres(server: PostgresServer) -> Program:
    return Program(
        name="postgres",
        command=server.command(),
        directory=server.directory,
        env={"LANG": "C.UTF-8", "PATH": os.defpath},
        stop_signal=signal.SIGINT,
        stop_seconds=20,
        user=account(),
    )


def _mlflow(settings: Settings) -> Program:
    artifacts = settings.state / "mlflow" / "artifacts"
    artifacts.mkdir(parents=True, exist_ok=True)
    url = settings.database_url("mlflow", "mlflow", "mlflow_database")
    return Program(
        name="mlflow",
        command=[
            executable("mlflow", "mlflow"), "server", "--host", "127.0.0.1", "--port", str(settings.ports["mlflow"]),
            "--workers", "1", "--artifacts-destination", str(artifacts), "--serve-artifacts",
            "--allowed-hosts", "localhost,localhost:*,127.0.0.1,127.0.0.1:*",
        ],
        directory=settings.state / "mlflow",
        env=base_environment("mlflow")
        | {
            "MLFLOW_BACKEND_STORE_URI": url.replace("postgresql://", "postgresql+psycopg2://", 1),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        },
        health=f"{settings.url('mlflow')}/health",
    )  # fmt: skip


def _source(settings: Settings) -> Program:
    stream = settings.stream
    directory = settings.state / "source"
    directory.mkdir(parents=True, exist_ok=True)
    listings = ["--listings", stream.listings] if stream.listings else []
    return Program(
        name="source",
        command=[
            executable("data_source", "python"), "-m", "ct_data_source", "--host", "127.0.0.1",
            "--port", str(settings.ports["source"]), "--scale", f"{stream.scale:g}", "--seed", str(stream.seed), *listings,
            "--edition", "2025" if stream.day else "2026",
            "--state", str(directory / "cursors.json"), "--cache", str(directory / "cache"),
        ],
        directory=directory,
        env=base_environment("data_source"),
        health=f"{settings.url('source')}/health",
    )  # fmt: skip


def code_version() -> str:
    """The commit of the clone, marked when files differ from it; "unknown" outside of a clone."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "unknown"


def airflow_environment(settings: Settings) -> dict[str, str]:
    """What every component of Airflow is told, the provider's own section and the tasks' secret included."""
    home = settings.state / "airflow"
    home.mkdir(parents=True, exist_ok=True)
    passwords = home / "passwords.json"
    write_private(passwords, json.dumps({"admin": settings.secrets["airflow_admin"]}))
    url = settings.database_url("airflow", "airflow", "airflow_database")
    own = settings.url("airflow")
    sections: dict[str, dict[str, object]] = {
        "core": {
            "executor": "LocalExecutor",
            "parallelism": 2,
            "load_examples": False,
            "dags_folder": ROOT / "provider" / "continuous_training" / "example_dags",
            # The first import of everything on a busy machine takes longer than the usual 30 s.
            "dagbag_import_timeout": 300,
            "plugins_folder": ROOT / "local" / "airflow_plugins",
            "dags_are_paused_at_creation": False,
            "execution_api_server_url": f"{own}/execution/",
            "fernet_key": settings.secrets["airflow_fernet"],
            "simple_auth_manager_users": "admin:admin",
            "simple_auth_manager_passwords_file": passwords,
        },
        "database": {
            "sql_alchemy_conn": url.replace("postgresql://", "postgresql+psycopg://", 1),
            "sql_alchemy_conn_async": url.replace("postgresql://", "postgresql+psycopg_async://", 1),
            "sql_alchemy_pool_size": 3,
        },
        "api": {
            "host": "127.0.0.1",
            "port": settings.ports["airflow"],
            "workers": 1,
            "base_url": own,
            "secret_key": settings.secrets["airflow_api"],
        },
        "api_auth": {"jwt_secret": settings.secrets["airflow_jwt"]},
        "scheduler": {
            # A stack that was stopped in the middle of a run goes on with it half a minute after the next start.
            "orphaned_tasks_check_interval": 30,
            "task_instance_heartbeat_timeout": 60,
        },
        "dag_processor": {
            "parsing_processes": 1,
            "dag_file_processor_timeout": 400,
            "min_file_process_interval": 600,
            "refresh_interval": 600,
            "print_stats_interval": 600,
        },
        "logging": {
            "base_log_folder": home / "logs",
            "worker_log_server_port": settings.ports["airflow_worker_logs"],
            "trigger_log_server_port": settings.ports["airflow_trigger_logs"],
            "colored_console_log": False,
        },
        # The first calls of tasks meet an API server that is still warming up.
        "workers": {"execution_api_timeout": 60},
        "usage_data_collection": {"enabled": False},
        "continuous_training": {
            "runner": "process",
            "environments": ENVIRONMENTS,
            "mlflow_tracking_uri": settings.url("mlflow"),
            "dashboard_url": settings.url("dashboard"),
            "source_url": settings.source,
            "group_number": settings.stream.group,
            "day": settings.stream.day or "",
            "policy": settings.policy,
            "code_version": code_version(),
        },
    }
    options = {
        f"AIRFLOW__{section.upper()}__{name.upper()}": str(value)
        for section, values in sections.items()
        for name, value in values.items()
    }
    secrets = {"CT_DATABASE_URL": settings.database_url(DATABASE, "pipeline", "pipeline")}
    return base_environment("airflow") | {"AIRFLOW_HOME": str(home)} | options | secrets


def _airflow(settings: Settings) -> list[Program]:
    env = airflow_environment(settings)
    health = {"api-server": f"{settings.url('airflow')}/execution/health"}
    return [
        Program(
            name=f"airflow-{component}",
            command=[executable("airflow", "airflow"), component],
            directory=settings.state / "airflow",
            env=env,
            health=health.get(component),
        )
        for component in AIRFLOW_COMPONENTS
    ]


def _serving(settings: Settings) -> Program:
    spool = settings.state / "serving" / "spool"
    spool.mkdir(parents=True, exist_ok=True)
    return Program(
        name="serving",
        command=[
            executable("serving", "python"), "-m", "ct_serving", "--host", "127.0.0.1",
            "--port", str(settings.ports["serving"]),
        ],
        directory=settings.state / "serving",
        env=base_environment("serving")
        | {
            "CT_DATABASE_URL": settings.database_url(DATABASE, "serving", "serving"),
            "MLFLOW_TRACKING_URI": settings.url("mlflow"),
            "CT_SPOOL_DIR": str(spool),
            "CT_RELOAD_SECONDS": "5",
            "CT_ADMIN_TOKEN": settings.secrets["serving_admin"],
        },
        health=f"{settings.url('serving')}/health/live",
    )  # fmt: skip


def _dashboard(settings: Settings) -> Program:
    return Program(
        name="dashboard",
        command=[
            executable("dashboard", "python"), "-m", "ct_dashboard", "--host", "127.0.0.1",
            "--port", str(settings.ports["dashboard"]),
        ],
        directory=settings.state,
        env=base_environment("dashboard")
        | {
            "CT_DATABASE_URL": settings.database_url(DATABASE, "dashboard", "dashboard"),
            "CT_SERVING_URL": settings.url("serving"),
            **public_addresses(settings),
        },
        health=f"{settings.url('dashboard')}/_stcore/health",
    )  # fmt: skip


def public_addresses(settings: Settings) -> Mapping[str, str]:
    """Where a person's browser finds the others."""
    return {
        "CT_PUBLIC_AIRFLOW_URL": settings.url("airflow"),
        "CT_PUBLIC_MLFLOW_URL": settings.url("mlflow"),
        "CT_PUBLIC_SERVING_URL": settings.url("serving"),
    }


def migration(settings: Settings) -> tuple[list[str], dict[str, str]]:
    """Command and environment that bring the project's database to its newest schema."""
    env = base_environment("store") | {"CT_DATABASE_URL": settings.database_url(DATABASE, "ct_owner", "owner")}
    return [executable("store", "python"), "-m", "ct_store.migrate"], env


def airflow_first_import(settings: Settings) -> tuple[list[str], dict[str, str]]:
    """Command and environment that import what all of Airflow's components import.

    Python keeps what it compiled, so that four components that start together do not each compile the same modules.
    """
    return [executable("airflow", "python"), "-c", "import continuous_training.dag"], airflow_environment(settings)


def airflow_migration(settings: Settings) -> tuple[list[str], dict[str, str]]:
    """Command and environment that bring Airflow's database to its newest schema."""
    return [executable("airflow", "airflow"), "db", "migrate"], airflow_environment(settings)
