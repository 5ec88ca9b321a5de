"""What the pages tell people to say to kubectl and Airflow: the objects are in the charts, the options are in the programs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml
from rendered import ENVIRONMENTS, containers, pods

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/unit/gitops"))

from documented import FENCE, Command, commands, flags, scripted  # noqa: E402

pytestmark = pytest.mark.unit

KUBECTL = [command for command in commands() if command.words[0] == "kubectl"]
SCRIPTED = [command for command in scripted() if command.words[0] == "kubectl"]
PAGES = {"docs/operations.md", "docs/runbooks.md"}
KINDS = {
    "service": "Service", "deployment": "Deployment", "cronjob": "CronJob", "job": "Job", "application": "Application",
    "applications": "Application", "secret": "Secret", "hpa": "HorizontalPodAutoscaler", "namespace": "Namespace",
    "persistentvolumeclaims": "PersistentVolumeClaim", "pods": "Pod", "events": "Event", "statefulset": "StatefulSet",
}  # fmt: skip
MADE_BY_HAND = {"Secret/grafana-admin", "Namespace/monitoring", "Namespace/argocd", "Job/backup-now"}
"""What the pages themselves make."""


@pytest.fixture(scope="module")
def known(rendered):
    """Every object of any environment as Kind/name, with what operators, the generator and the root add."""
    found = dict.fromkeys(MADE_BY_HAND, None)
    found["Application/continuous-training"] = None
    for environment in ENVIRONMENTS:
        for render in rendered(environment).values():
            for one in render.objects:
                found[f"{one['kind']}/{one['metadata']['name']}"] = one
            for _, one, template in pods(render.objects):
                if one["kind"] == "StatefulSet":
                    found[f"Pod/{one['metadata']['name']}-0"] = template
    table = (ROOT / "helm/secrets/templates/_secrets.tpl").read_text()
    found |= {f"Secret/{name}": None for name in ["passwords", *re.findall(r"^([a-z-]+):$", table, re.MULTILINE)]}
    return found


def plain(words: tuple[str, ...]) -> list[str]:
    """The words that are no options, after the verb; an option's value goes with it."""
    own = list(words[1 : words.index("--")] if "--" in words else words[1:])
    found = []
    while own:
        word = own.pop(0)
        if word in {"-n", "-f", "-o", "--namespace", "--container"}:
            own.pop(0)
        elif not word.startswith("-"):
            found.append(word)
    return found


def named(command: Command) -> list[str]:
    """The objects that a command names, as Kind/name."""
    verb, *rest = plain(command.words)
    found = []
    for word in command.words:
        if word.startswith("--from="):
            kind, _, name = word.removeprefix("--from=").partition("/")
            found.append(f"{KINDS[kind]}/{name}")
    if verb in {"apply", "describe", "patch", "debug", "cnpg"}:
        return found
    if verb == "cp":
        return [f"Pod/{word.partition(':')[0].rpartition('/')[2]}" for word in rest if ":" in word]
    if verb == "create":
        kind, *names = rest
        return found + [f"{KINDS[kind if kind != 'generic' else 'secret']}/{names[-1]}"] * bool(names)
    if verb in {"exec", "logs"}:
        kind, slash, name = rest[0].partition("/")
        return [*found, f"{KINDS[kind]}/{name}" if slash else f"Pod/{kind}"]
    if verb == "port-forward":
        kind, _, name = rest[0].partition("/")
        return [f"{KINDS[kind]}/{name}"]
    kind, *names = rest
    for one in kind.split(","):
        assert one in KINDS, f"{command}: {one}"
    return found + [f"{KINDS[kind]}/{name}" for name in names]


def test_there_are_some():
    assert len([command for command in KUBECTL if command.page in PAGES]) > 20
    assert {command.page for command in SCRIPTED} == {"tests/kind/up", "kind.yml", "test.yml"}


@pytest.mark.parametrize("command", [one for one in KUBECTL if one.page in PAGES], ids=str)
def test_every_object_that_is_named_is_in_the_charts(command, known):
    for name in named(command):
        assert name in known, f"{command}: {name}"
    if "exec" in command.words:
        wanted = [word.partition("=")[2] for word in command.words if word.startswith("--container=")]
        template = known[named(command)[0]]
        assert not wanted or wanted[0] in {one["name"] for one in containers(template)}, str(command)


def test_namespaces_are_those_of_the_charts():
    there = {"continuous-training", "continuous-training-tasks", "argocd", "monitoring", "NS", "NAMESPACE"}
    for command in KUBECTL:
        for word, following in zip(command.words, [*command.words[1:], ""], strict=True):
            if word in {"-n", "--namespace"}:
                assert following in there, str(command)
            elif word.startswith("--namespace="):
                assert word.partition("=")[2] in there, str(command)


@cache
def options(*verb: str) -> str:
    done = subprocess.run(["kubectl", *verb, "--help"], capture_output=True, text=True, check=True)
    common = subprocess.run(["kubectl", "options"], capture_output=True, text=True, check=True)
    return done.stdout + common.stdout


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl here")
def test_every_option_is_one_that_kubectl_has():
    for command in KUBECTL + SCRIPTED:
        verb = [word for word in plain(command.words) if word not in {"NAMESPACE"}][:1]
        if verb == ["cnpg"]:  # a plugin
            continue
        if verb == ["create"]:
            words = plain(command.words)
            verb = words[: 3 if words[1] == "secret" else 2]
        for flag in flags(command.words):
            assert re.search(rf"{flag}[ =,']", options(*verb)), f"{command}: {flag}"


def test_what_is_said_to_airflow_is_airflow_s():
    inner = [command.words[command.words.index("--") + 1 :] for command in KUBECTL if "--" in command.words]
    airflow = [list(words) for words in inner if words and words[0] == "airflow"]
    airflow += [list(command.words) for command in commands() if command.words[0] == "airflow"]
    assert airflow
    script = (
        "import json, sys; from airflow.cli.cli_parser import get_parser;"
        "[get_parser().parse_args(words[1:]) for words in json.loads(sys.argv[1])]; print('parsed')"
    )
    command = [sys.executable, "-c", script, json.dumps(airflow)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("parsed\n"), done.stderr


def test_what_is_run_in_the_scheduler_parses_too():
    from continuous_training.cli.parser import parse

    inner = [command.words[command.words.index("--") :] for command in KUBECTL if "--" in command.words]
    ours = [list(words[words.index("continuous-training") + 1 :]) for words in inner if "continuous-training" in words]
    assert ours
    for words in ours:
        parse(words)


def test_files_of_environments_that_the_pages_speak_of_have_these_settings():
    text = (ROOT / "docs/operations.md").read_text()
    table = text[text.index("| file in `environments/production`") :].split("\n\n")[0]
    rows = [line.split("|") for line in table.splitlines()[2:]]
    assert len(rows) >= 4
    for row in rows:
        for file in re.findall(r"`([a-z-]+)\.yaml`", row[1]):
            values = yaml.safe_load((ROOT / f"helm/{file}/values.yaml").read_text())
            for path in re.findall(r"`([a-z][\w.]+\.\w+)`", row[2]):
                found = values
                for key in path.split("."):
                    assert key in found, f"{file}.yaml: {path}"
                    found = found[key]


def test_the_root_is_applied_as_its_own_head_says():
    head = (ROOT / "argocd-apps/root.yaml").read_text()
    applied = "envsubst < argocd-apps/root.yaml | kubectl apply --filename=-"
    assert applied in head
    assert any(applied in block for block in FENCE.findall((ROOT / "docs/operations.md").read_text()))
    assert set(re.findall(r"\$\{(\w+)\}", head)) == {"REPOSITORY", "REVISION", "ENVIRONMENT"}
