"""A step's inputs: templates render to text, results are looked into, and what is wrong is named."""

import pytest
from continuous_training.inputs import Input, InputError, read_inputs
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

RESULT = {"version": 1, "task": "assess", "code": "TRAIN_VOLUME", "summary": {"batch_id": 3, "decision_id": 8, "empty": ""}}


@given(st.integers())
def test_a_number_survives_a_template(number):
    declared = {"batch_id": Input(kind=int)}
    assert (
        read_inputs(declared, {"batch_id": str(number)}) == read_inputs(declared, {"batch_id": number}) == {"batch_id": number}
    )


@given(
    st.booleans(), st.sampled_from([str, lambda value: str(value).lower(), lambda value: str(int(value)), lambda value: value])
)
def test_a_truth_value_survives_a_template(value, render):
    assert read_inputs({"force": Input(kind=bool)}, {"force": render(value)}) == {"force": value}


@given(st.integers(0, 10**6))
def test_a_version_stays_a_text(version):
    declared = {"model_version": Input(kind=str)}
    assert read_inputs(declared, {"model_version": version}) == {"model_version": str(version)}


@given(st.dictionaries(st.text(min_size=1), st.integers() | st.text(min_size=1) | st.lists(st.integers())))
def test_what_is_not_declared_passes_as_it_is(values):
    assert read_inputs({}, values) == values


def test_an_earlier_result_gives_the_value_of_the_same_name():
    assert read_inputs({"batch_id": Input(kind=int, required=True)}, {"batch_id": RESULT}) == {"batch_id": 3}


def test_an_earlier_result_gives_the_value_under_the_name_it_has_there():
    declared = {"retrain_decision_id": Input(kind=int, required=True, taken_from=("retrain_decision_id", "decision_id"))}
    assert read_inputs(declared, {"retrain_decision_id": RESULT}) == {"retrain_decision_id": 8}


@pytest.mark.parametrize("absent", [None, ""])
def test_an_absent_value_is_left_out(absent):
    assert read_inputs({"day": Input(kind=str)}, {"day": absent}) == {}


@pytest.mark.parametrize(
    ("declared", "value", "words"),
    [
        (Input(kind=int, required=True), None, "'x' has no value"),
        (Input(kind=int, required=True), "", "'x' has no value"),
        (Input(kind=int), "three", "must be a whole number, got 'three'"),
        (Input(kind=int), True, "must be int, got True"),
        (Input(kind=int), 3.5, "must be int, got 3.5"),
        (Input(kind=bool), "perhaps", "must be bool, got 'perhaps'"),
        (Input(kind=str), ["a"], "must be str"),
        (
            Input(kind=int),
            {**RESULT, "summary": {"rows": 1}},
            r"result of assess \(TRAIN_VOLUME\), whose summary has no x: it has rows",
        ),
    ],
)
def test_what_is_wrong_is_named(declared, value, words):
    with pytest.raises(InputError, match=words):
        read_inputs({"x": declared}, {"x": value})
