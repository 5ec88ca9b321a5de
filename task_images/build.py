"""Build the container images with Docker: ``python task_images/build.py [NAME...]``, all of them without a name.

Standard library only. The tag says exactly what was built: the release, the commit and, where files differ from the commit,
a digest of them. It is never built twice from different files, so a cluster may keep what it has of it.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "task_images" / "images.toml"
PREFIX = "continuous-training/"
MEGABYTE = 1_000_000
"""Docker's own."""

ABOVE_BASE = "groupadd --gid"
"""What makes the first layer above the base, in every Dockerfile."""


class BuildError(Exception):
    """An image could not be built; the message says why and what is there now."""


@dataclass(frozen=True)
class Image:
    """One image of the manifest; ``megabytes`` is the most that it may add to its base, if anything was promised."""

    name: str
    dockerfile: str
    packages: tuple[str, ...]
    requirements: str | None = None
    megabytes: int | None = None

    def reference(self, prefix: str, tag: str) -> str:
        """The name that Docker knows it by."""
        return f"{prefix}{self.name.replace('_', '-')}:{tag}"


@dataclass(frozen=True)
class Built:
    """What was built: bytes of the whole image, bytes of what it adds to its base, seconds."""

    image: Image
    reference: str
    size: int
    added: int
    seconds: float


def read_manifest(file: Path = MANIFEST) -> dict[str, Image]:
    """Every image by its name."""
    described = tomllib.loads(file.read_text(encoding="utf-8"))
    return {name: Image(name=name, **{**entry, "packages": tuple(entry["packages"])}) for name, entry in described.items()}


def release() -> str:
    """The provider's version, which is the release of everything. Raises BuildError if the file does not name one."""
    file = ROOT / "provider" / "continuous_training" / "version.py"
    found = re.search(r'^__version__ = "([^"]+)"$', file.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise BuildError(f"{file} names no version. Nothing was built")
    return found[1]


def revision(root: Path = ROOT) -> str:
    """The commit, and a digest of what differs from it if anything does. Raises BuildError outside of a clone."""
    commit = _git(root, "rev-parse", "HEAD").decode().strip()
    difference = hashlib.sha256(_git(root, "diff", "--binary", "HEAD"))
    others = [name for name in _git(root, "ls-files", "--others", "--exclude-standard", "-z").decode().split("\0") if name]
    for name in sorted(others):
        difference.update(name.encode() + b"\0" + (root / name).read_bytes())
    if not others and not _git(root, "status", "--porcelain"):
        return commit
    return f"{commit}-{difference.hexdigest()[:8]}"


def default_tag(version: str, commit: str) -> str:
    """A tag of this release and revision: ``0.1.0-g1a2b3c4d5e6f``, with a difference ``0.1.0-g1a2b3c4d5e6f-9f8e7d6c``."""
    head, _, difference = commit.partition("-")
    return f"{version}-g{head[:12]}" + (f"-{difference}" if difference else "")


def build_command(image: Image, reference: str, base: str | None, version: str, commit: str) -> list[str]:
    """The call of ``docker``, to be run in the root of the repository."""
    arguments = {"VERSION": version, "REVISION": commit, **({"BASE_IMAGE": base} if base else {})}
    given = [part for name, value in arguments.items() for part in ("--build-arg", f"{name}={value}")]
    return ["docker", "build", "--file", image.dockerfile, *given, "--tag", reference, "."]


def build(image: Image, reference: str, base: str | None, version: str, commit: str) -> Built:
    """Build one image and measure it. Raises BuildError with the end of Docker's words."""
    started = time.monotonic()
    done = _docker(*build_command(image, reference, base, version, commit)[1:])
    if done.returncode:
        words = "\n".join((done.stdout + done.stderr).strip().splitlines()[-25:])
        raise BuildError(f"{image.name} was not built; the images before it are there.\n{words}")
    size, added = measure(image, reference)
    return Built(image, reference, size, added, time.monotonic() - started)


def measure(image: Image, reference: str) -> tuple[int, int]:
    """Bytes of the whole image and of its layers above the base. Raises BuildError if this engine does not have it."""
    done = _docker("history", "--no-trunc", "--human=false", "--format", "{{.Size}} {{.CreatedBy}}", reference)
    if done.returncode:
        raise BuildError(f"{reference} is not on this engine: {done.stderr.strip()}")
    layers = [line.partition(" ") for line in done.stdout.splitlines()]  # the newest first
    sizes = [int(size) for size, _, _ in layers]
    own = len(layers)
    if image.requirements is not None:
        own = 1 + next(place for place, (_, _, command) in enumerate(layers) if ABOVE_BASE in command)
    return sum(sizes), sum(sizes[:own])


def table(built: Iterable[Built]) -> str:
    """A Markdown table of sizes in MB; a limit that is broken is marked."""
    lines = ["| image | size, MB | adds to the base, MB | at most | built in, s |", "|---|---:|---:|---:|---:|"]
    for one in built:
        limit = one.image.megabytes
        mark = " **exceeded**" if limit and one.added > limit * MEGABYTE else ""
        sizes = f"{one.size / MEGABYTE:.1f} | {one.added / MEGABYTE:.1f}"
        lines.append(f"| {one.reference} | {sizes} | {limit or ''}{mark} | {one.seconds:.0f} |")
    return "\n".join(lines) + "\n"


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["docker", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise BuildError("there is no docker program here. Nothing was built. Install Docker, or build elsewhere") from error


def _git(root: Path, *arguments: str) -> bytes:
    try:
        return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise BuildError(f"no revision: {root} is not a git clone with a commit. Give --tag and --revision") from error


def _parser(names: Mapping[str, Image]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *names], default=[], help=", ".join(names))
    parser.add_argument("--base-image", metavar="IMAGE", help="another base than the official Python by digest")
    parser.add_argument("--prefix", default=PREFIX, help="what stands before the names (default: %(default)s)")
    parser.add_argument("--tag", help="default: the release and the revision")
    parser.add_argument("--revision", help="what the label says; default: the commit, and a digest of what differs from it")
    parser.add_argument("--report", metavar="FILE", type=Path, help="write the table of sizes there too")
    parser.add_argument("--print-tag", action="store_true", help="only print the tag")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Build the images named on the command line, one after the other, and print what they weigh."""
    images = read_manifest()
    parser = _parser(images)
    arguments = parser.parse_args(argv)
    if arguments.tag == "latest":
        parser.error("the tag latest does not say what is in an image; give another --tag, or none")
    built: list[Built] = []
    failure = None
    try:
        version = release()
        commit = arguments.revision or revision()
        tag = arguments.tag or default_tag(version, commit)
        if arguments.print_tag:
            print(tag)
            return 0
        for name in arguments.names or images:
            reference = images[name].reference(arguments.prefix, tag)
            built.append(build(images[name], reference, arguments.base_image, version, commit))
            print(f"{reference}: {built[-1].seconds:.0f} s", file=sys.stderr, flush=True)
    except BuildError as error:
        failure = error
    if built:
        print(table(built), end="")
        if arguments.report:
            arguments.report.write_text(table(built), encoding="utf-8")
    if failure:
        print(failure, file=sys.stderr)
    return 1 if failure else 0


if __name__ == "__main__":
    raise SystemExit(main())
