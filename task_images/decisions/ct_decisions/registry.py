"""The registered model in MLflow: which version is the champion, and a version as something that predicts."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ct_contract import BadDataError, StepError, TryLaterError

MODEL_VARIABLE = "CT_MODEL_NAME"
DEFAULT_NAME = "house-prices"

PRODUCTION = "production"
CHALLENGER = "challenger"
PREVIOUS = "previous"

_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
_FINAL = (*_ABSENT, "INVALID_STATE", "PERMISSION_DENIED", "UNAUTHENTICATED")
"""Error codes of MLflow that a retry does not change."""


def model_name() -> str:
    """The registered model's name."""
    return os.environ.get(MODEL_VARIABLE) or DEFAULT_NAME


@dataclass(frozen=True)
class Version:
    """A registered version: its number as text, its MLflow run, its tags."""

    number: str
    run_id: str
    tags: Mapping[str, str]

    @property
    def batch_ids(self) -> list[int]:
        """The batches that it was trained on."""
        return [int(batch) for batch in self.tags.get("ct.batch_ids", "").split(",") if batch]


class Registry:
    """One registered model. Every method raises TryLaterError if MLflow is away, BadDataError if it refuses for good."""

    def __init__(self, name: str | None = None) -> None:
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # a log is no terminal
        # Files come through MLflow: the object store's address is MLflow's own, and need not be reachable from here.
        os.environ.setdefault("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "false")
        from mlflow import MlflowClient

        self.name = name or model_name()
        self.client = MlflowClient()
        # Models are read from here as long as this process lives; MLflow alone would leave a copy of each behind.
        self._files = tempfile.TemporaryDirectory(prefix="ct-models-", ignore_cleanup_errors=True)
        self._fetched: dict[str, Path] = {}

    def aliases(self) -> dict[str, str]:
        """Every alias with the number that it points to; empty if there is no such model."""
        from mlflow.exceptions import MlflowException

        try:
            found = self.client.get_registered_model(self.name)
        except MlflowException as error:
            if error.error_code in _ABSENT:
                return {}
            raise unavailable(error) from error
        return {alias: str(number) for alias, number in found.aliases.items()}

    def by_alias(self, alias: str) -> Version | None:
        """The version that an alias points to, or None."""
        return self._version(lambda: self.client.get_model_version_by_alias(self.name, alias))

    def by_number(self, number: str) -> Version | None:
        """A version by its number, or None."""
        return self._version(lambda: self.client.get_model_version(self.name, number))

    def require(self, number: str) -> Version:
        """The same, or BadDataError."""
        found = self.by_number(number)
        if found is None:
            raise BadDataError("UNKNOWN_VERSION", f"MLflow holds no version {number} of {self.name}. Nothing was changed.")
        return found

    @staticmethod
    def _version(ask: Any) -> Version | None:
        from mlflow.exceptions import MlflowException

        try:
            found = ask()
        except MlflowException as error:
            if error.error_code in _ABSENT:
                return None
            raise unavailable(error) from error
        return Version(str(found.version), str(found.run_id or ""), dict(found.tags))

    def files(self, version: Version) -> Path:
        """The directory of the version's files, kept as long as this process lives. Raises TryLaterError without them."""
        import mlflow.artifacts

        if version.number not in self._fetched:
            try:
                found = mlflow.artifacts.download_artifacts(
                    artifact_uri=f"models:/{self.name}/{version.number}",
                    dst_path=tempfile.mkdtemp(prefix=f"{version.number}-", dir=self._files.name),
                )
            except Exception as error:
                raise TryLaterError(
                    "MODEL_FILES_UNAVAILABLE",
                    f"the files of version {version.number} of {self.name} could not be fetched: {error}. Nothing was decided "
                    "and no alias was moved: see that MLflow and its artifact store answer, or move the alias to a version "
                    "whose files are there.",
                ) from error
            self._fetched[version.number] = Path(found)
        return self._fetched[version.number]

    def forget(self, version: Version) -> None:
        """Remove the version's files from this machine; they are fetched again when they are asked for."""
        directory = self._fetched.pop(version.number, None)
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)

    def load(self, version: Version) -> Any:
        """The version as an MLflow pyfunc model. Raises BadDataError if its files are there and do not load."""
        import mlflow.pyfunc

        files = self.files(version)
        try:
            return mlflow.pyfunc.load_model(str(files))
        except Exception as error:
            raise BadDataError(
                "MODEL_DOES_NOT_LOAD",
                f"version {version.number} of {self.name} does not load: {type(error).__name__}: {error}. "
                "Nothing was decided and no alias was moved: repair its files or move the alias to another version.",
            ) from error

    def run_document(self, version: Version, path: str) -> Any:
        """A JSON file of the version's MLflow run, or None if the run has no such file."""
        import mlflow.artifacts
        from mlflow.exceptions import MlflowException

        try:
            if not any(file.path == path for file in self.client.list_artifacts(version.run_id)):
                return None
            text = mlflow.artifacts.load_text(f"runs:/{version.run_id}/{path}")
        except MlflowException as error:
            raise unavailable(error) from error
        return json.loads(text)


def unavailable(error: Exception) -> StepError:
    """What MLflow's exception means for the step: a refusal for good, or an absence that a retry may end."""
    if getattr(error, "error_code", None) in _FINAL:
        return BadDataError("MLFLOW_REFUSED", f"MLflow refused: {error}. What had been done before was kept.")
    return TryLaterError("MLFLOW_UNAVAILABLE", f"MLflow did not answer: {error}. A retry goes on where this try ended.")
