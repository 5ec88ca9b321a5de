from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from task_images import trim  # noqa: E402

pytestmark = pytest.mark.unit

UNCHECKED = 1
"""The second word of a bytecode file that is never compared with its source."""


@pytest.fixture
def bytecode(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "bytecode"))
    return tmp_path / "bytecode"


def tree(site: Path, *files: str) -> None:
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text("value = 1\n")


def left(site: Path) -> set[str]:
    return {str(file.relative_to(site)) for file in site.rglob("*") if file.is_file()}


def test_tests_stubs_and_named_folders_go_and_everything_else_stays(tmp_path):
    tree(
        tmp_path, "pandas/core.py", "pandas/tests/test_core.py", "scipy/stats/tests/data.npz", "scipy/stats/a.pyi",
        "scipy/stats/tests.py", "other/tests/part_of_it.py", "databricks/sdk/client.py", "databricks/__init__.py",
    )  # fmt: skip
    trim.remove(tmp_path, ["databricks/sdk"])
    assert left(tmp_path) == {"pandas/core.py", "scipy/stats/tests.py", "other/tests/part_of_it.py", "databricks/__init__.py"}


def test_a_folder_that_is_to_go_must_be_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        trim.remove(tmp_path, ["gone"])


def test_bytecode_is_kept_apart_and_does_not_depend_on_the_clock(tmp_path, bytecode):
    source = tmp_path / "module.py"
    source.write_text("value = 1\n")
    assert trim.compile_files([source]) == 1
    kept = Path(importlib.util.cache_from_source(str(source)))
    assert kept.is_relative_to(bytecode)
    first = kept.read_bytes()
    assert int.from_bytes(first[4:8], "little") == UNCHECKED
    source.touch()
    trim.compile_files([source])
    assert kept.read_bytes() == first


def test_files_of_another_syntax_are_left_out(tmp_path, bytecode):
    (tmp_path / "old.py").write_text("print 'two'\n")
    (tmp_path / "new.py").write_text("print('three')\n")
    assert trim.compile_files(sorted(tmp_path.glob("*.py"))) == 1


def test_what_an_import_loads_is_found_with_the_standard_library():
    program = "import sys; from task_images import trim; print(*trim.loaded(['wave']), sep='\\n')"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    names = {Path(line).name for line in done.stdout.splitlines()}
    assert {"wave.py", "trim.py", "argparse.py"} <= names
    assert "sqlite3" not in done.stdout


def test_a_module_that_cannot_be_imported_ends_the_build():
    with pytest.raises(ImportError):
        trim.loaded(["no_such_module"])
