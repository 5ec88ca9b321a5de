from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ct_data_source.cursors import CursorFileError, Cursors
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

KEYS = st.tuples(st.integers(1, 3), st.sampled_from([None, "Tuesday", "Wednesday"]))
CALLS = st.lists(st.tuples(st.sampled_from(["take", "take", "take", "restart"]), KEYS), max_size=60)


@given(CALLS)
def test_every_group_and_day_counts_for_itself(calls: list[tuple[str, tuple[int, str | None]]]) -> None:
    cursors = Cursors(6)
    model: dict[tuple[int, str | None], int] = {}
    for action, key in calls:
        if action == "restart":
            cursors.restart(*key)
            model[key] = 0
            continue
        expected = model.get(key, 0)
        assert cursors.take(*key) == (expected if expected < 6 else None)
        model[key] = min(expected + 1, 6)


def test_a_cursor_file_survives_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "cursors.json"
    first = Cursors(6, file)
    assert [first.take(9, "Tuesday"), first.take(9, "Tuesday"), first.take(9, None)] == [0, 1, 0]
    second = Cursors(6, file)
    assert [second.take(9, "Tuesday"), second.take(9, "Wednesday"), second.take(9, None)] == [2, 0, 1]
    second.restart(9, "Tuesday")
    assert Cursors(6, file).take(9, "Tuesday") == 0
    assert [path.name for path in file.parent.iterdir()] == ["cursors.json"]


def test_without_a_file_a_restart_begins_again() -> None:
    assert Cursors(6).take(1, None) == Cursors(6).take(1, None) == 0


@pytest.mark.parametrize("text", ["", "[]", '{"1": "2"}', '{"1": -1}', '{"1": true}', '{"1": 1.5}', "{"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "cursors.json"
    file.write_text(text)
    with pytest.raises(CursorFileError, match="delete it to begin at batch 0"):
        Cursors(6, file)
    assert file.read_text() == text


def test_a_cursor_that_cannot_be_kept_does_not_move(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    cursors = Cursors(6, folder / "cursors.json")
    assert cursors.take(1, None) == 0
    (folder / "cursors.json").unlink()
    folder.rmdir()
    folder.write_text("in the way")
    with pytest.raises(CursorFileError, match="no cursor moved"):
        cursors.take(1, None)
    assert cursors.positions() == {"1": 1}
    folder.unlink()
    assert cursors.take(1, None) == 1


def test_a_file_that_cannot_be_written_is_found_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "in_the_way").write_text("")
    with pytest.raises(CursorFileError, match="--state"):
        Cursors(6, tmp_path / "in_the_way" / "cursors.json")


def test_no_batch_is_handed_out_twice_at_once() -> None:
    cursors = Cursors(500)
    with ThreadPoolExecutor(16) as pool:
        taken = list(pool.map(lambda _: cursors.take(1, None), range(600)))
    assert sorted(number for number in taken if number is not None) == list(range(500))
    assert taken.count(None) == 100
