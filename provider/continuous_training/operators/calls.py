"""From an operator's arguments and Airflow's configuration to the task call, at the moment when the task runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from airflow.providers.cncf.kubernetes.secret import Secret
from ct_contract import SecretRef
from kubernetes.client import models as k8s  # type: ignore[import-untyped]

from continuous_training.exceptions import ConfigurationError
from continuous_training.kept_calls import ADMIN_VARIABLE, Places
from continuous_training.settings import option

DATABASE_VARIABLE = "CT_DATABASE_URL"

VARIABLES = {
    "CT_MODEL_NAME": "model_name",
    "CT_EXPERIMENT": "experiment",
    "CT_POLICY": "policy",
    "CT_CODE_VERSION": "code_version",
    "CT_SEED": "seed",
    "MLFLOW_TRACKING_URI": "mlflow_tracking_uri",
}
"""Variables that every task gets from the configuration, by option."""

RUNNERS = ("kubernetes", "docker", "process")


def choose_runner(argument: str | None) -> str:
    """The operator's argument, else the configuration. Raises ConfigurationError for one that does not exist."""
    runner = argument or option("runner")
    if runner not in RUNNERS:
        known = f"{', '.join(RUNNERS[:-1])} or {RUNNERS[-1]}"
        raise ConfigurationError(f"there is no runner {runner!r}: set [continuous_training] runner to {known}")
    return runner


def image_name(task: str) -> str:
    """The image of a task, as the configuration names it."""
    return f"{option('image_prefix')}{task}:{option('image_tag')}"


def configured_variables(image: str) -> dict[str, str]:
    """What the configuration tells every task; empty values are left out."""
    values = {variable: option(name) for variable, name in VARIABLES.items()} | {"CT_IMAGE": image}
    return {variable: value for variable, value in values.items() if value}


def plain_variables(env_vars: Any) -> dict[str, str]:
    """The operator's own variables that have a value of their own."""
    if isinstance(env_vars, Mapping):
        return {str(name): str(value) for name, value in env_vars.items()}
    return {variable.name: variable.value or "" for variable in env_vars or () if variable.value_from is None}


def secret_references(env_vars: Any, secrets: Iterable[Secret], *, cluster: bool) -> tuple[SecretRef, ...]:
    """Every secret that reaches the task as a variable: the operator's own and the database's.

    Raises ConfigurationError for what only a cluster can give, a variable from the pod's fields or a secret as a file; with
    ``cluster`` these are left out, because the pod has them from elsewhere.
    """
    found: dict[str, SecretRef] = {}
    for variable in () if isinstance(env_vars, Mapping) else env_vars or ():
        if variable.value_from is None:
            continue
        reference = variable.value_from.secret_key_ref
        if reference is None:
            if cluster:
                continue
            raise ConfigurationError(f"the variable {variable.name} comes from the cluster, which only the pods of it have")
        found[variable.name] = SecretRef(name=variable.name, secret=reference.name, key=reference.key)
    for secret in secrets:
        if secret.deploy_type != "env" or not secret.deploy_target or not secret.key:
            if cluster:
                continue
            raise ConfigurationError(f"the secret {secret.secret} is not one variable: only a pod can be given another")
        found[secret.deploy_target] = SecretRef(name=secret.deploy_target, secret=secret.secret, key=secret.key)
    found.setdefault(DATABASE_VARIABLE, database_reference())
    return tuple(found.values())


def amounts(resources: k8s.V1ResourceRequirements | None, kind: str) -> dict[str, str]:
    """The requests or the limits of the operator's resources."""
    return {name: str(amount) for name, amount in (getattr(resources, kind, None) or {}).items()}


def places(runner: str, namespace: str | None, service_account: str | None) -> Places:
    """Where the task runs, and what other places need to run it again; the operator's own arguments win."""
    return Places(
        runner=runner,
        environments=str(Path(option("environments")).absolute()),
        docker_network=option("docker_network"),
        namespace=namespace or option("namespace"),
        service_account=service_account or option("service_account"),
        sidecar_image=sidecar_image(),
        scratch_image=image_name("scratch"),
        admin=SecretRef(name=ADMIN_VARIABLE, secret=option("admin_database_secret"), key=option("admin_database_secret_key")),
    )


def sidecar_image() -> str:
    """The image of the pods' side-car, as the configuration names it."""
    return option("xcom_sidecar_image") or image_name("xcom-sidecar")


def database_reference() -> SecretRef:
    """Where the libpq URL of the pipeline's database is kept."""
    return SecretRef(name=DATABASE_VARIABLE, secret=option("database_secret"), key=option("database_secret_key"))
