from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.jobs import Jobs, StoppedError

pytestmark = pytest.mark.unit


def silent(name, state, seconds):
    del name, state, seconds


@settings(deadline=None, max_examples=30)
@given(st.lists(st.lists(st.integers(0, 9), max_size=3), min_size=1, max_size=10))
def test_a_job_begins_when_all_that_it_waits_for_is_done(graph):
    done, lock = [], threading.Lock()

    def action(number, after):
        with lock:
            assert set(after) <= set(done)
            done.append(number)

    jobs = Jobs(silent)
    for number, wishes in enumerate(graph):
        after = tuple(sorted({wish for wish in wishes if wish < number}))
        jobs.add(str(number), lambda n=number, a=after: action(n, a), after=tuple(map(str, after)))
    jobs.begin()
    jobs.wait()
    assert sorted(done) == list(range(len(graph)))


def test_the_first_failure_is_raised_and_nothing_new_begins():
    begun = []
    jobs = Jobs(lambda name, state, _seconds: begun.append((name, state)))
    jobs.add("bad", lambda: 1 / 0)
    jobs.add("next", lambda: None, after=("bad",))
    jobs.begin()
    with pytest.raises(ZeroDivisionError):
        jobs.wait()
    assert begun == [("bad", "begun"), ("bad", "failed")]
    assert jobs.stop.is_set()
    with pytest.raises(StoppedError):
        jobs.pump()


def test_the_rest_goes_on_while_nobody_waits_for_it():
    late, finished = threading.Event(), threading.Event()
    jobs = Jobs(silent)
    jobs.add("soon", lambda: None)
    jobs.add("late", late.wait)
    jobs.add("last", finished.set, after=("late",))
    jobs.begin()
    jobs.wait(("soon",))
    assert not finished.is_set()
    late.set()
    deadline = time.monotonic() + 10
    while not finished.wait(0.01) and time.monotonic() < deadline:
        jobs.pump()
    assert finished.is_set()
    jobs.wait()


def test_a_late_failure_is_raised_by_pump():
    go = threading.Event()

    def fail():
        go.wait()
        raise OSError("late")

    jobs = Jobs(silent)
    jobs.add("soon", lambda: None)
    jobs.add("late", fail)
    jobs.begin()
    jobs.wait(("soon",))
    go.set()

    def pump_for_a_while():
        for _ in range(500):
            jobs.pump(seconds=0.02)

    with pytest.raises(OSError, match="late"):
        pump_for_a_while()


@pytest.mark.parametrize("lanes", [1, 2])
def test_installing_takes_few_lanes_in_the_order_of_adding(lanes):
    order, running, most, lock = [], 0, 0, threading.Lock()

    def install(number):
        nonlocal running, most
        with lock:
            order.append(number)
            running += 1
            most = max(most, running)
        time.sleep(0.005)
        with lock:
            running -= 1

    jobs = Jobs(silent, install_lanes=lanes)
    for number in range(8):
        jobs.add(str(number), lambda n=number: install(n), lane="install")
    jobs.begin()
    jobs.wait()
    assert most <= lanes
    assert sorted(order) == list(range(8))
    if lanes == 1:
        assert order == list(range(8))


def test_keep_forgets_what_is_not_needed():
    ran = []
    jobs = Jobs(silent)
    jobs.add("a", lambda: ran.append("a"))
    jobs.add("b", lambda: ran.append("b"), after=("a",))
    jobs.add("c", lambda: ran.append("c"), after=("a",))
    jobs.keep(("b",))
    jobs.begin()
    jobs.wait()
    assert ran == ["a", "b"]
    with pytest.raises(KeyError):
        jobs.keep(("unknown",))


def test_waiting_for_an_unknown_job_is_an_error_at_once():
    jobs = Jobs(silent)
    jobs.add("a", lambda: None, after=("b",))
    with pytest.raises(ValueError, match="'b'"):
        jobs.begin()
