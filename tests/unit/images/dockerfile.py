"""Dockerfiles as lists of instructions, for the tests."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Stage:
    """A FROM with what follows it."""

    base: str
    name: str | None
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, keyword: str) -> list[str]:
        """The arguments of every instruction of this kind."""
        return [value for found, value in self.instructions if found == keyword]

    def json(self, keyword: str) -> list[str]:
        """The arguments of the only instruction of this kind, which is in JSON form."""
        [value] = self.all(keyword)
        return list(json.loads(value))


@dataclass(frozen=True)
class Dockerfile:
    """What is before the first FROM, and the stages."""

    text: str
    arguments: dict[str, str]
    stages: list[Stage]

    @property
    def image(self) -> Stage:
        """The stage that becomes the image."""
        return self.stages[-1]

    def stage(self, name: str) -> Stage:
        """The stage of a name."""
        [found] = [stage for stage in self.stages if stage.name == name]
        return found


def read(file: Path) -> Dockerfile:
    """Parse a Dockerfile without heredocs."""
    text = file.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    instructions = [tuple(part.split(None, 1)) for part in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()]
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for keyword, value in instructions:
        if keyword == "FROM":
            base, _, name = value.partition(" AS ")
            stages.append(Stage(base, name or None))
        elif stages:
            stages[-1].instructions.append((keyword, value))
        else:
            name, _, default = value.partition("=")
            arguments[name] = default
    return Dockerfile(text, arguments, stages)
