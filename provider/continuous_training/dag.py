"""The pipeline as a DAG: one run takes one batch from the source to a decision about the model."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, TriggerRule, task
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryRule

from continuous_training.assets import CLEAN, PRODUCTION_MODEL, RAW
from continuous_training.operators.approve import ApproveOperator
from continuous_training.operators.assess import AssessOperator
from continuous_training.operators.clean import CleanOperator
from continuous_training.operators.collect import CollectOperator
from continuous_training.operators.evaluate import EvaluateOperator
from continuous_training.operators.promote import PromoteOperator
from continuous_training.operators.train import TrainOperator
from continuous_training.operators.validate import ValidateOperator

DOCUMENTATION = """
One run takes one batch from the data API to a decision: collect, validate, clean, assess, and if the policy says so
train, evaluate, promote or reject. Where the policy holds a promotion, `approve` waits for a person (Required actions).

| end of the run | what it means |
|---|---|
| success, `promote` done | the challenger serves from now on |
| success, `reject` done | the challenger was trained and lost; it stays registered with its reasons |
| success, `approve` and `reject` done | a person refused the challenger, or nobody answered in time |
| success, `skip_training` done | the policy saw no reason to train |
| success, `collect` skipped | the source has no new data |
| failed, `validate` failed | the batch breaks a critical expectation; it is kept in RAW and not used |
"""

NO_NODE_YET = RetryRule(
    exception="airflow.providers.cncf.kubernetes.utils.pod_manager.PodLaunchTimeoutException",
    action=RetryAction.RETRY,
    retry_delay=timedelta(minutes=5),
    reason="no node had room for the pod",
)


def continuous_training_dag(
    dag_id: str = "continuous_training",
    *,
    schedule: Any = None,
    source_url: str | None = None,
    group_number: int | None = None,
    day: str | None = None,
    on_gap: str = "recover",
    runner: str | None = None,
    env_vars: Mapping[str, str] | None = None,
    retries: int = 2,
    retry_delay: timedelta = timedelta(seconds=30),
    train_timeout: timedelta = timedelta(hours=2),
    task_timeout: timedelta = timedelta(hours=4),
    approval_timeout: timedelta = timedelta(hours=24),
    dagrun_timeout: timedelta = timedelta(hours=28),
    default_args: Mapping[str, Any] | None = None,
    tags: list[str] | None = None,
) -> DAG:
    """The whole pipeline for one stream of data. Give each stream a DAG of its own.

    None for ``source_url``, ``group_number``, ``day`` and ``runner`` leaves the choice to the configuration, read when a
    task runs. ``env_vars`` go to every task and win over the configuration (``{"CT_POLICY": "eager"}``);
    ``default_args`` go to every operator (``{"namespace": "ml"}``).

    ``approval_timeout`` is how long a person may take to answer where the policy holds a promotion; the run waits for them,
    and later runs for it. Raises ValueError unless it is shorter than ``dagrun_timeout``.
    """
    if approval_timeout >= dagrun_timeout:
        raise ValueError(
            f"approval_timeout is {approval_timeout}, expected less than dagrun_timeout, which is {dagrun_timeout}: "
            "Airflow would end the run before the question expires"
        )
    with DAG(
        dag_id,
        description="Each batch: collect, validate, clean, assess, train, evaluate, promote",
        doc_md=DOCUMENTATION,
        schedule=schedule,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        dagrun_timeout=dagrun_timeout,
        tags=["continuous training"] if tags is None else tags,
        params={
            "force_training": Param(False, type="boolean", description="Train whatever the policy says"),
            "author": Param("", type="string", description="Who asks for it"),
            "reason": Param("", type="string", description="Why"),
        },
        default_args={
            "runner": runner,
            "env_vars": dict(env_vars or {}),
            "execution_timeout": task_timeout,
            "retries": retries,
            "retry_delay": retry_delay,
            "retry_exponential_backoff": 2.0,
            "max_retry_delay": timedelta(minutes=10),
            "retry_policy": ExceptionRetryPolicy(rules=[NO_NODE_YET]),
            **(default_args or {}),
        },
    ) as dag:
        collect = CollectOperator(
            task_id="collect", source_url=source_url, group_number=group_number, day=day, on_gap=on_gap, outlets=[RAW]
        )
        validate = ValidateOperator(task_id="validate", batch_id=collect.output)
        clean = CleanOperator(task_id="clean", batch_id=validate.output, outlets=[CLEAN])
        assess = AssessOperator(
            task_id="assess",
            batch_id=clean.output,
            force="{{ params.force_training }}",
            author="{{ params.author }}",
            reason="{{ params.reason }}",
        )
        train = TrainOperator(
            task_id="train", batch_id=assess.output, retrain_decision_id=assess.output, execution_timeout=train_timeout
        )
        evaluate = EvaluateOperator(task_id="evaluate", batch_id=train.output, model_version=train.output)
        verdict = {"batch_id": evaluate.output, "decision_id": evaluate.output, "model_version": evaluate.output}
        approve = ApproveOperator(task_id="approve", verdict=evaluate.output, response_timeout=approval_timeout)
        # The way to these two leads past approve or through it, so one of the tasks before them is skipped.
        carried_out: dict[str, Any] = {
            "inputs": verdict,
            "approval": approve.output,
            "trigger_rule": TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        }
        promote = PromoteOperator(task_id="promote", action="promote", outlets=[PRODUCTION_MODEL], **carried_out)
        reject = PromoteOperator(task_id="reject", action="reject", **carried_out)
        skip_training = EmptyOperator(task_id="skip_training")
        finish = EmptyOperator(task_id="finish", trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)

        choose_retrain = _choice("choose_retrain", {"train": "train", "skip": "skip_training"}, assess)
        ways = {"promote": "promote", "reject": "reject", "hold": "approve"}
        choose_promotion = _choice("choose_promotion", ways, evaluate)
        choose_retrain >> [train, skip_training]
        choose_promotion >> [approve, promote, reject]
        [promote, reject, skip_training] >> finish
    return dag


def _choice(task_id: str, ways: Mapping[str, str], judge: Any) -> Any:
    """A branch that follows the decision in the summary of the judge's result."""

    @task.branch(task_id=task_id)
    def choose(result: dict[str, Any]) -> str:
        return ways[result["summary"]["decision"]]

    return choose(judge.output)
