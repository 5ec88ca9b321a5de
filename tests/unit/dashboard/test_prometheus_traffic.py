"""Requests out of counters that begin, stop, start again and are not always read; answers that are not Prometheus' own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from ct_dashboard import prometheus
from ct_dashboard.operations import BUCKETS
from ct_dashboard.prometheus import NothingMeasuredError, Prometheus, PrometheusError, Series
from ct_dashboard.prometheus_traffic import increases, read_traffic

pytestmark = pytest.mark.unit

START = datetime(2026, 11, 26, 12, tzinfo=UTC)
MOMENTS = [START + timedelta(minutes=number) for number in range(5)]
NOW = START + timedelta(hours=1)


def series(*values, first=0, **labels):
    return Series({"instance": "a", **labels}, {MOMENTS[first + n]: v for n, v in enumerate(values) if v is not None})


def began(minutes_before, first=0, count=5, instance="a"):
    """A process that is read from the moment ``first`` on and began so many minutes before it."""
    at = (MOMENTS[first] - timedelta(minutes=minutes_before)).timestamp()
    return series(*[at] * (count - first), first=first, instance=instance)


def grown(counted, *started):
    return [count for _, _, count in increases(counted, started, MOMENTS)]


def test_a_counter_grows():
    found = list(increases([series(10, 10, 13, 13, 20, status="200")], [began(600)], MOMENTS))
    assert found == [("200", MOMENTS[2], 3), ("200", MOMENTS[4], 7)]


def test_a_counter_that_appears_on_a_process_that_was_read_began_at_nought():
    assert grown([series(4, 6, first=3, status="500")], began(600)) == [4, 2]


def test_a_process_that_began_since_the_last_moment_had_counted_nothing():
    assert grown([series(9, 12, first=3)], began(0.5, first=3)) == [9, 3]


def test_a_process_that_began_shortly_before_the_last_moment_and_was_not_read_then_has_just_begun():
    assert grown([series(9, 12, first=3)], began(1.5, first=3)) == [9, 3]


def test_an_old_process_that_is_read_for_the_first_time_only_sets_a_mark():
    assert grown([series(1_000_000, 1_000_002, first=3)], began(600, first=3)) == [2]


def test_a_process_that_starts_again_under_the_same_address_counts_from_nought():
    assert grown([series(100, 5, 6)]) == [5, 1], "fewer than before"
    again = series(*[(MOMENTS[0] - timedelta(hours=1)).timestamp(), (MOMENTS[0] + timedelta(seconds=20)).timestamp()])
    assert grown([series(100, 150)], again) == [150], "more than before, and yet another process"


def test_what_happened_while_prometheus_was_away_is_counted_when_it_is_back():
    assert grown([series(10, None, None, 16)], began(600)) == [6]


class Answers:
    """httpx.get for one body to each query that has the words."""

    def __init__(self, **bodies):
        self.bodies = bodies

    def __call__(self, url, params, **_):
        assert url == "http://prometheus/api/v1/query_range"
        word = next(word for word in self.bodies if word in params["query"])
        found = self.bodies[word]
        return found if isinstance(found, httpx.Response) else httpx.Response(200, json=found)


def matrix(*lines):
    return {"status": "success", "data": {"resultType": "matrix", "result": [
        {"metric": labels, "values": [[at.timestamp(), str(value)] for at, value in values.items()]} for labels, values in lines
    ]}}  # fmt: skip


def test_buckets_begin_where_their_requests_are_and_have_the_latency_of_their_end(monkeypatch):
    ok = {START: 100, START + timedelta(minutes=1): 107, NOW: 109}
    answers = Answers(
        process_start_time_seconds=matrix(({"instance": "a"}, {START: 1, NOW: 1})),
        histogram_quantile=matrix(({}, {START + timedelta(minutes=1): 0.02, NOW: "NaN"})),
        http_requests_total=matrix(({"instance": "a", "status": "200"}, ok),
                                   ({"instance": "b", "status": "503"}, {NOW - timedelta(minutes=1): 1, NOW: 2}),
                                   ({"instance": "b", "status": "422"}, {NOW - timedelta(minutes=1): 0, NOW: 3})),
    )  # fmt: skip
    monkeypatch.setattr(httpx, "get", answers)
    found = read_traffic(Prometheus("http://prometheus/"), 1, NOW)
    first, last = found.buckets
    assert (first.at, first.requests, first.refused, first.failed, first.p95) == (START, 7, 0, 0, 0.02)
    assert (last.at, last.requests, last.refused, last.failed) == (NOW - timedelta(minutes=1), 6, 3, 1)
    assert last.median is None, "no number"
    assert found.since == START
    assert found.requests == 13


@pytest.mark.parametrize("hours", [1, 24, 168])
def test_every_bucket_of_a_span_has_its_own_minute(monkeypatch, hours):
    """One request in each step: as many buckets, none of them empty or twice as high."""
    step = timedelta(hours=hours) / BUCKETS

    class Steady:
        def series(self, query, start, end, seconds):
            at = [start + timedelta(seconds=n) for n in range(0, hours * 3600 + 1, seconds)]
            value = (lambda _: 1.0) if "process_start" in query else lambda moment: float((moment - start) // step)
            return [Series({"instance": "a", "status": "200"}, {moment: value(moment) for moment in at})]

        def range(self, *_):
            return {}

    found = read_traffic(Steady(), hours, NOW)
    assert [bucket.requests for bucket in found.buckets] == [1.0] * BUCKETS
    assert found.buckets[0].at == NOW - timedelta(hours=hours)


def test_a_prometheus_that_never_read_the_api_says_so(monkeypatch):
    monkeypatch.setattr(httpx, "get", Answers(**{"": matrix()}))
    with pytest.raises(NothingMeasuredError):
        read_traffic(Prometheus("http://prometheus"), 1, NOW)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(400, json={"status": "error", "errorType": "bad_data", "error": "a wrong query"}), "a wrong query"),
        (httpx.Response(401, text="<h1>Sign in</h1>"), "status 401, and no JSON"),
        (httpx.Response(200, json=["another program"]), "status 200, and not the form"),
        (httpx.Response(200, json={"status": "success", "data": {}}), "status 200, and not the form"),
    ],
)
def test_what_is_no_answer_of_prometheus_is_an_error_in_words(monkeypatch, answer, said):
    monkeypatch.setattr(httpx, "get", Answers(**{"": answer}))
    with pytest.raises(PrometheusError, match=said):
        Prometheus("http://prometheus").series("up", START, NOW, 60)


@pytest.mark.parametrize("url", ["prometheus:9090", "http://[", "http://127.0.0.1:9"])
def test_an_address_that_is_none_or_where_nobody_is_is_an_error_in_words(url):
    with pytest.raises(PrometheusError, match=r"\w"):
        Prometheus(url).series("up", START, NOW, 60)
    assert prometheus.gauges('a{b="c"} 1\na{b="d"} 2\n# a comment\nnonsense') == {"a": 3.0}
