from __future__ import annotations

import asyncio
import json
import threading
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from ct_serving.batching import MOST_ROWS, Batcher, NotOnRecordError
from ct_serving.log_queue import Entry
from ct_serving.metrics import Metrics
from ct_serving.model_holder import LoadedModel, ModelHolder
from ct_serving.raw_table import InferenceRow
from ct_serving.schemas import EXAMPLE, FIELDS, Property
from ct_serving.settings import Settings
from ct_serving.shadow import Shadow
from ct_serving.usual import values_of

pytestmark = pytest.mark.unit

SIZE = FIELDS.index("house_size")
BODY = json.dumps(EXAMPLE).encode()


def sized(size: float) -> tuple[Any, ...]:
    return values_of(Property.model_validate({**EXAMPLE, "house_size": size}))


class Model:
    """So many dollars a square foot; a home of 13 square feet cannot be priced."""

    def __init__(self, version: str, dollars: float) -> None:
        self.calls: list[int] = []
        self.dollars = dollars
        self.loaded = LoadedModel("m", version, "production", None, None, datetime.now(UTC), predict_rows=self.predict_rows)

    def predict_rows(self, rows):
        self.calls.append(len(rows))
        sizes = np.array([row[SIZE] for row in rows], dtype=float)
        if 13 in sizes:
            raise ValueError("unlucky")
        return np.column_stack([sizes * self.dollars, sizes * self.dollars / 2, sizes * self.dollars * 2])


class Log:
    """Keeps what it is given; ``told`` is called from another thread when the test says so."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.half_full = False

    def add_encoded(self, rows, told=None) -> Entry:
        self.entries.append(Entry(rows, told))
        return self.entries[-1]

    def tell(self, kept: bool) -> None:
        for entry in self.entries:
            if entry.kept is None:
                thread = threading.Thread(target=entry.end, args=(kept,))
                thread.start()
                thread.join()

    def rows(self) -> list[dict[str, Any]]:
        lines = [json.loads(row) for entry in self.entries for row in entry.rows]
        return [dict(zip(InferenceRow._fields, line, strict=True)) for line in lines]


def parts(**settings: Any) -> tuple[Model, ModelHolder, Log, Batcher]:
    model, holder, log, metrics = Model("1", 100), ModelHolder(), Log(), Metrics()
    holder.replace(model.loaded)
    shadow = Shadow(ModelHolder(), holder, log, metrics)
    return model, holder, log, Batcher(holder, log, metrics, Settings(**settings), shadow)


def test_what_waits_in_one_turn_is_one_call_and_every_one_gets_its_own_answer():
    model, _, log, batcher = parts(durable=False)

    async def ask() -> list[bytes | None]:
        return await asyncio.gather(*(batcher.price(f"r{size}", sized(size), BODY, "c") for size in range(300, 330)))

    answers = [json.loads(answer) for answer in asyncio.run(ask())]
    assert model.calls == [30]
    assert [(answer["request_id"], answer["price"]) for answer in answers] == [
        (f"r{size}", size * 100) for size in range(300, 330)
    ]
    assert {row["request_id"]: row["price"] for row in log.rows()} == {a["request_id"]: a["price"] for a in answers}
    assert answers[0]["model"] == {"name": "m", "version": "1", "alias": "production", "run_id": None}
    assert answers[0]["interval"] == {"low": 15_000, "high": 60_000, "level": 0.9}
    assert log.rows()[0]["input"] == EXAMPLE


def test_a_crowd_is_priced_in_several_calls():
    model, _, _, batcher = parts(durable=False)

    async def ask() -> None:
        await asyncio.gather(*(batcher.price("r", sized(500), BODY, None) for _ in range(MOST_ROWS + 5)))

    asyncio.run(ask())
    assert model.calls == [MOST_ROWS, 5]


def test_no_answer_before_its_row_is_safe():
    _, _, log, batcher = parts(durable=True)

    async def ask() -> None:
        asked = asyncio.ensure_future(batcher.price("r", sized(500), BODY, None))
        await asyncio.sleep(0.05)
        assert len(log.rows()) == 1
        assert not asked.done()
        await asyncio.to_thread(log.tell, True)
        assert json.loads(await asyncio.wait_for(asked, 5))["price"] == 50_000

    asyncio.run(ask())


@pytest.mark.parametrize("how", ["dropped", "too late"])
def test_a_price_whose_row_is_not_safe_is_not_given(how):
    _, _, log, batcher = parts(durable=True, durable_seconds=0.05)

    async def ask() -> None:
        asked = asyncio.ensure_future(batcher.price("r", sized(500), BODY, None))
        await asyncio.sleep(0.01)
        if how == "dropped":
            await asyncio.to_thread(log.tell, False)
        with pytest.raises(NotOnRecordError):
            await asyncio.wait_for(asked, 5)
        await asyncio.to_thread(log.tell, True)

    asyncio.run(ask())
    assert batcher._metrics.registry.get_sample_value("ct_prediction_price_usd_count") == 0


def test_a_batch_that_cannot_be_priced_together_is_handed_back():
    _, _, log, batcher = parts(durable=True)

    async def ask() -> list[bytes | None]:
        return await asyncio.gather(*(batcher.price("r", sized(size), BODY, None) for size in (500, 13, 600)))

    assert asyncio.run(ask()) == [None, None, None]
    assert log.rows() == []


def test_a_batch_is_of_one_model_and_names_it():
    first, holder, log, batcher = parts(durable=True)
    second = Model("2", 200)

    async def ask() -> list[Any]:
        early = asyncio.ensure_future(batcher.price("r1", sized(500), BODY, None))
        await asyncio.sleep(0.01)
        holder.replace(second.loaded)
        late = asyncio.ensure_future(batcher.price("r2", sized(500), BODY, None))
        await asyncio.sleep(0.01)
        await asyncio.to_thread(log.tell, True)
        return [json.loads(answer) for answer in await asyncio.gather(early, late)]

    answers = asyncio.run(ask())
    assert [(answer["model"]["version"], answer["price"]) for answer in answers] == [("1", 50_000), ("2", 100_000)]
    assert [(row["model_version"], row["price"]) for row in log.rows()] == [("1", 50_000), ("2", 100_000)]
    assert first.calls == second.calls == [1]
