"""The values of a call's secrets, where no cluster gives them."""

from __future__ import annotations

from collections.abc import Mapping

from ct_contract import TaskCall

from continuous_training.runners.base import RunnerError


def secret_values(call: TaskCall, environ: Mapping[str, str]) -> dict[str, str]:
    """Each secret of the call from the same variable of the launcher's environment. Raises RunnerError for one it lacks."""
    values = {}
    for secret in call.secrets:
        if not environ.get(secret.name):
            raise RunnerError(
                f"{call.payload.task} needs the secret {secret.name}, which is not in the environment of the process that "
                f"starts it. Nothing ran. Set it there; on Kubernetes it is {secret.key!r} in the secret {secret.secret!r}"
            )
        values[secret.name] = environ[secret.name]
    return values
