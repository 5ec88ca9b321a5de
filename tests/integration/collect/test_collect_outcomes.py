"""Every documented ending of collect, on a real PostgreSQL, as a user with the rights of tasks only."""

import hashlib
import json
import socket
import threading

import httpx
import orjson
import pytest
from ct_collect import source as source_module
from ct_contract import BadDataError, ContractError, NothingToDoError, TryLaterError
from ct_decisions.reasons import render

pytestmark = pytest.mark.integration


def test_a_batch_is_stored_with_its_hash_and_lineage(source, run, store):
    result = run("r1")
    body = source.batches[0]
    (stored,) = store.rows("SELECT * FROM raw.batches")
    (request,) = store.rows("SELECT * FROM raw.requests")
    assert result.code == "COLLECTED"
    assert result.summary == {
        "batch_id": stored["batch_id"], "batch_number": 0, "stream": "group 9, Tuesday", "rows": 3, "bytes": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
    }  # fmt: skip
    assert (stored["dag_id"], stored["run_id"], stored["request_id"]) == ("training", "r1", request["request_id"])
    assert stored["envelope"] == {"group_number": 9, "day": "Tuesday", "batch_number": 0}
    assert stored["schema_seen"]["price"] == {"null": 0, "number": 3, "missing": 0}
    assert stored["requested_at"] == request["sent_at"] < request["answered_at"]
    assert (request["outcome"], request["http_status"], request["batch_number"]) == ("stored", 200, 0)
    assert request["url"] == f"{source.url}/data?group_number=9&day=Tuesday"
    delivered = json.loads(body)["data"]
    rows = store.rows(f"SELECT {', '.join(delivered[0])}, other, missing FROM raw.listings ORDER BY row_number")
    assert rows == [{**row, "other": None, "missing": None} for row in delivered]


def test_a_run_takes_one_batch_however_often_it_is_tried(source, run, store):
    first = run("r1")
    assert run("r1").to_dict() == first.to_dict()
    assert source.requests == 1
    assert run("r2").summary["batch_number"] == 1
    assert run("r1").to_dict() == first.to_dict()
    assert store.numbers() == [0, 1]


def test_a_source_without_days_has_a_stream_of_its_own(source, run, store):
    source.batches = [json.dumps({"group_number": 9, "batch_number": 0, "data": [{"price": 1.0}]}).encode()]
    assert run("r1", day=...).summary["stream"] == "group 9"
    assert store.rows("SELECT stream, url FROM raw.requests") == [
        {"stream": "group 9", "url": f"{source.url}/data?group_number=9"}
    ]


def test_the_end_of_data_is_a_skip_also_the_second_time(source, run, store):
    source.batches = source.batches[:1]
    run("r1")
    for attempt in ("r2", "r3"):
        end = run(attempt)
        assert isinstance(end, NothingToDoError)
        assert end.code == "SKIP_END_OF_DATA"
        assert "Ya se recolectó" in end.summary["detail"]
    [decision, _] = store.rows("SELECT * FROM audit.decisions ORDER BY decided_at")
    assert (end.message, end.summary["reason_es"]) == (render(decision, "en"), render(decision, "es"))
    asked = source.requests
    again = run("r3")
    assert (again.code, again.message) == (end.code, end.message)
    assert source.requests == asked == 3
    assert store.decisions() == [("r2", "SKIP_END_OF_DATA"), ("r3", "SKIP_END_OF_DATA")]
    assert store.outcomes() == ["stored", "end_of_data", "end_of_data"]


@pytest.mark.parametrize("words", ["Ya se recolecto toda la informacion minima necesaria", "YA SE RECOLECTÓ TODO"])
def test_the_end_of_data_is_known_by_its_words_in_any_spelling(source, run, answer, words):
    run("r1")
    source.script = [answer(json.dumps({"detail": words}).encode(), 400, moves=False)]
    assert run("r2").code == "SKIP_END_OF_DATA"


@pytest.mark.parametrize("status", [404, 410, 422])
def test_the_words_of_the_end_with_another_status_are_a_refusal(source, run, answer, status):
    run("r1")
    source.script = [answer(b'{"detail":"Ya se recolect\xc3\xb3"}', status)]
    assert run("r2").code == "SOURCE_REFUSED"


def test_a_wrong_group_fails_at_once_with_the_servers_words(source, run, store):
    end = run("r1", group_number=99)
    assert isinstance(end, BadDataError)
    assert end.code == "SOURCE_REFUSED"
    assert "Número de grupo inválido" in end.message
    assert store.outcomes() == ["refused"]
    assert store.numbers() == []
    assert run("r2").code == "COLLECTED"


def test_a_batch_that_is_stored_already_is_a_skip(source, run, store):
    run("r1")
    source.cursor = 0
    end = run("r2")
    assert isinstance(end, NothingToDoError)
    assert end.code == "SKIP_NO_NEW_DATA"
    assert end.summary["stored_by_run"] == "r1"
    assert end.message == render(store.rows("SELECT * FROM audit.decisions")[0], "en")
    assert store.decisions() == [("r2", "SKIP_NO_NEW_DATA")]
    assert store.outcomes() == ["stored", "known"]
    assert run("r2").message == end.message
    assert run("r3").summary["batch_number"] == 1
    assert store.numbers() == [0, 1]


def test_a_known_batch_with_other_bytes_is_an_alarm(source, run, store):
    run("r1")
    source.cursor, source.batches[0] = 0, source.batches[0].replace(b"289900.0", b"289901.0")
    end = run("r2")
    assert isinstance(end, BadDataError)
    assert end.code == "BATCH_CHANGED"
    assert store.numbers() == [0]
    assert store.outcomes() == ["stored", "failed"]
    assert store.rows("SELECT DISTINCT price FROM raw.listings") == [{"price": 289900.0}]


def test_5xx_is_tried_later_and_then_goes_on(source, run, store, answer):
    source.script = [answer(b"overloaded", 503, moves=False)]
    end = run("r1")
    assert isinstance(end, TryLaterError)
    assert end.code == "SOURCE_UNAVAILABLE"
    assert "overloaded" in end.message
    assert run("r1").summary["batch_number"] == 0
    assert store.outcomes() == ["failed", "stored"]


def test_a_source_that_is_away_is_tried_later(run, store):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    end = run("r1", source_url=url)
    assert isinstance(end, TryLaterError)
    assert end.code == "SOURCE_UNAVAILABLE"
    assert "has not moved" in end.message
    assert store.outcomes() == ["refused"]
    assert run("r1").code == "COLLECTED"


def test_a_time_out_may_have_moved_the_cursor(source, run, store, answer, monkeypatch):
    monkeypatch.setattr(source_module, "TIMEOUT", httpx.Timeout(0.3))
    source.script = [answer(source.batches[0], delay=1.0)]
    assert run("r1").code == "SOURCE_UNAVAILABLE"
    assert run("r1").summary["batch_number"] == 0
    assert store.outcomes() == ["failed", "gap", "restarted", "recovered"]


@pytest.mark.parametrize("cut", [(framing, share) for framing in ("length", "chunked", "close", "reset")
                                 for share in (0.0, 0.1, 0.5, 0.999)])  # fmt: skip
def test_a_body_cut_by_the_network_is_asked_for_again(source, run, store, answer, cut):
    framing, share = cut
    body = source.batches[0]
    source.script = [answer(body, cut=int(share * len(body)), framing=framing)]
    end = run("r1")
    assert isinstance(end, TryLaterError)
    assert end.code == "SOURCE_UNAVAILABLE"
    assert store.numbers() == []
    result = run("r1")
    assert result.summary["sha256"] == hashlib.sha256(body).hexdigest()
    assert store.numbers() == [0]
    assert store.outcomes() == ["failed", "gap", "restarted", "recovered"]


@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_a_whole_body_without_a_length_is_as_good(source, run, answer, framing):
    source.script = [answer(source.batches[0], framing=framing)]
    assert run("r1").summary["sha256"] == hashlib.sha256(source.batches[0]).hexdigest()


WHOLE = {"group_number": 9, "day": "Tuesday", "batch_number": 0}
INVALID = {
    "malformed in the middle": b'{"batch_number": 0, "data": [{"price": 1.0}, {"price": oops}, {"price": 2.0}]}',
    "stops short with the right length": b'{"batch_number": 0, "data": [{"price": 1.0}, {"pri',
    "no JSON at all": b"<html>maintenance</html>",
    "empty": b"",
    "no rows": json.dumps({**WHOLE, "data": []}).encode(),
    "rows are null": json.dumps({**WHOLE, "data": None}).encode(),
    "no data": json.dumps(WHOLE).encode(),
    "no batch number": b'{"data": [{"price": 1.0}]}',
    "batch number is text": b'{"batch_number": "0", "data": [{"price": 1.0}]}',
    "batch number is negative": b'{"batch_number": -1, "data": [{"price": 1.0}]}',
    "batch number too late and wrong": b'{"data": [{"price": 1.0}], "batch_number": true}',
    "a row is a list": b'{"batch_number": 0, "data": [{"price": 1.0}, [1, 2]]}',
    "another group": json.dumps({**WHOLE, "group_number": 3, "data": [{"price": 1.0}]}).encode(),
    "another day": json.dumps({**WHOLE, "day": "Wednesday", "data": [{"price": 1.0}]}).encode(),
    "six hundred columns": json.dumps({**WHOLE, "data": [{f"c{i}": i for i in range(600)}]}).encode(),
    "depth without end": b'{"batch_number": 0, "data": [{"x": ' + b"[" * 900 + b"]" * 900 + b"}]}",
}


@pytest.mark.parametrize("body", INVALID.values(), ids=INVALID.keys())
def test_an_answer_that_is_no_batch_is_refused_and_leaves_nothing(source, run, store, answer, body):
    source.script = [answer(body)]
    end = run("r1")
    assert isinstance(end, BadDataError), end
    assert end.code == "SOURCE_INVALID"
    assert store.numbers() == []
    assert store.outcomes() == ["failed"]
    # The source has moved past it; it is noticed, and the batch is had when the source is well again.
    assert run("r2").summary["batch_number"] == 0
    assert store.outcomes() == ["failed", "gap", "restarted", "recovered"]


def test_rows_that_are_not_as_documented_are_kept_whole(source, run, store):
    rows = [
        {"price": None, "city": "a},{b", "zip_code": "06016", "pool": {"deep": [1, None]}},
        {"price": 5, "city": "San\0Juan", "x\0y": "\0"},
    ]
    source.batches[0] = json.dumps({**WHOLE, "note": "\0", "data": rows}).encode()
    assert run("r1").summary["rows"] == 2
    first, second = store.rows("SELECT * FROM raw.listings ORDER BY row_number")
    assert first["city"] == "a},{b"
    assert first["other"] == {"zip_code": "06016", "pool": {"deep": [1, None]}}
    assert "bed" in first["missing"]
    assert "price" not in first["missing"]
    assert second["price"] == 5.0
    assert second["city"] is None
    assert orjson.loads(second["other"]["city"]["json"]) == "San\0Juan"
    assert orjson.loads(second["other"]["x\\u0000y"]["json"]) == "\0"
    (stored,) = store.rows("SELECT envelope, schema_seen FROM raw.batches")
    assert stored["envelope"]["note"] == {"json": '"\\u0000"'}
    assert stored["schema_seen"]["zip_code"] == {"null": 0, "string": 1, "missing": 1}
    assert stored["schema_seen"]["price"] == {"null": 1, "number": 1, "missing": 0}


def test_a_missing_column_and_an_all_null_price_are_stored_for_validation_to_judge(source, run, store):
    source.batches[0] = json.dumps({**WHOLE, "data": [{"price": None, "city": "x"}] * 4}).encode()
    run("r1")
    (stored,) = store.rows("SELECT schema_seen FROM raw.batches")
    assert stored["schema_seen"]["price"] == {"null": 4, "missing": 0}
    assert stored["schema_seen"]["bed"] == {"null": 0, "missing": 4}


def test_a_batch_number_behind_the_rows_is_found(source, run, store):
    def late(number):
        return json.dumps({"data": [{"price": float(number)}], "batch_number": number}).encode()

    source.batches = [late(0), late(1), late(2)]
    run("r1")
    source.cursor = 0
    assert run("r2").code == "SKIP_NO_NEW_DATA"
    source.cursor = 2
    assert run("r3").summary["batch_number"] == 1
    assert store.numbers() == [0, 1]
    assert store.outcomes() == ["stored", "known", "gap", "restarted", "known", "recovered"]


def test_two_collectors_of_one_stream_take_turns(source, run, store, answer):
    source.script = [answer(source.batches[0], delay=0.5), answer(source.batches[1], delay=0.2)]
    results = {}
    threads = [threading.Thread(target=lambda name=name: results.update({name: run(name)})) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.summary["batch_number"] for result in results.values()) == [0, 1]
    assert store.numbers() == [0, 1]
    assert store.outcomes() == ["stored", "stored"]


def test_two_tries_of_one_run_at_once_take_one_batch(source, run, store, answer):
    source.script = [answer(source.batches[0], delay=0.5)]
    results = []
    threads = [threading.Thread(target=lambda: results.append(run("a"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results[0].to_dict() == results[1].to_dict()
    assert source.requests == 1
    assert store.numbers() == [0]


def test_waiting_for_another_collector_has_an_end(run, database_url, monkeypatch):
    import psycopg
    from ct_collect import step

    monkeypatch.setattr(step, "LOCK_WAIT_SECONDS", 1)
    with psycopg.connect(database_url) as other:
        other.execute("SELECT pg_advisory_lock(%s, hashtext('group 9, Tuesday'))", (step.STREAM_LOCKS,))
        end = run("r1")
    assert isinstance(end, TryLaterError)
    assert "another task" in end.message


@pytest.mark.parametrize(
    "changes", [{"source_url": "ftp://x"}, {"source_url": "nowhere"}, {"on_gap": "perhaps"}, {"day": 2}, {"group_number": "9"}]
)
def test_wrong_inputs_are_a_contract_error(run, source, changes):
    with pytest.raises(ContractError):
        run("r1", **changes)
    assert source.asked == []


def test_a_password_in_the_address_is_used_and_never_written_down(source, run, store, caplog):
    caplog.set_level("DEBUG", "ct_collect")
    run("r1", source_url=source.url.replace("http://", "http://user:geheim@"))
    assert store.numbers() == [0]
    assert "geheim" not in store.rows("SELECT url FROM raw.requests")[0]["url"] + caplog.text
