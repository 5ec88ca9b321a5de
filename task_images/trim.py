"""Make an environment smaller and its programs quicker to start: ``python trim.py [--all] [--remove PATH]... MODULE...``.

Dockerfiles run it with the environment's own Python, in the build. It removes what no program reads, then imports the named
modules, which proves that they still can be, and keeps the bytecode of everything that these imports loaded, of the standard
library too. A container whose file system is read-only could never keep it later. Bytecode goes where
``PYTHONPYCACHEPREFIX`` says and is never compared with its source again, so that equal builds give equal files.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import py_compile
import shutil
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path

TESTED = ("matplotlib", "numpy", "pandas", "pyarrow", "scipy", "skops", "sklearn")
"""Packages that install tens of megabytes of their own tests and import none of them."""

SOURCES = frozenset({".c", ".cpp", ".h", ".hpp", ".pxd", ".pxi", ".pyi", ".pyx", ".tp"})
"""Suffixes of what only compilers and type checkers read."""


def remove(site: Path, others: Iterable[str]) -> None:
    """Delete tests, sources and the named ``others`` below ``site``. Raises FileNotFoundError for another that is not there."""
    for package in TESTED:
        for folder in sorted((site / package).rglob("tests")):
            if folder.is_dir():
                shutil.rmtree(folder)
    for other in others:
        shutil.rmtree(site / other)
    for file in sorted(site.rglob("*")):
        if file.suffix in SOURCES and file.is_file():
            file.unlink()


def loaded(names: Iterable[str]) -> list[Path]:
    """Import the modules and return the source file of every module that is loaded then. Raises ImportError."""
    for name in names:
        importlib.import_module(name)
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return sorted(Path(file) for file in files if file and file.endswith(".py"))


def compile_files(files: Iterable[Path]) -> int:
    """Keep the bytecode of each file, without those of another Python's syntax; returns how many there are."""
    count = 0
    for file in files:
        try:
            py_compile.compile(
                str(file),
                cfile=importlib.util.cache_from_source(str(file)),
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        except py_compile.PyCompileError:
            continue
        count += 1
    return count


def main(argv: Sequence[str] | None = None) -> int:
    """Trim the environment of the Python that runs this."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="what the program imports")
    parser.add_argument("--all", action="store_true", help="keep the bytecode of every module of the environment")
    parser.add_argument("--remove", action="append", default=[], metavar="PATH", help="another folder to delete")
    arguments = parser.parse_args(argv)
    site = Path(sysconfig.get_path("purelib"))
    remove(site, arguments.remove)
    (Path(sys.prefix) / ".lock").unlink(missing_ok=True)  # uv's, and writable for everybody
    files = set(loaded(arguments.modules)) if arguments.modules else set()
    if arguments.all:
        files.update(site.rglob("*.py"))
    print(f"{compile_files(sorted(files))} modules compiled for {site}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
