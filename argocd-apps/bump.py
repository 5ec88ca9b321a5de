"""Write published images into an environment's images.yaml, and commit it if asked to.

    python argocd-apps/bump.py production serving=docker.io/you/ct-serving:0.1.0-gabc@sha256:... [--commit] [--push]

Images that are not named stay as they are. Nothing is written if nothing changed. With --push a commit that somebody else was
quicker than is made again on top of theirs. Rolling back is `git revert` of the commit: tags are never moved, so the old
reference still means the old image. Needs Python's standard library and git.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAD = "# Written by argocd-apps/bump.py only: by CI, when images were published. `git revert` brings an older set back.\n"
LINE = re.compile(r"^    (?P<name>[a-z][a-z0-9-]*): (?P<image>\{.*\})$", re.MULTILINE)
REFERENCE = re.compile(
    r"(?P<repository>[a-z0-9][a-z0-9._/:-]*?):(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
TRIES = 5

Image = dict[str, str]


class BumpError(Exception):
    """What was wrong, and what to do."""


def images_file(root: Path, environment: str) -> Path:
    """The file of an environment. Raises BumpError for one that does not exist."""
    file = root / "argocd-apps" / "environments" / environment / "images.yaml"
    if not file.exists():
        known = ", ".join(sorted(path.parent.name for path in file.parents[1].glob("*/images.yaml")))
        raise BumpError(f"there is no environment {environment}; there are {known}")
    return file


def parse_reference(text: str) -> tuple[str, Image]:
    """The name and the parts of ``NAME=REPOSITORY:TAG[@DIGEST]``. Raises BumpError for anything else, and for latest."""
    name, _, reference = text.partition("=")
    match = REFERENCE.fullmatch(reference)
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name) or match is None:
        raise BumpError(f"{text} is not NAME=REPOSITORY:TAG@sha256:DIGEST")
    if match["tag"] == "latest":
        raise BumpError(f"{text}: the tag latest names no version")
    return name, {key: value for key, value in match.groupdict().items() if value}


def read(text: str) -> dict[str, Image]:
    """The images of an images.yaml."""
    return {match["name"]: json.loads(match["image"]) for match in LINE.finditer(text)}


def write(images: Mapping[str, Image]) -> str:
    """An images.yaml, one line an image, so that a change is one line."""
    lines = "".join(f"    {name}: {json.dumps(images[name])}\n" for name in sorted(images))
    return f"{HEAD}global:\n  images:\n{lines}" if images else f"{HEAD}global:\n  images: {{}}\n"


def bump(file: Path, changes: Mapping[str, Image]) -> list[str]:
    """Put the changes into the file; the names that differ from before."""
    before = read(file.read_text(encoding="utf-8"))
    changed = sorted(name for name, image in changes.items() if before.get(name) != image)
    if changed:
        file.write_text(write({**before, **changes}), encoding="utf-8")
    return changed


def subject(environment: str, changes: Mapping[str, Image], changed: list[str]) -> str:
    """The first line of the commit."""
    if len(changed) == 1:
        return f"deploy({environment}): {changed[0]} {changes[changed[0]]['tag']}"
    return f"deploy({environment}): {len(changed)} images"


def message(environment: str, changes: Mapping[str, Image], changed: list[str]) -> str:
    """The commit's message: what is deployed by which digest."""
    lines = [f"{name} {changes[name]['tag']} {changes[name].get('digest', 'without a digest')}" for name in changed]
    return "\n".join([subject(environment, changes, changed), "", *lines])


def git(root: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run git. Raises BumpError with its words."""
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise BumpError(f"git {arguments[0]}: {done.stderr.strip()}")
    return done


def deploy(root: Path, environment: str, changes: Mapping[str, Image], *, commit: bool, push: bool) -> list[str]:
    """Bump, commit and push; the names that changed. Raises BumpError if others were quicker five times over."""
    file = images_file(root, environment)
    for _ in range(TRIES):
        changed = bump(file, changes)
        if not changed or not commit:
            return changed
        git(root, "commit", "--quiet", "--message", message(environment, changes, changed), "--", str(file))
        if not push or git(root, "push", "--quiet", check=False).returncode == 0:
            return changed
        git(root, "reset", "--quiet", "--hard", "HEAD~1")
        git(root, "pull", "--quiet", "--ff-only")
    raise BumpError(f"the branch moved {TRIES} times meanwhile; nothing was pushed. Run this again.")


def main() -> int:
    """Bump what the command line names."""
    parser = argparse.ArgumentParser(description="Write published images into an environment's images.yaml.")
    parser.add_argument("environment")
    parser.add_argument("images", nargs="+", metavar="NAME=REPOSITORY:TAG@DIGEST")
    parser.add_argument("--commit", action="store_true", help="commit the file, and nothing else")
    parser.add_argument("--push", action="store_true", help="and push the commit")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    given = parser.parse_args()
    try:
        changes = dict(parse_reference(text) for text in given.images)
        changed = deploy(given.root, given.environment, changes, commit=given.commit or given.push, push=given.push)
    except BumpError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{given.environment}: {', '.join(changed) or 'nothing'} changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
