"""The serving trial: what the probe measures of a model, and that its environment is serving's."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ct_decisions.policy import load_policy
from ct_evaluate.probe import REPEATS, TIMED_ROWS, answer, difference
from ct_evaluate.trial import megabytes, other_versions, try_serving
from house_prices.model import RAW_COLUMNS
from house_prices.requests import UNSEEN, as_request, golden_requests, request_frame

pytestmark = pytest.mark.unit

REQUIREMENTS = Path(__file__).resolve().parents[3] / "requirements"
POLICY = load_policy("strict").promotion


class Sized:
    """So many dollars a square foot; it raises where ``refuses`` says so and counts what it was asked."""

    def __init__(self, refuses=lambda _: False, grows=0.0):
        self.refuses, self.grows, self.asked = refuses, grows, []

    def predict(self, frame):
        self.asked.append(len(frame))
        if self.refuses(frame):
            raise ValueError("no")
        price = frame["house_size"].to_numpy() * 100 * (1 + self.grows * len(self.asked))
        return pd.DataFrame({"price": price, "price_low": 0.9 * price, "price_high": 1.1 * price})


def frame(rows):
    return request_frame([{"house_size": 1000.0 + n} for n in range(rows)])


def test_a_model_is_asked_together_and_some_rows_one_by_one():
    model = Sized()
    report = answer(model, frame(150), 60)
    assert model.asked == [150, 150] + [1] * (REPEATS * TIMED_ROWS)
    assert report["answers"][3] == [100_300.0, 0.9 * 100_300.0, 1.1 * 100_300.0]
    assert (report["repeatability"], report["first_error"]) == (0.0, None)


def test_a_slow_model_is_asked_until_the_time_is_over():
    model = Sized()
    report = answer(model, frame(50), 0.0)
    assert model.asked == [50, 50] + [1] * REPEATS
    assert report["latency_ms"] > 0


def test_a_row_that_a_model_raises_at_is_lost_alone():
    report = answer(Sized(lambda f: (f["house_size"] == 1004).any()), frame(150), 60)
    assert [n for n, row in enumerate(report["answers"]) if row is None] == [4]
    assert report["first_error"] == "ValueError: no"


def test_answers_that_change_from_one_request_to_the_next_are_noticed():
    assert answer(Sized(grows=0.001), frame(20), 60)["repeatability"] > 0.0009


def test_differences_are_relative_and_a_lost_answer_is_a_whole_one():
    one = np.array([[100.0, 90.0, 110.0], [np.nan] * 3])
    assert difference(one, one) == 0
    assert difference(one * 1.01, one) == pytest.approx(0.01)
    assert difference(np.nan_to_num(one, nan=5.0), one) == 1
    assert difference(np.empty((0, 3)), np.empty((0, 3))) == 0


def test_a_process_that_finds_no_model_is_a_failed_load(tmp_path):
    trial = try_serving(tmp_path, POLICY, golden=[{}], answers=None, replayed=[])
    assert "MlflowException" in trial.load_error
    assert trial.failed is trial.latency_ms is trial.parity is None


def test_the_memory_of_a_trial_is_its_own_and_not_that_of_the_step_that_started_it():
    held = np.ones(600_000_000, dtype=np.uint8)
    script = "from ct_evaluate.probe import peak_megabytes as peak; a = peak(); x = b'1' * 200_000_000; print(a, peak())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    before, after = map(float, done.stdout.split())
    assert before < held.nbytes / 1e6 / 2
    assert 200 < after - before + 1 < 230


def test_a_library_in_another_version_is_named(tmp_path):
    installed = pd.__version__
    (tmp_path / "requirements.txt").write_text(f"mlflow==1.0\npandas=={installed}\nnumpy>=1\nno-such-library==2.0 ; x\n")
    wrong, absent = other_versions(tmp_path)
    assert re.fullmatch(r"mlflow 1\.0 ≠ 3\.\S+", wrong)
    assert absent == "no-such-library 2.0 ≠ -"
    assert megabytes(tmp_path) == pytest.approx((tmp_path / "requirements.txt").stat().st_size / 1e6)


def test_the_environments_of_evaluate_and_serving_pin_what_a_model_needs_alike():
    def pinned(name):
        return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (REQUIREMENTS / f"{name}.txt").read_text(), re.MULTILINE))

    ours, theirs = pinned("evaluate"), pinned("serving")
    for library in ("catboost", "mlflow-skinny", "numpy", "pandas", "scikit-learn", "scipy", "skops"):
        assert ours[library] == theirs[library], library


@pytest.mark.parametrize(
    "given",
    [
        {"zip_code": 601, "bed": 3, "state": " Ohio ", "prev_sold_date": "2020-01-02T00:00:00", "city": ""},
        {"zip_code": "00601", "bed": 3, "state": "Ohio", "prev_sold_date": "2020-01-02"},
        {"zip_code": 601.0, "bed": 3.0, "state": "Ohio", "prev_sold_date": "2020-01-02 10:00", "street": 7},
    ],
)
def test_a_request_is_read_as_the_api_reads_it(given):
    from ct_serving.model_holder import frame as served
    from ct_serving.schemas import parse_property

    ours = request_frame([as_request(given)])
    theirs = served([parse_property(given)])[list(RAW_COLUMNS)]
    pd.testing.assert_frame_equal(ours, theirs)
    assert ours["zip_code"].tolist() == ["00601"]


def test_golden_requests_are_spread_over_the_rows_and_hold_the_edge_cases():
    rows = pd.DataFrame([{**UNSEEN, "state": "Ohio", "bed": float(n)} for n in range(50)])
    found = golden_requests(rows, 10)
    assert [request["bed"] for request in found[:10]] == [0.0, 5.0, 10.0, 16.0, 21.0, 27.0, 32.0, 38.0, 43.0, 49.0]
    edges = found[10:]
    assert dict.fromkeys(RAW_COLUMNS) in edges
    assert dict(UNSEEN) in edges
    for name in RAW_COLUMNS:
        assert {**found[0], name: None} in edges
    assert len(golden_requests(rows.head(0), 10)) == len(edges)
