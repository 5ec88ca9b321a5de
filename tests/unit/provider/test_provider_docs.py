"""Everything that a user can name is in the documentation."""

from pathlib import Path

import pytest
from continuous_training.cli.parser import parse
from continuous_training.exceptions import (
    BadDataError,
    ClusterUnavailableError,
    ConfigurationError,
    ImagePullError,
    NothingToDoError,
    TaskContractError,
    TaskError,
    TaskResultMissingError,
    TryLaterError,
)
from continuous_training.operators.troubles import TROUBLES
from continuous_training.provider_info import OTHERS, STEPS, get_provider_info
from continuous_training.settings import OPTIONS
from ct_contract import ExitCode

pytestmark = pytest.mark.unit

PAGE = (Path(__file__).parents[3] / "docs" / "provider.md").read_text()


@pytest.mark.parametrize("step", STEPS)
def test_each_operator_is_documented(step):
    assert f"`{step.capitalize()}Operator`" in PAGE


@pytest.mark.parametrize("operator", OTHERS)
def test_each_operator_beside_the_pipeline_is_documented(operator):
    assert f"`{operator.capitalize()}Operator`" in PAGE


@pytest.mark.parametrize("name", OPTIONS)
def test_each_option_is_documented_with_its_default(name):
    [line] = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
    assert f"| `{OPTIONS[name].default}` |" in line if OPTIONS[name].default else "|  |" in line


@pytest.mark.parametrize("code", [code for code in ExitCode if code is not ExitCode.ERROR])
def test_each_exit_status_is_documented(code):
    assert f"| {int(code)} |" in PAGE


@pytest.mark.parametrize(
    "exception",
    [
        BadDataError,
        ClusterUnavailableError,
        ConfigurationError,
        ImagePullError,
        NothingToDoError,
        TaskContractError,
        TaskError,
        TaskResultMissingError,
        TryLaterError,
    ],
)
def test_each_exception_is_documented(exception):
    assert f"`{exception.__name__}`" in PAGE


def test_each_link_is_documented():
    for path in get_provider_info()["extra-links"]:
        assert f"`{path.rsplit('.', 1)[1]}`" in PAGE


def test_each_task_of_the_dag_is_documented():
    from continuous_training.dag import continuous_training_dag
    from continuous_training.watch_dag import continuous_training_watch_dag

    for task_id in (*continuous_training_dag().task_ids, *continuous_training_watch_dag().task_ids):
        assert f"`{task_id}`" in PAGE


@pytest.mark.parametrize(
    "name", ["shell", "pdb", "in-place", "keep", "image", "environments", "network", "namespace", "source-url"]
)
def test_each_way_to_run_a_task_by_hand_is_documented(name):
    assert parse(["task", "run", "RUN", "TASK"]).__dict__.keys() >= {name.replace("-", "_")}
    assert f"`--{name}`" in PAGE


def test_the_report_and_the_question_are_documented():
    assert parse(["report", "RUN", "--language", "es"]).verb == "report"
    for word in ("ApproveOperator", "approval_timeout", "task_timeout", "dagrun_timeout", "report.en.md"):
        assert f"`{word}`" in PAGE
    assert "continuous-training report RUN" in PAGE


def test_each_trouble_of_a_pod_is_documented():
    section = PAGE.split("## What happens when")[1].split("## Options")[0]
    for exception, _ in TROUBLES.values():
        assert f"`{exception.__name__}`" in section
