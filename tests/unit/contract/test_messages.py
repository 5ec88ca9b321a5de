"""Task input and result: what is written is what is read, and what breaks the contract is named."""

import json

import pytest
from ct_contract import CONTRACT_VERSION, ContractError, TaskInput, TaskResult
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
mappings = st.dictionaries(st.text(), plain, max_size=4)


@given(task=st.text(), dag_id=st.text(), run_id=st.text(), try_number=st.integers(1, 99), inputs=mappings)
def test_an_input_comes_back_as_it_was(task, dag_id, run_id, try_number, inputs):
    sent = TaskInput(task=task, dag_id=dag_id, run_id=run_id, try_number=try_number, inputs=inputs)
    assert TaskInput.from_json(sent.to_json()) == sent


@given(code=st.text(), status=st.sampled_from(["done", "skipped", "rejected", "failed"]), reason=st.text(), summary=mappings)
def test_a_result_comes_back_as_it_was(code, status, reason, summary):
    sent = TaskResult(task="t", run_id="r", code=code, status=status, reason=reason, summary=summary, links={"a": "b"})
    assert TaskResult.from_json(sent.to_json()) == sent
    assert TaskResult.from_dict(sent.to_dict()) == sent


GOOD = {
    "task": "train",
    "run_id": "r",
    "code": "TRAINED",
    "status": "done",
    "reason": "",
    "summary": {},
    "links": {},
    "version": 1,
}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("[1]", "must be a JSON object, not list"),
        (json.dumps({**GOOD, "version": CONTRACT_VERSION + 1}), "same release"),
        (json.dumps({k: v for k, v in GOOD.items() if k != "version"}), "contract version None"),
        (json.dumps({**GOOD, "status": "great"}), "unknown status 'great'"),
        (json.dumps({**GOOD, "summary": [1]}), "'summary' as dict"),
        (json.dumps({**GOOD, "code": None}), "'code' as str"),
    ],
)
def test_a_result_that_breaks_the_contract_is_named(text, words):
    with pytest.raises(ContractError, match=words):
        TaskResult.from_json(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
def test_a_result_holds_only_what_json_can(value):
    with pytest.raises(ContractError, match="cannot be written as JSON"):
        TaskResult(task="t", run_id="r", code="C", summary={"x": value}).to_json()


def test_a_result_holds_no_rows():
    with pytest.raises(ContractError, match="put rows into PostgreSQL"):
        TaskResult(task="t", run_id="r", code="C", summary={"rows": ["x" * 100] * 400}).to_json()


def test_a_step_asks_for_its_inputs_by_name_and_type():
    payload = TaskInput(task="clean", dag_id="d", run_id="r", inputs={"batch_id": 3, "flag": True})
    assert payload.require("batch_id", int) == 3
    with pytest.raises(ContractError, match="clean's inputs needs 'other' as int, got None"):
        payload.require("other", int)
    with pytest.raises(ContractError, match="'flag' as int, got True"):
        payload.require("flag", int)
