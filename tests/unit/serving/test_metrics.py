from __future__ import annotations

import pytest
from ct_serving.metrics import BatchHistogram, Metrics
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

pytestmark = pytest.mark.unit

BOUNDS = (1.0, 2.5, 1e6)


@given(st.lists(st.lists(st.floats(0, 1e7) | st.sampled_from(BOUNDS))))
def test_a_histogram_of_batches_says_what_prometheus_own_says(batches):
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    mine = BatchHistogram("prices", "Prices.", BOUNDS, ours)
    single = Histogram("prices", "Prices.", buckets=BOUNDS, registry=theirs)
    for batch in batches:
        mine.observe(batch)
        for value in batch:
            single.observe(value)

    def lines(registry):
        text = generate_latest(registry).decode().splitlines()
        return [line for line in text if "_created" not in line and "_sum" not in line]

    assert lines(ours) == lines(theirs)
    assert ours.get_sample_value("prices_sum") == pytest.approx(sum(map(sum, batches)))


def test_only_the_model_that_has_the_role_is_named():
    metrics = Metrics()
    for role, version in (("primary", "1"), ("shadow", "2"), ("primary", "2"), ("shadow", "3")):
        metrics.answers_with(role, model="m", version=version, alias=role, run_id="r", loaded_at=1.0)
    named = [sample.labels["version"] for metric in metrics.model_info.collect() for sample in metric.samples]
    assert sorted(named) == ["2", "3"]
    metrics.answers_no_more("shadow")
    named = [sample.labels["version"] for metric in metrics.model_info.collect() for sample in metric.samples]
    assert named == ["2"]
