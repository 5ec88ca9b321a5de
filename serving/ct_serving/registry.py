"""MLflow's registry as serving sees it: which version the alias names, and how a version is loaded beside the running one."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from ct_serving.domain import read_domain
from ct_serving.model_holder import LoadedModel
from ct_serving.schemas import EXAMPLE, Property

GOLDEN_ROWS = tuple(
    Property.model_validate(row)
    for row in (
        EXAMPLE,
        {},
        {"state": "California", "zip_code": "94110", "city": "San Francisco", "bed": 4, "bath": 3, "house_size": 2400},
        {"status": "a status", "state": "Nowhere", "city": "No Town", "zip_code": "99999", "bed": 0, "house_size": 1e6},
    )
)
"""A usual home, one of which nothing is known, one by hand, and one that no model has seen: a model must price them all."""


class RegistryError(Exception):
    """The registry does not answer."""


@dataclass(frozen=True)
class ModelVersion:
    """A version of the registered model."""

    name: str
    version: str
    alias: str
    run_id: str | None
    tags: dict[str, str]
    description: str


class Registry(Protocol):
    """Where models come from."""

    def version(self) -> ModelVersion | None:
        """The version that the alias names, or None if it names none. Raises RegistryError if nobody answers."""

    def load(self, version: ModelVersion) -> LoadedModel:
        """Load a version and warm it up with GOLDEN_ROWS. Raises whatever is wrong with it."""


class MlflowRegistry:
    """The registry of an MLflow server. MLflow is imported at first use: its import takes seconds, a start must not."""

    def __init__(self, tracking_uri: str, model_name: str, alias: str) -> None:
        self._uri = tracking_uri
        self._name = model_name
        self._alias = alias
        self._client: Any = None

    def version(self) -> ModelVersion | None:
        """The version that the alias names now."""
        if not self._uri:
            raise RegistryError("MLFLOW_TRACKING_URI is not set")
        from mlflow.exceptions import MlflowException

        try:
            found = self._connected().get_model_version_by_alias(self._name, self._alias)
        except MlflowException as error:
            # An unknown model is RESOURCE_DOES_NOT_EXIST, an unknown alias is INVALID_PARAMETER_VALUE.
            if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                return None
            raise RegistryError(f"MLflow at {self._uri} does not answer: {error}") from error
        except OSError as error:
            raise RegistryError(f"MLflow at {self._uri} does not answer: {error}") from error
        return ModelVersion(
            name=self._name,
            version=str(found.version),
            alias=self._alias,
            run_id=found.run_id or None,
            tags={str(key): str(value) for key, value in found.tags.items()},
            description=found.description or "",
        )

    def _connected(self) -> Any:
        if self._client is None:
            import mlflow

            # Artifacts and proxied downloads read the module's address, not the client's.
            mlflow.set_tracking_uri(self._uri)
            mlflow.set_registry_uri(self._uri)
            self._client = mlflow.MlflowClient(self._uri)
        return self._client

    def load(self, version: ModelVersion) -> LoadedModel:
        """Download a version to a directory of its own, load it and have it price the golden rows."""
        import mlflow

        self._connected()
        directory = Path(tempfile.mkdtemp(prefix="ct-model-"))
        try:
            local = mlflow.artifacts.download_artifacts(f"models:/{version.name}/{version.version}", dst_path=str(directory))
            predictor = mlflow.pyfunc.load_model(local)
            inputs = predictor.metadata.get_input_schema()
            model = LoadedModel(
                name=version.name,
                version=version.version,
                alias=version.alias,
                run_id=version.run_id,
                predictor=predictor,
                loaded_at=datetime.now(UTC),
                domain=read_domain(Path(local)),
                inputs=[] if inputs is None else inputs.to_dict(),
                tags=version.tags,
                description=version.description,
            )
            model.predict(GOLDEN_ROWS)
            for row in GOLDEN_ROWS:
                model.predict([row])
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        return model
