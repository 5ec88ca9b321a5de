"""From an operator's arguments and Airflow's configuration to the task call, at the moment when the task runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow.providers.cncf.kubernetes.secret import Secret
from ct_contract import SecretRef
from kubernetes.client import models as k8s  # type: ignore[import-untyped]

from continuous_training.exceptions import ConfigurationError
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

RUNNERS = ("kubernetes", "process")


def choose_runner(argument: str | None) -> str:
    """The operator's argument, else the configuration. Raises ConfigurationError for one that does not exist."""
    runner = argument or option("runner")
    if runner not in RUNNERS:
        raise ConfigurationError(f"there is no runner {runner!r}: set [continuous_training] runner to {' or '.join(RUNNERS)}")
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


def secret_references(env_vars: Any, secrets: Iterable[Secret]) -> tuple[SecretRef, ...]:
    """Every secret that reaches the task as a variable: the operator's own and the database's.

    Raises ConfigurationError for what only a cluster can give: a variable from the pod's fields, a secret as a file.
    """
    found: dict[str, SecretRef] = {}
    for variable in () if isinstance(env_vars, Mapping) else env_vars or ():
        if variable.value_from is None:
            continue
        reference = variable.value_from.secret_key_ref
        if reference is None:
            raise ConfigurationError(f"the variable {variable.name} comes from the cluster, which the process runner has not")
        found[variable.name] = SecretRef(name=variable.name, secret=reference.name, key=reference.key)
    for secret in secrets:
        if secret.deploy_type != "env" or not secret.deploy_target or not secret.key:
            raise ConfigurationError(f"the secret {secret.secret} is not one variable: the process runner can give no other")
        found[secret.deploy_target] = SecretRef(name=secret.deploy_target, secret=secret.secret, key=secret.key)
    found.setdefault(DATABASE_VARIABLE, database_reference())
    return tuple(found.values())


def database_reference() -> SecretRef:
    """Where the libpq URL of the pipeline's database is kept."""
    return SecretRef(name=DATABASE_VARIABLE, secret=option("database_secret"), key=option("database_secret_key"))


def as_pod_variables(env: Mapping[str, str], references: Iterable[SecretRef]) -> list[k8s.V1EnvVar]:
    """Values as they are, secrets by reference."""
    plain = [k8s.V1EnvVar(name=name, value=value) for name, value in env.items()]
    return plain + [
        k8s.V1EnvVar(
            name=reference.name,
            value_from=k8s.V1EnvVarSource(secret_key_ref=k8s.V1SecretKeySelector(name=reference.secret, key=reference.key)),
        )
        for reference in references
    ]
