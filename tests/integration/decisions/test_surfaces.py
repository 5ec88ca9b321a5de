"""One sentence on every surface: the task's log and result, the ledger, MLflow, the report and the dashboard's row.

One case of each outcome goes through the real steps on a real PostgreSQL and a real MLflow; every code and both languages
are in tests/unit/decisions/test_reasons*.py.
"""

import io
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
import yaml
from ct_assess.step import assess
from ct_contract import TaskInput, TaskResult, runtime
from ct_dashboard import tables
from ct_dashboard.data import read_history
from ct_dashboard.settings import Settings
from ct_dashboard.text import Text
from ct_decisions.policy import POLICIES
from ct_decisions.reasons import grounds, render
from ct_decisions.report import render_report
from ct_evaluate.step import evaluate
from ct_promote.step import promote
from ct_store.ledger import find_decision, record_decision
from ct_store.run_evidence import read_run

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]

STEPS = {"assess": assess, "evaluate": evaluate, "promote": promote}
COLUMNS = {
    "intake": "history.col_trained_why", "retrain": "history.col_trained_why", "promotion": "history.col_promoted_why",
    "approval": "history.col_promoted_why",
}  # fmt: skip
ANSWER = {"author": "ana", "answered_at": "2026-01-02T03:04:05+00:00", "comment": "we | looked", "timeout_seconds": 86400}


class Surfaces:
    """Runs steps as their images do, and looks wherever the sentence of a decision is shown."""

    def __init__(self, world, dashboard_url, tmp_path, monkeypatch):
        self.world, self.dashboard_url, self.directory, self.monkeypatch = world, dashboard_url, tmp_path, monkeypatch

    def policy(self, **changes):
        content = yaml.safe_load((POLICIES / "strict.yaml").read_text())
        content["promotion"].update(changes)
        file = self.directory / "policy.yaml"
        file.write_text(yaml.safe_dump(content))
        self.monkeypatch.setenv("CT_POLICY", str(file))

    def run(self, task, run_id, **inputs):
        """Run a step through its entry point; its result and its log."""
        text, file = io.StringIO(), self.directory / "result.json"
        handler = logging.StreamHandler(text)
        handler.setFormatter(runtime.LevelFormatter())
        root = logging.getLogger()
        payload = TaskInput(task=task, dag_id="d", run_id=run_id, inputs=inputs)
        self.monkeypatch.setenv("CT_INPUT", payload.to_json())
        self.monkeypatch.setattr(runtime, "configure_logging", lambda: root.setLevel(logging.INFO))
        root.addHandler(handler)
        try:
            assert runtime.run_task(task, STEPS[task], ["--result", str(file)]) == 0, text.getvalue()
        finally:
            root.removeHandler(handler)
        return TaskResult.from_json(file.read_text()), text.getvalue()

    def row(self, run_id, kind, language):
        """The sentence in the dashboard's table."""
        text = Text(language)
        runs = read_history(self.dashboard_url, Settings().model_name).runs
        position = next(number for number, run in enumerate(runs) if run.key == run_id)
        return tables.history_table(runs, text)[text(COLUMNS[kind])][position]

    def report(self, run_id, language):
        evidence = read_run(self.world.connection, dag_id="d", run_id=run_id)
        self.world.connection.commit()
        return render_report(evidence, language)

    def check(self, run_id, kind, code, *, result=None, log="", version=None):
        """Everywhere the same sentence, in both languages, with code, value and limit; the sentences."""
        decision = find_decision(self.world.connection, dag_id="d", run_id=run_id, kind=kind)
        self.world.connection.commit()
        assert decision["code"] == code
        for line in grounds(decision):
            assert line["value"] is not None
            assert line["threshold"] is not None
        told = {language: render(decision, language) for language in ("en", "es")}
        assert told["en"] != told["es"]
        for language, sentence in told.items():
            assert self.row(run_id, kind, language) == sentence
            assert f"\n{sentence}\n" in self.report(run_id, language)
            assert f"`{code}`" in self.report(run_id, language)
        if result is not None:
            assert (result.reason, result.summary["reason_es"]) == (told["en"], told["es"])
            assert f"INFO: {result.code}: {told['en']}\n" in log
        if version is not None:
            self._in_mlflow(run_id, code, told, version)
        return told

    def _in_mlflow(self, run_id, code, told, version):
        found = self.world.client.get_model_version(self.world.name, version)
        assert found.tags["ct.reason_code"] == code
        assert (found.tags["ct.reason_text"], found.tags["ct.reason_text_es"]) == (told["en"], told["es"])
        assert all(sentence in found.description for sentence in told.values())
        for language in told:
            kept = mlflow.artifacts.load_text(f"runs:/{found.run_id}/report.{language}.md")
            assert kept == self.report(run_id, language)


@pytest.fixture
def surfaces(world, dashboard_url, tmp_path, monkeypatch):
    world.add_batch(1, 1500)
    return Surfaces(world, dashboard_url, tmp_path, monkeypatch)


def judged(surfaces, run_id, **faults):
    """Evaluate a new version, and the result with its log."""
    version = surfaces.world.add_version("1", **faults)
    return version, *surfaces.run("evaluate", run_id, batch_id=1, model_version=version)


def carried_out(surfaces, run_id, result, action, **more):
    given = {"decision_id": result.summary["decision_id"], "model_version": result.summary["challenger_version"]}
    return surfaces.run("promote", run_id, batch_id=1, action=action, **given, **more)


def test_a_training_and_skips(surfaces):
    result, log = surfaces.run("assess", "r1", batch_id=1, force=False)
    surfaces.check("r1", "retrain", "TRAIN_BOOTSTRAP", result=result, log=log)
    surfaces.world.add_version("1", alias="production")
    surfaces.world.add_batch(2, 40)
    result, log = surfaces.run("assess", "r2", batch_id=2, force=False)
    surfaces.check("r2", "retrain", "SKIP_INSUFFICIENT_EVIDENCE", result=result, log=log)
    surfaces.world.add_batch(3, 400)
    result, log = surfaces.run("assess", "r3", batch_id=3, force=False)
    told = surfaces.check("r3", "retrain", "SKIP_NO_MATERIAL_CHANGE", result=result, log=log)
    assert "Closest to a training" in told["en"]
    facts = {"stream": "s", "batches_stored": 3, "detail": "no more", "http_status": 400}
    record_decision(
        surfaces.world.connection, dag_id="d", run_id="r4", kind="intake", outcome="skip", code="SKIP_END_OF_DATA", facts=facts
    )  # fmt: skip
    surfaces.world.connection.commit()
    surfaces.check("r4", "intake", "SKIP_END_OF_DATA")


def test_a_promotion_and_a_rejection(surfaces):
    version, result, log = judged(surfaces, "r1")
    surfaces.check("r1", "promotion", "PROMOTE_FIRST_MODEL", result=result, log=log)
    done, log = carried_out(surfaces, "r1", result, "promote")
    assert done.reason == result.reason
    surfaces.check("r1", "promotion", "PROMOTE_FIRST_MODEL", result=done, log=log, version=version)
    version, result, log = judged(surfaces, "r2", error=0.1)
    assert result.code.startswith("REJECT"), result.code
    surfaces.check("r2", "promotion", result.code, result=result, log=log)
    done, log = carried_out(surfaces, "r2", result, "reject")
    surfaces.check("r2", "promotion", result.code, result=done, log=log, version=version)


@pytest.mark.parametrize(
    ("answer", "action", "code"),
    [
        ("approve", "promote", "PROMOTE_BY_HUMAN"),
        ("reject", "reject", "REJECT_BY_HUMAN"),
        ("expired", "reject", "EXPIRED_APPROVAL"),
    ],
)
def test_a_hold_and_what_came_of_it(surfaces, answer, action, code):
    surfaces.policy(approval=True)
    version, result, log = judged(surfaces, "r1")
    surfaces.check("r1", "promotion", "HOLD_APPROVAL", result=result, log=log, version=version)
    given = {**ANSWER, "answer": answer} | ({"author": "", "comment": ""} if answer == "expired" else {})
    done, log = carried_out(surfaces, "r1", result, action, approval=given)
    surfaces.check("r1", "approval", code, result=done, log=log, version=version)
    # Evaluate that is cleared later finds the answer, and takes nothing back.
    again, _ = surfaces.run("evaluate", "r1", batch_id=1, model_version=version)
    assert again.summary["decision_id"] == result.summary["decision_id"]
    surfaces.check("r1", "approval", code, version=version)


def command(*arguments, **variables):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "CT_", "MLFLOW"))}
    program = "from continuous_training.cli import main; raise SystemExit(main())"
    return subprocess.run(
        [sys.executable, "-c", program, "report", *arguments, "--environments", str(ROOT / ".envs")],
        env={**kept, **variables}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_report_of_a_skipped_run_is_had_by_one_command(surfaces, dashboard_url):
    surfaces.world.add_version("1", alias="production")
    surfaces.world.add_batch(2, 40)
    surfaces.run("assess", "r2", batch_id=2, force=False)
    for language in ("en", "es"):
        done = command("r2", "--dag-id", "d", "--language", language, CT_DATABASE_URL=dashboard_url)
        assert done.returncode == 0, done.stderr
        assert done.stdout == surfaces.report("r2", language)
    refused = command("r3", "--dag-id", "d", CT_DATABASE_URL=dashboard_url)
    assert (refused.returncode, refused.stdout) == (65, "")
    assert "UNKNOWN_RUN: the database holds nothing of run 'r3' of DAG 'd'" in refused.stderr


def test_a_report_is_far_from_the_most_that_a_result_may_hold(surfaces):
    surfaces.world.add_version("1", alias="production", error=0.1)
    surfaces.world.add_batch(2, 800)
    surfaces.run("assess", "r1", batch_id=2, force=False)
    judged(surfaces, "r1")
    sizes = [len(json.dumps(surfaces.report("r1", language))) for language in ("en", "es")]
    assert max(sizes) < 25_000, sizes
