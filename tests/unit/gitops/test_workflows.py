"""The workflows: pinned, with the least permissions, and clean for their linters."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
sys.path.insert(0, str(ROOT / "tests/unit/helm"))

from tools import run_tool  # noqa: E402

pytestmark = pytest.mark.unit


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def workflow(request):
    """Each workflow, loaded; `on` is a boolean to YAML."""
    return yaml.safe_load(request.param.read_text())


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_actionlint_finds_nothing():
    done = run_tool("actionlint", *WORKFLOWS, cwd=ROOT)
    assert done.returncode == 0, done.stdout


def test_zizmor_finds_nothing():
    command = [Path(sys.executable).parent / "zizmor", "--offline", "--quiet", "--persona=pedantic", ROOT / ".github/workflows"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_action_is_pinned_by_commit_and_says_its_version():
    for path in WORKFLOWS:
        for line in path.read_text().splitlines():
            if "uses:" in line:
                assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), f"{path.name}: {line.strip()}"


def test_the_same_action_has_the_same_commit_everywhere():
    found = {}
    for path in WORKFLOWS:
        for action, commit in re.findall(r"uses: ([\w./-]+)@([0-9a-f]{40})", path.read_text()):
            assert found.setdefault(action, commit) == commit, action


def test_nothing_is_granted_to_a_whole_workflow(workflow):
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"]
        assert "write-all" not in str(job.get("permissions"))
        assert job.get("permissions", {}).get("contents", "read") == "read"


def test_what_publishes_is_never_cancelled():
    for name in ("images", "release"):
        workflow = yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text())
        assert workflow["concurrency"]["cancel-in-progress"] is False


def test_nobody_s_code_runs_with_rights_that_are_not_theirs(workflow):
    triggers = workflow[True] if isinstance(workflow[True], dict) else dict.fromkeys(workflow[True])
    assert not {"pull_request_target", "workflow_run", "issue_comment", "issues"} & triggers.keys()
    assert "secrets: inherit" not in str(workflow)
    for job in workflow["jobs"].values():
        for granted in job.get("permissions", {}).values():
            assert granted != "write" or "pull_request" not in triggers, job["name"]
        # A secret belongs to an environment, which has rules of its own.
        assert "secrets." not in str(job) or "environment" in job, job["name"]
        for step in job["steps"]:
            if "actions/checkout@" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False, job["name"]


def test_a_job_may_be_run_again(workflow):
    for step in steps(workflow):
        if "actions/upload-artifact@" in step.get("uses", ""):
            assert step["with"]["overwrite"] is True


def test_only_main_publishes_images():
    jobs = yaml.safe_load((ROOT / ".github/workflows/images.yml").read_text())["jobs"]
    assert jobs["outdated"]["if"] == "github.ref == 'refs/heads/main'"
    assert all("outdated" in job["needs"] for name, job in jobs.items() if name != "outdated")


def test_what_is_released_comes_from_no_cache():
    assert "cache" not in str(yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text()))


def test_no_workflow_names_a_moving_tag():
    for path in [*WORKFLOWS, ROOT / "tests/kind/up"]:
        assert not re.search(r":latest\b|-latest\b", path.read_text()), path.name


def test_no_step_runs_a_stranger_s_text(workflow):
    for step in steps(workflow):
        assert "${{" not in step.get("run", ""), step


def test_images_are_scanned_without_any_secret_and_before_they_are_deployed():
    workflow = yaml.safe_load((ROOT / ".github/workflows/images.yml").read_text())
    scan = workflow["jobs"]["scan"]
    assert "secrets." not in str(scan)
    assert "environment" not in scan
    assert scan["permissions"] == {"contents": "read"}
    assert {"publish", "scan"} <= set(workflow["jobs"]["bump"]["needs"])


def test_published_images_have_an_sbom_provenance_a_signature_and_no_moving_tag():
    text = (ROOT / ".github/workflows/images.yml").read_text()
    publish = yaml.safe_load(text)["jobs"]["publish"]
    [build] = [step for step in publish["steps"] if step.get("uses", "").startswith("docker/build-push-action@")]
    assert build["with"]["sbom"] is True
    assert build["with"]["provenance"] == "mode=max"
    assert build["with"]["tags"] == "${{ matrix.reference }}"
    assert "cosign sign --yes" in text
    assert "cosign verify" in str(yaml.safe_load(text)["jobs"]["bump"])


def test_the_commit_of_a_deployment_starts_no_build():
    triggers = yaml.safe_load((ROOT / ".github/workflows/images.yml").read_text())[True]
    assert "argocd-apps/environments/*/images.yaml" in triggers["push"]["paths-ignore"]
