"""Docker, for the tests of the images."""

from __future__ import annotations

import subprocess

TIGHT = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
"""What a pod of ours may do: write to /tmp."""


def docker(*arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run the program and return how it ended."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=timeout)
