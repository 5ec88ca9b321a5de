"""Which images an environment does not have yet: ``python task_images/outdated.py production --prefix docker.io/you/x-``.

An image is named by the release and the last commit that touched what it is made from, which its Dockerfile says: the files it
copies, and itself. So a commit that touches none of them needs no build, and a build that failed is tried again by the next
commit. Prints a JSON list of {name, dockerfile, reference, tag, revision}. With --of DIRECTORY, whose files hold one line
NAME=REFERENCE@DIGEST each, it prints those of these lines whose image is in the list. Standard library and git only.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from task_images.build import Image, default_tag, read_manifest, release  # noqa: E402

COPY = re.compile(r"^COPY\s+(?!--from)(?P<sources>.+?)\s+\S+$", re.MULTILINE)


@dataclass(frozen=True)
class Candidate:
    """An image as it would be published; ``revision`` is the commit that last touched what it is made from."""

    name: str
    dockerfile: str
    reference: str
    tag: str
    revision: str


def inputs(image: Image, root: Path = ROOT) -> tuple[str, ...]:
    """The paths that an image is made from: its Dockerfile and all that it copies from the context."""
    text = (root / image.dockerfile).read_text(encoding="utf-8")
    sources = {source for match in COPY.finditer(text) for source in match["sources"].split()}
    return (image.dockerfile, ".dockerignore", *sorted(sources))


def last_change(paths: tuple[str, ...], root: Path = ROOT) -> str:
    """The commit that last touched any of the paths. Raises RuntimeError if the clone has no such commit."""
    command = ["git", "-C", str(root), "log", "-1", "--format=%H", "--", *paths]
    commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    if not commit:
        raise RuntimeError(f"no commit touches {', '.join(paths)}: the clone must have its whole history")
    return commit


def candidates(prefix: str, root: Path = ROOT) -> list[Candidate]:
    """Every image as this commit would publish it."""
    found = []
    for image in read_manifest(root / "task_images" / "images.toml").values():
        revision = last_change(inputs(image, root), root)
        tag = default_tag(release(), revision)
        reference = image.reference(prefix, tag)
        found.append(Candidate(image.name.replace("_", "-"), image.dockerfile, reference, tag, revision))
    return found


def outdated(prefix: str, images: str, root: Path = ROOT) -> list[Candidate]:
    """Those whose reference is not in the text of an environment's images.yaml."""

    def known(candidate: Candidate) -> bool:
        repository = json.dumps(candidate.reference.rpartition(":")[0])
        line = rf'^    {re.escape(candidate.name)}: .*{re.escape(repository)}.*"tag": {re.escape(json.dumps(candidate.tag))}'
        return re.search(line, images, re.MULTILINE) is not None

    return [candidate for candidate in candidates(prefix, root) if not known(candidate)]


def still_wanted(wanted: list[Candidate], published: list[str]) -> list[str]:
    """Those of the lines NAME=REFERENCE@DIGEST that name a wanted image by its very reference."""
    references = {f"{candidate.name}={candidate.reference}" for candidate in wanted}
    return [line for line in published if line.partition("@")[0] in references]


def main() -> int:
    """Print the list."""
    parser = argparse.ArgumentParser(description="Which images an environment does not have yet.")
    parser.add_argument("environment")
    parser.add_argument("--prefix", required=True, help="what stands before the names")
    parser.add_argument("--all", action="store_true", help="every image, published or not")
    parser.add_argument("--of", type=Path, metavar="DIRECTORY", help="only what these files publish, as bump.py takes it")
    given = parser.parse_args()
    file = ROOT / "argocd-apps" / "environments" / given.environment / "images.yaml"
    images = "" if given.all else file.read_text(encoding="utf-8")
    found = outdated(given.prefix, images)
    if given.of:
        lines = [file.read_text(encoding="utf-8").strip() for file in sorted(given.of.iterdir())]
        print(*still_wanted(found, lines), sep="\n")
    else:
        print(json.dumps([candidate.__dict__ for candidate in found]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
