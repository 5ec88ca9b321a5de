from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from ct_serving.metrics import Metrics
from ct_serving.model_holder import LoadedModel, ModelHolder
from ct_serving.raw_table import InferenceRow
from ct_serving.schemas import FIELDS
from ct_serving.shadow import MOST_WAITING, Copy, Shadow

pytestmark = pytest.mark.unit


def loaded(version: str, predict_rows: Any) -> LoadedModel:
    return LoadedModel("m", version, "challenger", None, None, datetime.now(UTC), predict_rows=predict_rows)


def priced(rows: Any) -> Any:
    return np.tile([3.0, 2.0, 4.0], (len(rows), 1))


def broken(rows: Any) -> Any:
    raise ValueError("a challenger may be anything")


class Log:
    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.half_full = False

    def add_encoded(self, rows, told=None) -> None:
        self.rows += [dict(zip(InferenceRow._fields, json.loads(row), strict=True)) for row in rows]


class World:
    def __init__(self) -> None:
        self.challenger, self.primary, self.log, self.metrics = ModelHolder(), ModelHolder(), Log(), Metrics()
        self.shadow = Shadow(self.challenger, self.primary, self.log, self.metrics)
        self.primary.replace(loaded("1", priced))

    def offer(self, count: int) -> None:
        for number in range(count):
            copy = Copy(f"r{number}", 0, (None,) * len(FIELDS), b'{"bed":1}', b"2026-01-01T00:00:00+00:00", "c")
            self.shadow.offer(copy)

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    def wait(self, condition: Any) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture
def world():
    made = World()
    made.shadow.start()
    yield made
    made.shadow.stop()


def test_copies_are_priced_and_recorded_in_their_role(world):
    assert not world.shadow.wanted
    world.challenger.replace(loaded("2", priced))
    assert world.shadow.wanted
    world.offer(300)
    world.wait(lambda: len(world.log.rows) == 300)
    assert {row["role"] for row in world.log.rows} == {"shadow"}
    assert {(row["model_version"], row["price"]) for row in world.log.rows} == {("2", 3.0)}
    assert world.metric("ct_predictions_total", version="2", role="shadow") == 300


def test_a_challenger_that_fails_costs_only_a_count(world):
    world.challenger.replace(loaded("2", broken))
    world.offer(5)
    world.wait(lambda: world.metric("ct_shadow_failed_total") == 5)
    assert world.log.rows == []
    world.challenger.replace(loaded("3", priced))
    world.offer(1)
    world.wait(lambda: len(world.log.rows) == 1)


def test_the_model_that_answers_has_no_shadow_of_its_own(world):
    world.challenger.replace(loaded("1", priced))
    world.offer(3)
    world.challenger.replace(loaded("2", priced))
    world.offer(2)
    world.wait(lambda: len(world.log.rows) >= 2)
    assert {row["model_version"] for row in world.log.rows} == {"2"}


def test_what_does_not_fit_is_left_out_and_counted():
    world = World()
    world.challenger.replace(loaded("2", priced))
    world.offer(MOST_WAITING + 7)
    assert world.metric("ct_shadow_left_out_total") == 7
    world.log.half_full = True
    world.shadow.start()
    world.wait(lambda: world.metric("ct_shadow_left_out_total") == MOST_WAITING + 7)
    world.shadow.stop()
    assert world.log.rows == []
