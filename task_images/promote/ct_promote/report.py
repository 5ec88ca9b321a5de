"""The report of a run from what the database kept of it, whenever it is asked for: ``python -m ct_promote.report``."""

from __future__ import annotations

from ct_contract import BadDataError, TaskInput, TaskResult, run_task
from ct_decisions.report import render_report
from ct_store.connection import connect
from ct_store.run_evidence import read_run


def report(payload: TaskInput) -> TaskResult:
    """Render the report of the payload's run in the language that the input ``language`` names; nothing is written.

    The summary's ``report`` is Markdown. Raises BadDataError if the database holds nothing of the run or there is no such
    language, TryLaterError if PostgreSQL is away.
    """
    language = str(payload.inputs.get("language") or "en")
    with connect("report") as connection:
        evidence = read_run(connection, dag_id=payload.dag_id, run_id=payload.run_id)
    if evidence is None:
        raise BadDataError(
            "UNKNOWN_RUN",
            f"the database holds nothing of run {payload.run_id!r} of DAG {payload.dag_id!r}: see that both are spelt as "
            "Airflow spells them and that CT_DATABASE_URL names the run's database. Nothing was changed.",
        )
    try:
        text = render_report(evidence, language)
    except ValueError as error:
        raise BadDataError("NO_REPORT", f"{error}. Nothing was changed.") from error
    return TaskResult(
        task=payload.task, run_id=payload.run_id, code="REPORT", summary={"language": language, "report": text}
    )  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(run_task("promote", report))
