"""Schemathesis against the OpenAPI document: no server error, and nothing that the document does not say.

Half of the cases are what the document allows, half are what it does not. ``make bench`` sends 5,000,
``CT_SCHEMATHESIS_CASES`` is the number that ``make test`` sends.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

import pytest
import schemathesis
from ct_serving.keys import hash_of
from ct_serving.settings import Settings
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests" / "integration" / "serving"), str(ROOT / "tests" / "unit" / "model"), str(ROOT / "local")]

from apps import NAME, served, train_model  # noqa: E402
from postgres import free_port  # noqa: E402

# Schemathesis draws some of its own choices from the random module.
pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")

KEY = "ct_of the tests"
REST = "without a body"
PARTS = (
    "/predict",
    "/explain",
    "/feedback",
    "/v2/models/{name}/infer",
    "/v2/models/{name}/versions/{version}/infer",
    REST,
)
WITH_BODY = len(PARTS) - 1
"""Operations that have a body; they get nine tenths of the cases."""


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    return train_model(tmp_path_factory.mktemp("trained"), 600)[0]


@pytest.fixture
def address(tmp_path, serving_url, predictor):
    keys = f"schemathesis:{hash_of(KEY.encode()).decode()}"
    settings = Settings(
        database_url=serving_url, spool_directory=tmp_path, flush_seconds=0.01, api_keys=keys, rate_per_second=0,
        admin_token=KEY,
    )  # fmt: skip
    with served(settings, predictor, free_port()) as address:
        yield address


def attack(address: str, cases: int, part: str | None = None) -> Counter[str]:
    """Send a part of at least ``cases`` cases, most of them to the operations with a body; how many there were of each.

    ``part`` is the path of an operation with a body, or REST: all that have none.
    """
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    sent: Counter[str] = Counter()
    for result in schema.get_all_operations():
        operation = result.ok()
        has_body = len(operation.body) > 0
        if part is not None and part != (operation.path if has_body else REST):
            continue
        examples = max(5, cases * 9 // (10 * WITH_BODY)) if has_body else max(5, cases // 100)
        attack_operation(operation, examples, sent)
    return sent


def attack_operation(operation, examples: int, sent: Counter[str]) -> None:
    """Send cases that the document allows and, where it forbids anything, as many that it does not."""
    # No JSON schema can say that tensors have as many values as rows, and as many rows as each other.
    excluded = [positive_data_acceptance] if operation.path.endswith("/infer") else []
    strategy = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    if len(operation.body) or len(operation.query):
        strategy |= operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

    @settings(max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=strategy)
    def send(case):
        sent[operation.label] += 1
        if "name" in case.path_parameters and sent[operation.label] % 4:
            case.path_parameters["name"] = NAME
        # A crowded machine may be slow; that is no violation.
        case.call_and_validate(headers={"Authorization": f"Bearer {KEY}"}, excluded_checks=excluded, timeout=60)

    send()


@pytest.mark.contract
def test_a_few_cases_find_nothing(address):
    sent = attack(address, int(os.environ.get("CT_SCHEMATHESIS_CASES", "300")))
    print(sent)
    assert len(sent) >= 18


@pytest.mark.bench
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", PARTS)
def test_five_thousand_cases_find_nothing(address, part):
    sent = attack(address, 5200, part)
    print(sent)
    assert sent.total() >= (400 if part == REST else 920)
