"""MLflow's registry as serving sees it: which version the alias names, and how a version is loaded beside the running one."""

from __future__ import annotations

import gc
import logging
import random
import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ct_serving.domain import Domain, read_domain
from ct_serving.model_holder import LoadedModel
from ct_serving.schemas import EXAMPLE, FIELDS, Property
from ct_serving.usual import Values, values_of

logger = logging.getLogger(__name__)

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


SAME_PRICE = 1e-9
"""How far, relatively, a model's own way for rows may be from its standard interface."""
_PROBES = 200


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
            import mlflow.pyfunc

            # What is imported by now stays: the collector need not look through it while requests wait.
            gc.freeze()
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
            return _warmed_up(model)
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def _warmed_up(model: LoadedModel) -> LoadedModel:
    """The model after it has priced the golden rows, with its own way for rows if that gives the same prices.

    Raises what is wrong with it.
    """
    model.predict(GOLDEN_ROWS)
    for row in GOLDEN_ROWS:
        model.predict([row])
    fast = _own_way(model)
    if fast is None:
        return model
    rows = [*(values_of(row) for row in GOLDEN_ROWS), *_probes(model.domain)]
    try:
        apart = float(np.max(np.abs(fast.price(rows) / model.price(rows) - 1)))
        for values in rows[: len(GOLDEN_ROWS)]:
            fast.price([values])
    except Exception as error:
        apart, reason = np.inf, f"it fails: {error!r}"
    else:
        reason = f"its prices differ by up to {apart:.1e}"
    if apart <= SAME_PRICE:
        return fast
    logger.warning("version %s prices rows in its own way, which is not used because %s", model.version, reason)
    return model


def _own_way(model: LoadedModel) -> LoadedModel | None:
    """The model with ``predict_rows`` of the Python model that it wraps, if that has one and takes our fields in our order."""
    try:
        price_rows = model.predictor.unwrap_python_model().predict_rows  # type: ignore[attr-defined]
    except Exception:  # MLflow's own, where there is no Python model
        return None
    return replace(model, predict_rows=price_rows) if [column["name"] for column in model.inputs] == list(FIELDS) else None


def _probes(domain: Domain) -> list[Values]:
    """Rows all over what a model has seen, always the same ones."""
    chance = random.Random(0)  # noqa: S311
    texts = {name: sorted(values) for name, values in domain.known.items() if values}
    rows = []
    for _ in range(_PROBES):
        row: dict[str, Any] = {name: chance.choice(values) for name, values in texts.items()}
        row |= {name: round(chance.uniform(low, high), 2) for name, (low, high) in domain.ranges.items()}
        row["prev_sold_date"] = f"{chance.randrange(1950, 2024)}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}"
        row["brokered_by"] = chance.randrange(110_000)
        rows.append(tuple(None if chance.random() < 0.1 else row.get(name) for name in FIELDS))
    return rows
