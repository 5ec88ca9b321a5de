"""The few commands of the ``docker`` program that a container's life needs.

The program and not the SDK: it brings no dependency, follows the contexts, hosts and logins that a person has set up for it,
and is needed anyway for a container on a terminal.
"""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from continuous_training.runners.base import RunnerError, RunnerUnavailableError

PROGRAM = "docker"

AWAY = ("cannot connect to the docker daemon", "error during connect", "is the docker daemon running")

ABSENT = ("no such container", "no such object", "could not find the file")

TAKEN = "is already in use by container"


class NameTakenError(Exception):
    """A container of this name exists already: somebody was faster."""


def docker(*arguments: str, environ: Mapping[str, str], feed: bytes | None = None) -> bytes:
    """Run ``docker`` and return what it wrote. Raises RunnerError with its words, or what its words mean."""
    try:
        done = subprocess.run(
            [PROGRAM, *arguments], env=dict(environ), input=feed, capture_output=True, check=False, start_new_session=True
        )
    except FileNotFoundError as error:
        raise RunnerError(
            f"there is no program {PROGRAM} on the PATH of the process that starts the tasks. Nothing ran. Install Docker's "
            "command line there, or choose another runner"
        ) from error
    if done.returncode == 0:
        return done.stdout
    words = done.stderr.decode("utf-8", "replace").strip()
    if any(sign in words.lower() for sign in AWAY):
        raise RunnerUnavailableError(f"the Docker engine does not answer: {words}")
    if TAKEN in words:
        raise NameTakenError(words)
    raise RunnerError(f"docker {arguments[0]} failed: {words or f'exit status {done.returncode}'}")


def inspect(name: str, environ: Mapping[str, str]) -> dict[str, Any] | None:
    """What the engine knows of a container, None if there is none. Raises RunnerError."""
    try:
        found = json.loads(docker("container", "inspect", name, environ=environ))
    except RunnerError as error:
        if _absent(error):
            return None
        raise
    return dict(found[0])


def remove(name: str, environ: Mapping[str, str]) -> None:
    """Kill and remove a container and its volumes; fine if there is none. Raises RunnerError."""
    try:
        docker("rm", "--force", "--volumes", name, environ=environ)
    except RunnerError as error:
        if not _absent(error):
            raise


def make_folder(name: str, folder: PurePosixPath, environ: Mapping[str, str]) -> None:
    """Make a folder in a volume of a container that is not started, writable for every user of it. Raises RunnerError."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo(folder.name)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o777
        tar.addfile(entry)
    docker("cp", "-", f"{name}:{folder.parent}", environ=environ, feed=archive.getvalue())


def read_file(name: str, path: PurePosixPath, environ: Mapping[str, str]) -> bytes | None:
    """The content of a file of a container, None if there is none. Raises RunnerError."""
    try:
        archive = docker("cp", f"{name}:{path}", "-", environ=environ)
    except RunnerError as error:
        if _absent(error):
            return None
        raise
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        entry = tar.extractfile(path.name)
        return None if entry is None else entry.read()


def follow_command(name: str, *, fresh: bool, seen: bool) -> Sequence[str]:
    """What starts a new container and follows it, or follows one that runs; ``seen``: what it wrote so far is known."""
    if fresh:
        return [PROGRAM, "start", "--attach", name]
    return [PROGRAM, "logs", "--follow", *(["--tail", "0"] if seen else []), name]


def _absent(error: RunnerError) -> bool:
    return any(sign in str(error).lower() for sign in ABSENT)
