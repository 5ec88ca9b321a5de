"""What the documentation tells people to type exists: targets, programs, modules, options, links. Nothing is run but --help."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from documented import PAGES, ROOT, Command, commands, files, flags, scripted, slug, split

pytestmark = pytest.mark.unit

COMMANDS = [*commands(), *(one for one in scripted() if one.words[0] in {"make", "python3"})]
ELSEWHERE = {
    ".",
    "airflow",
    "base64",
    "cat",
    "cd",
    "curl",
    "docker",
    "envsubst",
    "export",
    "git",
    "head",
    "kind",
    "kubectl",
    "mc",
    "sed",
}
"""Programs of others. What is said to kubectl and airflow is checked against the charts: tests/unit/helm/test_operations.py."""

TRACKED = set(files())


def of(program: str) -> list[Command]:
    return [command for command in COMMANDS if command.words[0] == program]


@cache
def helped(*command: str) -> str:
    """What --help of a program of ours says."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
    return done.stdout


def test_the_reader_of_commands_reads():
    assert list(split("export A=1 B=2; X=1 make up A=1 && kubectl get x | head -1  # why")) == [
        ("export", "A=1", "B=2"),
        ("make", "up", "A=1"),
        ("kubectl", "get", "x"),
        ("head", "-1"),
    ]
    assert list(split("continuous-training report RUN [--language es] [--runner process|docker]")) == [
        ("continuous-training", "report", "RUN", "--language", "es", "--runner", "process")
    ]
    assert len(COMMANDS) > 100
    assert {command.page for command in COMMANDS} >= {"README.md", "CONTRIBUTING.md", "docs/operations.md", "docs/images.md"}


def test_every_target_and_every_variable_of_make_exists():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):(?!=)", makefile, re.MULTILINE))
    variables = set(re.findall(r"^([A-Z_]+) \?=", makefile, re.MULTILINE))
    assert {"demo", "setup", "test-cluster"} <= targets
    assert len(of("make")) > 20
    for command in of("make"):
        for word in command.words[1:]:
            name, assigned, _ = word.partition("=")
            assert name in (variables if assigned else targets), f"{command}: {name}"


def test_every_program_is_ours_or_a_known_one():
    own = {"make", "python", "python3", "continuous-training", "helm", "pre-commit", "pip"}
    for command in COMMANDS:
        program = command.words[0]
        if "/" in program:
            environment = re.match(r"\.envs/(\w+)/bin/([\w-]+)$", program)
            if environment:
                assert (ROOT / f"requirements/{environment[1]}.txt").exists(), str(command)
            else:
                assert os.access(ROOT / program, os.X_OK), str(command)
                assert program in TRACKED, str(command)
        else:
            assert program in own | ELSEWHERE, str(command)


def scripts() -> list[Command]:
    """Calls of Python: by file or by module."""
    return [command for command in COMMANDS if re.search(r"(^|/)python3?$", command.words[0])]


def test_every_file_and_module_of_python_exists_and_takes_these_options():
    assert len(scripts()) > 10
    for command in scripts():
        _, first, *rest = command.words
        if first == "-c":
            compile(rest[0], str(command), "exec")
        elif first == "-m":
            if rest[0] in {"pip", "venv"}:
                continue
            path = rest[0].replace(".", "/")
            found = [file for file in TRACKED if file.endswith((f"/{path}.py", f"/{path}/__main__.py", f"/{path}/__init__.py"))]
            assert found, str(command)
            text = "".join((ROOT / file.replace("__init__", "__main__")).read_text() for file in found)
            text += (ROOT / "task_images/contract/ct_contract/runtime.py").read_text()
            for flag in flags(command.words):
                assert f'"{flag}"' in text, f"{command}: {flag}"
        else:
            assert first in TRACKED, str(command)
            for flag in flags(command.words):
                known = re.search(rf"{flag}\b", helped(sys.executable, first)) or f'"{flag}"' in (ROOT / first).read_text()
                assert known, f"{command}: {flag}"


def test_every_call_of_the_command_line_parses():
    from continuous_training.cli.parser import parse

    found = [command for command in of("continuous-training") if command.fenced]
    assert len(found) > 10
    for command in found:
        try:
            parse(list(command.words[1:]))
        except SystemExit as error:
            raise AssertionError(f"{command}: does not parse") from error
    for command in of("continuous-training"):
        with pytest.raises(SystemExit) as ended:
            parse([command.words[1], "--help"])
        assert ended.value.code == 0, str(command)


def test_every_load_profile_exists():
    found = [command for command in COMMANDS if command.words[0].endswith("/locust")]
    assert found
    for command in found:
        assert command.words[command.words.index("--locustfile") + 1] in TRACKED, str(command)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    text = re.sub(r"^```.*?^```$|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, target


def test_airflow_looks_into_every_dag_that_people_copy():
    """Airflow skips a file without the words airflow and dag in it, and says so in a log only."""
    found = [
        (page, block)
        for page in PAGES
        for block in re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
        if "_dag(" in block
    ]
    assert len(found) >= 3
    for page, block in found:
        compile(block, str(page), "exec")
        assert {"airflow", "dag"} <= {word for word in ("airflow", "dag") if word in block.lower()}, f"{page.name}: {block}"
