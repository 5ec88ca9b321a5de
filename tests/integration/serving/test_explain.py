"""Explanations by a model as the pipeline trains it."""

from __future__ import annotations

import math
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "unit" / "model")]

from apps import OneModel, client_of, random_homes, train_model, wait_for_model  # noqa: E402

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train_model(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def settings(tmp_path):
    from ct_serving.settings import Settings

    return Settings(spool_directory=tmp_path / "spool", reload_seconds=0.1, flush_seconds=0.01)


def test_a_thousand_random_rows_add_up(trained, settings):
    predictor, homes = trained
    rows = random_homes(homes, 1000)
    seen = 0
    with client_of(settings, predictor) as client:
        for start in range(0, len(rows), 20):
            answer = client.post("/explain", json={"instances": rows[start : start + 20]})
            assert answer.status_code == 200, answer.text
            for row in answer.json()["explanations"]:
                seen += 1
                assert row["error"] is None
                parts = row["contributions"]
                assert row["base"]["log"] + math.fsum(part["log"] for part in parts) == pytest.approx(
                    math.log(row["price"]), rel=0, abs=1e-6
                )
                dollars = math.fsum(part["usd"] for part in parts)
                assert row["base"]["price"] + dollars == pytest.approx(row["price"], rel=1e-9)
                assert {part["field"] for part in parts} >= {"location", "house_size", "bed", "bath"}
    assert seen == 1000


def test_an_explanation_is_of_the_price_that_was_given_and_one_inference_with_it(trained, settings, serving_url, database_url):
    from dataclasses import replace

    predictor, homes = trained
    home = random_homes(homes, 1)[0]
    with client_of(replace(settings, database_url=serving_url), predictor) as client:
        mine = {"X-Request-ID": str(uuid4())}
        price = client.post("/predict", json=home, headers=mine).json()
        same = client.post("/explain", json=home, headers=mine).json()
        assert {name: same[name] for name in price} == price
        other = client.post("/explain", json={"instances": [home, {"bed": -1}]})
        good, bad = other.json()["explanations"]
        assert (good["price"], good["contributions"]) == (price["price"], same["contributions"])
        assert (bad["base"], bad["contributions"], bad["error"]["detail"][0]["field"]) == (None, [], "bed")
        refused = client.post("/explain", json={"bed": -1})
        assert (refused.status_code, refused.json()["detail"][0]["field"]) == (422, "bed")
        many = client.post("/explain", json={"instances": [home] * 21})
        assert (many.status_code, many.json()["detail"][0]["given"]) == (422, "21 properties")
        metrics = client.get("/metrics").text
        assert 'ct_explanations_total{result="ok"} 2.0' in metrics
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT request_id, row_number, status, http_status FROM raw.inferences ORDER BY received_at, row_number"
        ).fetchall()
    assert rows == [
        (UUID(mine["X-Request-ID"]), 0, "ok", 200),
        (UUID(other.json()["request_id"]), 0, "ok", 200),
        (UUID(other.json()["request_id"]), 1, "invalid", 200),
        (UUID(refused.json()["request_id"]), 0, "invalid", 422),
    ]


class Slow:
    """The trained model, whose explanations take their time, or are wrong, or do not exist."""

    def __init__(self, predictor, *, seconds=0.0, shift=0.0):
        self.predictor = predictor
        self.seconds = seconds
        self.shift = shift

    def predict(self, data):
        return self.predictor.predict(data)

    def contributions(self, data):
        time.sleep(self.seconds)
        found = self.predictor.unwrap_python_model().contributions(data)
        return found.assign(base=found["base"] + self.shift)


def test_explanations_have_their_own_threads_and_an_end_of_their_queue(trained, settings):
    from dataclasses import replace

    predictor, homes = trained
    home = random_homes(homes, 1)[0]
    bounded = replace(settings, explain_threads=1, explain_waiting=1)
    with client_of(bounded, Slow(predictor, seconds=1.0)) as client, ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(client.post, "/explain", json=home) for _ in range(4)]
        time.sleep(0.3)
        started = time.monotonic()
        assert client.post("/predict", json=home).status_code == 200
        assert client.post("/predict", json={"instances": [home] * 100}).status_code == 200
        assert time.monotonic() - started < 0.7, "a price waited for an explanation"
        answers = [one.result() for one in asked]
    assert sorted(answer.status_code for answer in answers) == [200, 200, 503, 503]
    busy = next(answer for answer in answers if answer.status_code == 503)
    assert busy.headers["Retry-After"] == "2"
    assert "nothing was priced" in busy.json()["detail"][0]["message"]


def test_parts_that_do_not_add_up_are_never_shown(trained, settings):
    predictor, homes = trained
    home = random_homes(homes, 1)[0]
    with client_of(settings, Slow(predictor, shift=1e-5)) as client:
        wrong = client.post("/explain", json=home)
        assert wrong.status_code == 500
        assert "miss the logarithm of the price" in wrong.json()["detail"][0]["message"]
        assert "contributions" not in wrong.json()
        assert 'ct_explanations_total{result="not_additive"} 1.0' in client.get("/metrics").text


def test_a_model_that_explains_nothing_says_so(trained, settings):
    class Silent:
        predict = staticmethod(trained[0].predict)

    with client_of(settings, Silent()) as client:
        answer = client.post("/explain", json={})
        assert (answer.status_code, answer.json()["detail"][0]["field"]) == (501, "model")


def test_without_a_model_the_refusal_is_that_of_predict(settings):
    with client_of(settings) as client:
        answer = client.post("/explain", json={})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_a_model_that_is_swapped_while_it_explains_explains_its_own_price(trained, settings):
    from ct_serving.app import create_app
    from fastapi.testclient import TestClient

    predictor, homes = trained
    home = random_homes(homes, 1)[0]

    class Cheaper(Slow):
        def predict(self, data):
            return self.predictor.predict(data) * 0.5

        def contributions(self, data):
            found = super().contributions(data)
            return found.assign(base=found["base"] + math.log(0.5))

    registry = OneModel(Slow(predictor, seconds=0.7), "1")
    app = create_app(settings, registry)
    with TestClient(app) as client, ThreadPoolExecutor(1) as pool:
        wait_for_model(app)
        asked = pool.submit(client.post, "/explain", json=home)
        time.sleep(0.2)
        registry.predictor, registry.number = Cheaper(predictor), "2"
        app.state.service.poller.look()
        after = client.post("/explain", json=home).json()
        before = asked.result().json()
    assert (before["model"]["version"], after["model"]["version"]) == ("1", "2")
    assert after["price"] == pytest.approx(before["price"] / 2)
    assert after["base"]["log"] == pytest.approx(before["base"]["log"] + math.log(0.5))
