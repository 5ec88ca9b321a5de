"""What a shell needs to run a step of the stack by hand: a private file of variables, to be sourced."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from local.databases import DATABASE
from local.environments import ENVIRONMENTS
from local.settings import Settings, write_private

FILE = "by-hand.env"


def write_variables(settings: Settings) -> Path:
    """Write the file, readable by its owner only: where Airflow, the database and MLflow are, and how to get in."""
    values = {
        "CT_AIRFLOW_URL": settings.url("airflow"),
        "CT_AIRFLOW_USERNAME": "admin",
        "CT_AIRFLOW_PASSWORD": settings.secrets["airflow_admin"],
        "CT_DATABASE_URL": settings.database_url(DATABASE, "pipeline", "pipeline"),
        "CT_ADMIN_DATABASE_URL": settings.database_url(DATABASE, "ct_owner", "owner"),
        "MLFLOW_TRACKING_URI": settings.url("mlflow"),
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    lines.append(f'export PATH={shlex.quote(str(ENVIRONMENTS / "airflow" / "bin"))}{os.pathsep}"$PATH"')
    file = settings.state / FILE
    write_private(file, "\n".join(lines) + "\n")
    return file
