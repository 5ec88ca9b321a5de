"""Make the Python environments of the images on this machine: one hash-pinned environment each, under ``.envs``.

Standard library only, because it is what runs first. An environment whose requirements and packages have not changed
is left alone, so a second call costs nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / ".envs"

SUPPORTED = (3, 11) <= sys.version_info[:2] < (3, 13)


def _environments() -> dict[str, tuple[str, ...]]:
    if not SUPPORTED:  # tomllib may be missing; main says which Python is needed
        return {}
    import tomllib

    images = tomllib.loads((ROOT / "task_images" / "images.toml").read_text(encoding="utf-8"))
    return {name: tuple(image["packages"]) for name, image in images.items() if "requirements" in image}


PACKAGES: dict[str, tuple[str, ...]] = {"local": (), **_environments()}
"""Which of the project's own packages (folders from the root, ``.`` for the provider) an environment holds."""

PACKAGES["dev"] = tuple(dict.fromkeys(package for packages in PACKAGES.values() for package in packages))


def package_directory(package: str) -> Path:
    """Where the source of one of the project's packages lies."""
    return ROOT / package


def fingerprint(name: str) -> str:
    """Everything that an environment is made of, as one digest."""
    digest = hashlib.sha256(sys.version.encode())
    digest.update(str(ROOT).encode())
    digest.update((ROOT / "requirements" / f"{name}.txt").read_bytes())
    for package in PACKAGES[name]:
        directory = package_directory(package)
        digest.update((directory / "pyproject.toml").read_bytes())
        if package == ".":
            digest.update((directory / "setup.cfg").read_bytes())
    return digest.hexdigest()


def interpreter() -> str:
    """The Python that the environments are made from: the one that runs this, outside of any environment."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def make(name: str, uv: str) -> str:
    """Make or repair one environment and say what was done. Raises RuntimeError with uv's own words."""
    directory = ENVIRONMENTS / name
    stamp = directory / ".fingerprint"
    wanted = fingerprint(name)
    if stamp.is_file() and stamp.read_text() == wanted:
        return f"{name}: up to date"
    started = time.monotonic()
    environ = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}
    python = directory / "bin" / "python"
    if not python.exists():
        shutil.rmtree(directory, ignore_errors=True)
        _run([uv, "venv", "--quiet", "--no-project", "--python", interpreter(), str(directory)], environ)
    stamp.unlink(missing_ok=True)
    requirements = str(ROOT / "requirements" / f"{name}.txt")
    _run([uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(python), requirements], environ)
    editable = [part for package in PACKAGES[name] for part in ("--editable", str(package_directory(package)))]
    if editable:
        _run([uv, "pip", "install", "--quiet", "--no-deps", "--python", str(python), *editable], environ)
    stamp.write_text(wanted)
    return f"{name}: made in {time.monotonic() - started:.1f} s"


def _run(command: Sequence[str], environ: dict[str, str]) -> None:
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr.strip()}")


def main() -> int:
    """Make the environments named on the command line, or all of the one-machine stack."""
    if not SUPPORTED:
        print(
            f"Python 3.11 or 3.12 is needed, this is {sys.version.split()[0]}: make PYTHON=/path/to/python3.11", file=sys.stderr
        )
        return 2
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *PACKAGES], default=[], metavar="NAME")
    parser.add_argument("--quiet", action="store_true", help="say nothing about environments that are up to date")
    parser.add_argument("--uv", default=str(ENVIRONMENTS / "uv" / "bin" / "uv"), help="the uv to install with")
    arguments = parser.parse_args()
    names = arguments.names or [name for name in PACKAGES if name != "dev"]
    failed = False
    with ThreadPoolExecutor(max_workers=2) as pool:
        for future in [pool.submit(make, name, arguments.uv) for name in names]:
            try:
                said = future.result()
                if not (arguments.quiet and said.endswith("up to date")):
                    print(said, flush=True)
            except RuntimeError as error:
                failed = True
                print(error, file=sys.stderr, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
