"""The challenger's alias: its prices are recorded beside those of the champion, and nobody else sees them."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from ct_evaluate.inferences import recent_requests
from waiting import wait_until

pytestmark = pytest.mark.integration

HOUSE = {"status": "for_sale", "state": "Puerto Rico", "zip_code": "00601", "house_size": 1000}


def in_role(url: str, role: str) -> list[dict[str, Any]]:
    with psycopg.connect(url, row_factory=psycopg.rows.dict_row) as connection:
        return connection.execute("SELECT * FROM raw.inferences WHERE role = %s", (role,)).fetchall()


def test_the_challenger_shadows_while_its_alias_is_set(registry, make_serving, serving_url, database_url, mlflow_server):
    champion, challenger, broken = registry.log(100), registry.log(300), registry.log(300, scale=9)
    registry.promote(champion)
    serving = make_serving(CT_DATABASE_URL=serving_url, MLFLOW_TRACKING_URI=mlflow_server.url, CT_MODEL_NAME=registry.name)
    serving.wait_for(champion)
    assert serving.client.post("/predict", json=HOUSE).json()["price"] == 100_000
    registry.client.set_registered_model_alias(registry.name, "challenger", challenger)
    info = 'ct_model_info{alias="challenger"'
    wait_until(lambda: info in serving.client.get("/metrics").text, 60, "the challenger is loaded")

    bodies = [HOUSE, {**HOUSE, "colour": "red"}, {"instances": [HOUSE, {"bed": -1}, {}]}, {"bed": -1}]
    ids = [serving.client.post("/predict", json=body).json()["request_id"] for body in bodies]
    wait_until(lambda: len(in_role(database_url, "shadow")) >= 4, 60, "the challenger's prices are on record")
    shadows = in_role(database_url, "shadow")
    assert sorted((str(row["request_id"]), row["row_number"]) for row in shadows) == sorted(
        [(ids[0], 0), (ids[1], 0), (ids[2], 0), (ids[2], 2)]
    )
    assert {(row["model_version"], row["price"]) for row in shadows} == {(challenger, 300_000)}
    assert {(row["model_version"], row["price"]) for row in in_role(database_url, "primary") if row["price"]} == {
        (champion, 100_000)
    }
    assert serving.metric(f'ct_predictions_total{{role="shadow",version="{challenger}"}}') == 4
    with psycopg.connect(database_url, row_factory=psycopg.rows.dict_row) as connection:
        assert len(recent_requests(connection, 100)) == 5

    registry.client.set_registered_model_alias(registry.name, "challenger", broken)
    failed = 'ct_model_reload_total{result="failed",role="shadow"}'
    wait_until(lambda: serving.metric(failed) > 0, 60, "the broken challenger was tried")
    assert serving.client.get("/health/ready").json()["degraded"] == []

    registry.client.delete_registered_model_alias(registry.name, "challenger")
    wait_until(lambda: info not in serving.client.get("/metrics").text, 60, "the challenger is gone")
    assert serving.client.post("/predict", json=HOUSE).status_code == 200
    wait_until(lambda: len(in_role(database_url, "primary")) == 8, 60, "all requests are on record")
    assert len(in_role(database_url, "shadow")) == 4
