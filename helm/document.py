"""Write each chart's values.schema.json and README.md from its values.yaml: ``python helm/document.py [--check]``.

Every value has a comment above it that begins with ``# -- ``; ``# @enum: a, b`` in the next line lists what it may be. The
type is that of the default. A schema refuses every key that is not in values.yaml, and the tag ``latest``.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HELM = Path(__file__).resolve().parent
KEY = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z][\w-]*):")
NUMBERS = {bool: "boolean", int: "integer", float: "number"}

PATTERNS: dict[str, dict[str, Any]] = {
    "tag": {"pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", "not": {"const": "latest"}},
    "digest": {"pattern": "^$|^sha256:[0-9a-f]{64}$"},
    "repository": {"pattern": "^[^@\\s]*$"},
}
QUANTITY = {"type": ["string", "number"], "pattern": "^[0-9.]+([mKMGT]i?)?$"}
AMOUNTS = {"type": "object", "additionalProperties": False, "properties": {"cpu": QUANTITY, "memory": QUANTITY}}
DEFINITIONS: dict[str, Any] = {
    "resources": {
        "type": "object",
        "description": "Requests and limits of a container; the limit of memory is what is requested, that of CPU is generous.",
        "required": ["requests", "limits"],
        "additionalProperties": False,
        "properties": {
            "requests": {**AMOUNTS, "required": ["cpu", "memory"]},
            "limits": {**AMOUNTS, "required": ["cpu", "memory"]},
        },
    },
    "global": {
        "type": ["object", "null"],
        "description": "What an environment says to all charts.",
        "properties": {
            "requirePublished": {"type": "boolean", "description": "Refuse an image of ours that is not below `images`."},
            "requireDigest": {"type": "boolean", "description": "Refuse an image of ours without a digest."},
            "imagePullSecrets": {"type": "array", "items": {"type": "string"}},
            "images": {
                "type": "object",
                "description": "The images that CI published, by name: these win over a chart's own.",
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {name: {"type": "string", **more} for name, more in PATTERNS.items()},
                },
            },
        },
    },
}


@dataclass(frozen=True)
class Value:
    """One commented value: its path, its comment, and what it may be."""

    path: tuple[str, ...]
    text: str
    choices: tuple[Any, ...]


class UndocumentedValueError(ValueError):
    """A value without a comment."""


def comments(text: str) -> dict[tuple[str, ...], Value]:
    """The commented values of a values.yaml by path."""
    found: dict[tuple[str, ...], Value] = {}
    path: list[tuple[int, str]] = []
    said, choices = "", ()
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# -- "):
            said = stripped.removeprefix("# -- ")
        elif stripped.startswith("# @enum: "):
            choices = tuple(yaml.safe_load(f"[{stripped.removeprefix('# @enum: ')}]"))
        elif match := KEY.match(line):
            indent = len(match["indent"])
            path = [*(step for step in path if step[0] < indent), (indent, match["key"])]
            names = tuple(name for _, name in path)
            if said:
                found[names] = Value(names, said, choices)
            said, choices = "", ()
    return found


def schema(default: Any, known: dict[tuple[str, ...], Value], path: tuple[str, ...]) -> dict[str, Any]:
    """The JSON schema of a value by its default. Raises UndocumentedValueError for a leaf without a comment."""
    value = known.get(path)
    if value is None and not isinstance(default, dict):
        raise UndocumentedValueError(f"{'.'.join(path)} has no comment that begins with '# -- '")
    said: dict[str, Any] = {"description": value.text} if value else {}
    if path and path[-1] == "resources":
        return {"$ref": "#/$defs/resources"}
    if isinstance(default, dict):
        if value is not None:  # a free map: its keys are the user's
            return said | {"type": "object"}
        properties = {key: schema(inner, known, (*path, key)) for key, inner in default.items()}
        return said | {"type": "object", "additionalProperties": False, "properties": properties}
    return said | _leaf(default, value, path[-1])


def _leaf(default: Any, value: Value | None, name: str) -> dict[str, Any]:
    if isinstance(default, list):
        return {"type": "array", "items": {"type": ["string", "integer"]}}
    if value and value.choices:
        return {"enum": list(value.choices)}
    return {"type": NUMBERS[type(default)]} if type(default) in NUMBERS else {"type": "string"} | PATTERNS.get(name, {})


def chart_schema(values: str) -> dict[str, Any]:
    """The whole schema of a chart."""
    known = comments(values)
    own = schema(yaml.safe_load(values) or {}, known, ())
    # Helm puts `global` and the library's own name among the values.
    own["properties"] |= {"global": {"$ref": "#/$defs/global"}, "lib": {"type": "object"}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | own | {"$defs": DEFINITIONS}


def table(values: str) -> str:
    """The values as a Markdown table."""
    loaded = yaml.safe_load(values) or {}
    lines = ["| value | default | meaning |", "|---|---|---|"]
    for path, value in comments(values).items():
        default = loaded
        for name in path:
            default = default[name]
        shown = json.dumps(default, ensure_ascii=False)
        choices = f" One of {', '.join(f'`{choice}`' for choice in value.choices)}." if value.choices else ""
        lines.append(f"| `{'.'.join(path)}` | `{shown}` | {value.text}{choices} |".replace("||", "\\|\\|"))
    return "\n".join(lines)


def readme(chart: Path) -> str:
    """The README of a chart: its purpose, its own words (ABOUT.md), its values."""
    described = yaml.safe_load((chart / "Chart.yaml").read_text())
    about = chart / "ABOUT.md"
    words = f"{about.read_text().strip()}\n\n" if about.exists() else ""
    values = (chart / "values.yaml").read_text()
    return (
        f"# {described['name']}\n\n{described['description']}.\n\n{words}## Values\n\n{table(values)}\n\n"
        "`global.images`, `global.requirePublished`, `global.requireDigest` and `global.imagePullSecrets` come "
        "from the environment. This file is written by `helm/document.py`.\n"
    )


def documents() -> dict[Path, str]:
    """Every written file and what it should be."""
    written = {}
    for values in sorted(HELM.glob("*/values.yaml")):
        chart = values.parent
        written[chart / "values.schema.json"] = json.dumps(chart_schema(values.read_text()), indent=2) + "\n"
        written[chart / "README.md"] = readme(chart)
    return written


def main() -> int:
    """Write the files; with --check only say which differ."""
    parser = argparse.ArgumentParser(description="Write each chart's schema and README from its values.yaml.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not as it would be written")
    check = parser.parse_args().check
    different = [path for path, text in documents().items() if not path.exists() or path.read_text() != text]
    for path in different:
        print(f"{'differs' if check else 'wrote'}: {path.relative_to(HELM.parent)}")
        if not check:
            path.write_text(documents()[path])
    return 1 if check and different else 0


if __name__ == "__main__":
    sys.exit(main())
