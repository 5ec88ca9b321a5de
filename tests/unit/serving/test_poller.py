from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from threading import Thread

import pandas as pd
import pytest
from ct_serving.metrics import Metrics
from ct_serving.model_holder import BadAnswerError, LoadedModel, ModelHolder
from ct_serving.poller import Poller
from ct_serving.registry import ModelVersion, RegistryError
from ct_serving.schemas import Property

pytestmark = pytest.mark.unit


class Prices:
    def __init__(self, **columns: list[float]) -> None:
        self.columns = columns

    def predict(self, data: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(self.columns)


def loaded(version: str, predictor: object | None = None) -> LoadedModel:
    return LoadedModel("m", version, "production", None, predictor or Prices(), datetime.now(UTC))


class Models:
    """A registry in memory: ``alias`` names a version, ``broken`` ones do not load."""

    def __init__(self) -> None:
        self.alias: str | None = None
        self.away = False
        self.broken: set[str] = set()
        self.loads: list[str] = []
        self.run_id: str | None = None
        self.tags: dict[str, str] = {}

    def version(self) -> ModelVersion | None:
        if self.away:
            raise RegistryError("nobody answers")
        return None if self.alias is None else ModelVersion("m", self.alias, "production", self.run_id, self.tags, "")

    def load(self, version: ModelVersion) -> LoadedModel:
        self.loads.append(version.version)
        if version.version in self.broken:
            raise RuntimeError("the artefact is broken")
        return replace(loaded(version.version), run_id=version.run_id)


@pytest.fixture
def parts() -> tuple[Models, ModelHolder, Metrics, Poller]:
    models, holder, metrics = Models(), ModelHolder(), Metrics()
    return models, holder, metrics, Poller(models, holder, metrics, interval=60.0)


def count(metrics: Metrics, result: str) -> float:
    value = metrics.registry.get_sample_value("ct_model_reload_total", {"result": result, "role": "primary"})
    assert value is not None
    return value


def test_every_state_of_the_registry_has_its_outcome(parts):
    models, holder, metrics, poller = parts
    models.away = True
    assert poller.look().result == "unavailable"
    models.away = False
    assert poller.look().result == "no_model"
    assert holder.current is None
    models.alias = "1"
    assert poller.look().result == "loaded"
    assert poller.look().result == "unchanged"
    assert holder.current.version == "1"
    assert models.loads == ["1"]
    for trouble in ("away", "no alias"):
        models.away, models.alias = trouble == "away", None
        assert poller.look().result in {"unavailable", "no_model"}
        assert holder.current.version == "1"
    assert [count(metrics, result) for result in ("loaded", "failed", "no_model", "unavailable")] == [1, 0, 2, 2]


def test_a_version_that_does_not_load_is_tried_again_with_patience_and_the_next_at_once(parts):
    models, holder, metrics, poller = parts
    models.alias = "1"
    poller.look()
    models.alias, models.broken = "2", {"2"}
    for _ in range(5):
        assert poller.look().result == "failed"
    assert models.loads == ["1", "2"]
    assert count(metrics, "failed") == 1
    assert "version 2 does not load; version 1 stays" in poller.last.detail
    assert poller.look(patient=False).result == "failed"
    assert models.loads == ["1", "2", "2"]
    models.alias = "3"
    assert poller.look().result == "loaded"
    assert holder.current.version == "3"


def test_a_version_that_was_repaired_loads_after_its_pause(parts, monkeypatch):
    models, holder, _, poller = parts
    models.alias, models.broken = "1", {"1"}
    poller.look()
    models.broken = set()
    assert poller.look().result == "failed"
    monkeypatch.setattr(poller, "_try_again_at", 0.0)
    assert poller.look().result == "loaded"
    assert holder.current.version == "1"


def test_a_version_that_has_not_loaded_for_a_day_is_still_waited_for(parts):
    models, _, _, poller = parts
    models.alias, models.broken = "1", {"1"}
    for _ in range(1500):
        assert poller.look(patient=False).result == "failed"
    assert poller.look().result == "failed"
    assert len(models.loads) == 1500


def test_a_version_of_another_run_is_another_model(parts):
    models, holder, _, poller = parts
    models.alias = "1"
    poller.look()
    models.run_id = "of a registered model that was deleted and made anew"
    assert poller.look().result == "loaded"
    assert holder.current.run_id == models.run_id


def test_what_the_registry_says_of_a_version_may_change_while_it_answers(parts):
    models, holder, _, poller = parts
    models.alias = "1"
    poller.look()
    models.tags = {"decision": "PROMOTE_BETTER"}
    assert poller.look().result == "unchanged"
    assert holder.current.tags == models.tags
    assert models.loads == ["1"]


def test_the_metric_names_the_model_that_answers_and_no_other(parts):
    models, _, metrics, poller = parts
    for version in ("1", "2"):
        models.alias = version
        poller.look()
    labels = {"model": "m", "alias": "production", "run_id": ""}
    assert metrics.registry.get_sample_value("ct_model_info", {**labels, "version": "2"}) == 1
    assert metrics.registry.get_sample_value("ct_model_info", {**labels, "version": "1"}) is None


def test_a_version_is_loaded_once_however_many_ask(parts):
    models, _, _, poller = parts
    models.alias = "1"
    threads = [Thread(target=poller.look, kwargs={"patient": False}) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert models.loads == ["1"]


@pytest.mark.parametrize(
    "columns",
    [
        {"price": [1.0], "price_low": [1.0]},
        {"price": [float("nan")], "price_low": [1.0], "price_high": [2.0]},
        {"price": [0.0], "price_low": [0.0], "price_high": [2.0]},
        {"price": [3.0], "price_low": [1.0], "price_high": [2.0]},
        {"price": [1.5, 1.5], "price_low": [1.0, 1.0], "price_high": [2.0, 2.0]},
        {"price": ["x"], "price_low": [1.0], "price_high": [2.0]},
    ],
)
def test_an_answer_that_is_no_price_is_an_error(columns):
    with pytest.raises(BadAnswerError):
        loaded("1", Prices(**columns)).predict([Property.model_validate({})])
