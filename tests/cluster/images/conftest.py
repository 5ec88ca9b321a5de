"""The built images on a Docker engine. CT_IMAGE_PREFIX and CT_IMAGE_TAG name them; without them these tests are skipped."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
for place in (ROOT, HERE):
    sys.path.insert(0, str(place))

from engine import TIGHT, docker  # noqa: E402

from task_images import build  # noqa: E402


@dataclass(frozen=True)
class Built:
    """An image, and what Docker knows of it."""

    image: build.Image
    reference: str
    facts: dict[str, Any]

    @property
    def config(self) -> dict[str, Any]:
        """User, command, labels, health check."""
        return dict(self.facts["Config"])


@pytest.fixture(scope="session")
def built() -> Callable[[str], Built]:
    """The image of a name."""
    if shutil.which("docker") is None or docker("version", timeout=60).returncode:
        pytest.skip("no Docker engine answers: start one and run make images")
    prefix = os.environ.get("CT_IMAGE_PREFIX") or "localhost/continuous-training/"
    tag = os.environ.get("CT_IMAGE_TAG") or "test"
    images = build.read_manifest()

    def find(name: str) -> Built:
        reference = images[name].reference(prefix, tag)
        done = docker("image", "inspect", reference)
        if done.returncode:
            pytest.skip(f"there is no image {reference}: make images PREFIX={prefix} TAG={tag}")
        return Built(images[name], reference, json.loads(done.stdout)[0])

    return find


@pytest.fixture(scope="session")
def probed(built: Callable[[str], Built]) -> Callable[[str], dict[str, Any]]:
    """What the probe tells from within an image, tightly closed and without a network; asked once for each."""
    told: dict[str, dict[str, Any]] = {}

    def probe(name: str) -> dict[str, Any]:
        if name not in told:
            found = built(name)
            packages = [package_name(package) for package in found.image.packages[-1:]]
            serves = "Healthcheck" in found.config
            arguments = json.dumps([packages, None if serves else found.config["Cmd"]])
            program = (HERE / "probe.py").read_text()
            done = docker("run", "--rm", "--network", "none", *TIGHT, found.reference, "python", "-c", program, arguments)
            assert done.returncode == 0, done.stderr
            told[name] = json.loads(done.stdout.splitlines()[-1])
        return told[name]

    return probe


def package_name(package: str) -> str:
    """The module that an image's own package installs; the shared ones come before it."""
    return "continuous_training" if package == "." else f"ct_{Path(package).name}"
