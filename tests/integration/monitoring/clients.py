"""Clients of the API: the Locust profiles, several at once, headless."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PROFILES = Path(__file__).resolve().parents[2] / "load"
USERS = 8
"""Of each profile."""


def load(url: str, profiles: Mapping[str, str]) -> dict[str, int]:
    """Run profiles, each for its time (``20s``), against the API at ``url``: how many requests by Locust's name of them.

    Fails with what Locust says if an answer was not the expected one.
    """
    with ThreadPoolExecutor(len(profiles)) as pool:
        found = pool.map(lambda profile: _run(profile, profiles[profile], url), profiles)
        return {name: count for counts in found for name, count in counts.items()}


def _run(profile: str, seconds: str, url: str) -> dict[str, int]:
    command = [sys.executable, "-m", "locust", "--locustfile", str(PROFILES / f"{profile}.py"), "--headless",
               "--users", str(USERS), "--spawn-rate", str(USERS), "--run-time", seconds, "--host", url, "--json",
               "--only-summary"]  # fmt: skip
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {line["name"]: line["num_requests"] for line in json.loads(done.stdout)}
