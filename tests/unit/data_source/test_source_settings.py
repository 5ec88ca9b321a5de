from __future__ import annotations

from pathlib import Path

import pytest
from ct_data_source.settings import parse

pytestmark = pytest.mark.unit


def test_the_defaults() -> None:
    settings = parse([], {"XDG_CACHE_HOME": "cache"})
    assert (settings.host, settings.port, settings.scale, settings.seed) == ("127.0.0.1", 8000, 10.0, 0)
    assert (settings.edition, settings.groups, settings.layout) == ("2025", (1, 10), "spaced")
    assert (settings.listings, settings.state, settings.cache) == (None, None, Path("cache/ct_data_source"))


def test_a_listings_file_is_served_whole_unless_told() -> None:
    assert parse(["--listings", "a.csv"], {}).scale == 100.0
    assert parse(["--listings", "a.csv", "--scale", "5"], {}).scale == 5.0


def test_variables_and_options() -> None:
    environ = {"CT_SOURCE_SCALE": "2.5", "CT_SOURCE_EDITION": "2026", "CT_SOURCE_GROUPS": "4", "CT_SOURCE_STATE": "state.json"}
    settings = parse(["--scale", "3"], environ)
    assert (settings.scale, settings.edition, settings.groups, settings.state) == (3.0, "2026", (4, 4), Path("state.json"))


@pytest.mark.parametrize(
    ("argv", "environ", "words"),
    [
        (["--scale", "0.5"], {}, "1 to 100"),
        (["--scale", "nan"], {}, "1 to 100"),
        (["--scale", "many"], {}, "must be a number"),
        (["--port", "70000"], {}, "65535"),
        (["--seed", "-1"], {}, "negative"),
        (["--seed", "1.5"], {}, "whole number"),
        (["--groups", "3-1"], {}, "before the first"),
        (["--groups", "a"], {}, "FIRST-LAST"),
        ([], {"CT_SOURCE_EDITION": "2024"}, "2025"),
        ([], {"CT_SOURCE_JSON": "pretty"}, "compact"),
    ],
)
def test_bad_values_are_named(argv: list[str], environ: dict[str, str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(argv, environ)
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err
