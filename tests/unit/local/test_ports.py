from __future__ import annotations

import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local import ports

pytestmark = pytest.mark.unit


def taken(address: str = "127.0.0.1") -> socket.socket:
    listener = socket.socket()
    listener.bind((address, 0))
    listener.listen()
    return listener


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_port_that_somebody_listens_on_is_not_free(address):
    with taken(address) as listener:
        port = listener.getsockname()[1]
        assert not ports.is_free(port)
    assert ports.is_free(port)


def test_any_free_gives_different_ports():
    found = ports.any_free(50)
    assert len(set(found)) == 50
    assert all(ports.is_free(port) for port in found)


def test_kept_ports_are_used_again():
    kept = dict(zip(ports.USUAL, ports.any_free(len(ports.USUAL)), strict=True))
    assert ports.choose(kept) == kept


def test_a_kept_port_that_is_taken_is_replaced_and_the_others_stay():
    kept = dict(zip(ports.USUAL, ports.any_free(len(ports.USUAL)), strict=True))
    with taken() as listener:
        kept["mlflow"] = listener.getsockname()[1]
        chosen = ports.choose(kept)
        assert chosen["mlflow"] != kept["mlflow"]
        assert ports.is_free(chosen["mlflow"])
    assert {name: port for name, port in chosen.items() if name != "mlflow"} == {
        name: port for name, port in kept.items() if name != "mlflow"
    }


@settings(deadline=None, max_examples=25)
@given(st.dictionaries(st.sampled_from(sorted(ports.USUAL)), st.integers(20_000, 20_003)))
def test_no_two_services_get_one_port(kept):
    chosen = ports.choose(kept)
    assert set(chosen) == set(ports.USUAL)
    assert len(set(chosen.values())) == len(chosen)
