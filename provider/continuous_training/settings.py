"""The options of the section ``[continuous_training]`` of Airflow's configuration, and how they are read.

The table is the only list of them: the provider's metadata, the documentation test and the operators use it. Values are
read when a task runs, never when a DAG is parsed, so that a serialised DAG is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from continuous_training.version import __version__

SECTION = "continuous_training"


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option; ``default`` is text, as in a configuration file, and empty for none."""

    description: str
    default: str = ""
    example: str | None = None
    kind: str = "string"


OPTIONS: Mapping[str, Option] = {
    "runner": Option(
        description="Where tasks run: kubernetes (a pod each, of the task's image), docker (a container each, of the same "
        "image, on the worker's Docker engine) or process (in the image's own Python environment on the Airflow worker). "
        "An operator's runner argument wins.",
        default="kubernetes",
        example="process",
    ),
    "environments": Option(
        description="For the process runner: the directory that has one Python environment for each task image "
        "(collect, validate, ...). A relative path starts at the worker's working directory.",
        default=".envs",
        example="/opt/continuous-training/environments",
    ),
    "docker_network": Option(
        description="For the Docker runner: the network of the containers. With host they reach what the worker reaches by "
        "the same addresses; the name of another network keeps them apart.",
        default="host",
        example="continuous-training",
    ),
    "image_prefix": Option(
        description="What stands before the task's name in the name of its image: a registry and a path, or a path only.",
        default="continuous-training/",
        example="registry.example.org/continuous-training/",
    ),
    "image_tag": Option(description="The tag of the task images; the release of this provider.", default=__version__),
    "namespace": Option(
        description="The Kubernetes namespace of the task pods; empty for that of the connection or of Airflow itself.",
        example="continuous-training-tasks",
    ),
    "service_account": Option(
        description="The service account of the task pods, which never get its token; empty for the namespace's default.",
        example="continuous-training-tasks",
    ),
    "xcom_sidecar_image": Option(
        description="The image of the side-car that holds a task's result until it is read; empty for xcom-sidecar with the "
        "prefix and the tag above. A Kubernetes connection that names one (xcom_sidecar_container_image) wins.",
        example="registry.example.org/busybox:1.37",
    ),
    "database_secret": Option(
        description="The Kubernetes secret with the libpq URL of the pipeline's database, handed to tasks as CT_DATABASE_URL. "
        "The other runners take CT_DATABASE_URL from the environment of the Airflow worker.",
        default="continuous-training-database",
    ),
    "database_secret_key": Option(description="The key within that secret.", default="url"),
    "admin_database_secret": Option(
        description="The Kubernetes secret with the URL of a role that may create databases, handed to the scratch image only, "
        "as CT_ADMIN_DATABASE_URL. The other runners take it from the environment of the command line.",
        default="continuous-training-database-admin",
    ),
    "admin_database_secret_key": Option(description="The key within that secret.", default="url"),
    "keep_failed_pods": Option(
        description="Keep pods of failed tasks, so that they can be looked at with kubectl; somebody has to delete them.",
        default="False",
        kind="boolean",
    ),
    "mlflow_tracking_uri": Option(
        description="The MLflow tracking server as the tasks reach it (MLFLOW_TRACKING_URI).",
        example="http://mlflow.example.org:5000",
    ),
    "mlflow_public_url": Option(
        description="The same server as a person's browser reaches it, for links; empty if that is the same address.",
        example="https://mlflow.example.org",
    ),
    "dashboard_url": Option(
        description="The dashboard as a person's browser reaches it, for links; empty for no link.",
        example="https://dashboard.example.org",
    ),
    "source_url": Option(
        description="The data API that batches are collected from, unless the collect operator or the DAG names one.",
        example="http://source.example.org",
    ),
    "group_number": Option(description="The group whose data are asked for.", default="1", kind="integer"),
    "day": Option(
        description="The day that the data API is asked for; empty for an API that has no days.",
        example="Tuesday",
    ),
    "model_name": Option(description="The registered model in MLflow (CT_MODEL_NAME).", default="house-prices"),
    "experiment": Option(description="The MLflow experiment that runs are logged to (CT_EXPERIMENT).", default="house-prices"),
    "policy": Option(
        description="The decision policy: a name that the task images know, or the path of a YAML file in them (CT_POLICY).",
        default="strict",
    ),
    "code_version": Option(
        description="What the ledger and MLflow record as the version of the code (CT_CODE_VERSION): a commit or a release.",
        default="unknown",
    ),
    "seed": Option(description="The seed of everything random in the tasks (CT_SEED).", default="0", kind="integer"),
}


def option(name: str) -> str:
    """The value of an option: Airflow's configuration, or the default. Surrounding blanks do not count."""
    # Reading the configuration needs Airflow; the command line and the provider's metadata must not.
    from airflow.sdk.configuration import conf

    return str(conf.get(SECTION, name, fallback=OPTIONS[name].default) or "").strip()


def flag(name: str) -> bool:
    """The value of an option that is yes or no."""
    return option(name).lower() in {"true", "t", "1", "yes", "on"}
