from __future__ import annotations

import os
import subprocess
import sys

import pytest
from ct_serving import keys
from ct_serving.guard import Guard, TokenBucket
from ct_serving.keys import KeyRing, hash_of, new_key, parse_keys
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

KEY = "ct_a key of the tests"
LINE = f"dashboard:{hash_of(KEY.encode()).decode()}"
MINE = [(b"x-api-key", KEY.encode())]


def test_a_key_is_known_by_its_hash_alone():
    ring = KeyRing(f"# a comment\n\n{LINE}\nother:{'0' * 64}:2.5\n")
    assert KEY not in repr(ring.keys)
    assert [(key.name, key.rate) for key in ring.keys] == [("dashboard", None), ("other", 2.5)]
    for headers in (MINE, [(b"authorization", b"Bearer " + KEY.encode())], [(b"authorization", b"bearer  " + KEY.encode())]):
        assert ring.owner(headers).name == "dashboard"
    wrong = ([], [(b"x-api-key", b"")], [(b"x-api-key", KEY.encode() + b"x")], [(b"x-api-key", LINE[-64:].encode())],
             [(b"authorization", b"Basic " + KEY.encode())], [(b"x-api-key", "schlüssel".encode())])  # fmt: skip
    for headers in wrong:
        assert ring.owner(headers) is None


@pytest.mark.parametrize(
    "text",
    ["dashboard", "dashboard:", f"dash board:{'0' * 64}", f"d:{'0' * 63}", f"d:{'G' * 64}", f":{'0' * 64}", f"d:{'0' * 64}:0",
     f"d:{'0' * 64}:fast", f"d:{'0' * 64}:nan", f"a:{'0' * 64}\nb:{'0' * 64}"],
)  # fmt: skip
def test_a_line_that_is_none_is_named_by_its_number_and_not_shown(text):
    with pytest.raises(ValueError, match=r"line [12] ") as caught:
        parse_keys(text)
    assert "0000" not in str(caught.value)


def test_two_keys_of_one_name_are_valid_together():
    second = new_key()
    ring = KeyRing(f"{LINE}\ndashboard:{hash_of(second.encode()).decode()}")
    assert {ring.owner([(b"x-api-key", key.encode())]).name for key in (KEY, second)} == {"dashboard"}


def test_a_file_is_read_again_when_it_changes_and_a_broken_one_leaves_the_old_keys(tmp_path, monkeypatch):
    monkeypatch.setattr(keys, "LOOK_SECONDS", -1.0)
    file = tmp_path / "keys"
    file.write_text(LINE)
    ring = KeyRing(file=file)
    assert ring.owner(MINE).name == "dashboard"
    for number, content in enumerate(("nonsense", "", None)):
        if content is None:
            file.unlink()
        else:
            file.write_text(content)
            os.utime(file, ns=(number, number))
        assert ring.owner(MINE).name == "dashboard"
    file.write_text(f"other:{'0' * 64}")
    assert ring.owner(MINE) is None


def test_an_api_that_should_ask_for_keys_never_opens_by_accident(tmp_path):
    with pytest.raises(ValueError, match="cannot be read"):
        KeyRing(file=tmp_path / "missing")
    (tmp_path / "empty").write_text("# nobody\n")
    with pytest.raises(ValueError, match="holds no key"):
        KeyRing(file=tmp_path / "empty")


def test_the_command_makes_a_key_and_its_line():
    made = subprocess.run([sys.executable, "-m", "ct_serving.keys", "locust", "--rate", "500"], capture_output=True, text=True,
                          check=True)  # fmt: skip
    key, line = made.stdout.splitlines()
    ring = KeyRing(line)
    assert (ring.owner([(b"x-api-key", key.encode())]).name, ring.keys[0].rate) == ("locust", 500.0)
    assert len(key) >= 43
    refused = subprocess.run([sys.executable, "-m", "ct_serving.keys", "a:b"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert refused.stdout == ""


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_without_keys_everybody_may_ask_and_there_is_no_limit():
    guard = Guard(KeyRing(), 1, 1)
    assert not guard.required
    assert not any(guard.check("/predict", []).refused for _ in range(100))


def test_keys_of_the_variable_stay_valid_when_the_file_is_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(keys, "LOOK_SECONDS", -1.0)
    file = tmp_path / "keys"
    file.write_text(f"first:{'0' * 64}")
    ring = KeyRing(LINE, file)
    file.write_text(f"second:{'1' * 64}")
    os.utime(file, ns=(1, 1))
    assert ring.owner(MINE).name == "dashboard"
    assert [key.name for key in ring.keys] == ["dashboard", "second"]


def test_keys_of_one_name_with_different_rates_do_not_refill_each_other():
    other = [(b"x-api-key", b"other")]
    clock = Clock()
    guard = Guard(KeyRing(f"{LINE}:2\ndashboard:{hash_of(b'other').decode()}:1"), 1, 2, clock)
    admitted = sum(not guard.check("/predict", headers).refused for _ in range(50) for headers in (MINE, other))
    assert admitted == 4 + 2


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics", "/v2/health/live", "/openapi.json", "/docs"])
def test_probes_and_readers_need_no_key(path):
    assert not Guard(KeyRing(LINE), 1, 1).check(path, []).refused


@pytest.mark.parametrize(
    "path", ["/predict", "/explain", "/feedback", "/model", "/model/history", "/v2", "/v2/models/x/infer", "/x"]
)
def test_everything_else_does(path):
    guard = Guard(KeyRing(LINE), 1, 1)
    refused = guard.check(path, [(b"x-api-key", b"wrong")])
    assert (refused.http_status, refused.client, dict(refused.headers)) == (401, None, {"WWW-Authenticate": "Bearer"})
    admitted = guard.check(path, MINE)
    assert (admitted.refused, admitted.client) == (False, "dashboard")


def test_beyond_its_rate_a_client_is_told_when_to_come_again_and_others_are_not_hurt():
    clock = Clock()
    guard = Guard(KeyRing(f"{LINE}\nfast:{hash_of(b'fast').decode()}:100"), 0.5, 3, clock)
    assert [guard.check("/predict", MINE).http_status for _ in range(5)] == [200, 200, 200, 429, 429]
    refused = guard.check("/predict", MINE)
    assert (refused.client, dict(refused.headers)) == ("dashboard", {"Retry-After": "2"})
    assert not any(guard.check("/predict", [(b"x-api-key", b"fast")]).refused for _ in range(600))
    assert guard.check("/predict", [(b"x-api-key", b"fast")]).refused
    clock.now = 2.0
    assert [guard.check("/predict", MINE).http_status for _ in range(2)] == [200, 429]
    assert not any(Guard(KeyRing(LINE), 0, 1).check("/predict", MINE).refused for _ in range(100))


@given(st.floats(0.1, 1000), st.floats(1, 100), st.lists(st.floats(0, 5), max_size=60))
def test_a_bucket_never_gives_more_than_its_burst_and_rate_and_says_when_there_is_one(rate, burst, pauses):
    now, given_tokens = 0.0, 0
    bucket = TokenBucket(rate, burst, now)
    for pause in pauses:
        now += pause
        wait = bucket.take(now)
        given_tokens += wait == 0
        assert given_tokens <= burst + rate * now + 1e-6
        if wait:
            now += wait * (1 + 1e-9) + 1e-9
            assert bucket.take(now) == 0
            given_tokens += 1
