"""The operator that all steps share: run one task image, as a pod or where the runner setting says."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.utils.pod_manager import PodLaunchTimeoutException
from airflow.sdk import Asset, BaseOperatorLink
from airflow.sdk.exceptions import AirflowException
from ct_contract import ContractError, ExitCode, TaskCall, TaskInput, TaskResult
from ct_contract.call import INPUT_VARIABLE
from kubernetes.client import models as k8s  # type: ignore[import-untyped]

from continuous_training.exceptions import ConfigurationError, TaskContractError, TaskError
from continuous_training.inputs import Input, InputError, read_inputs
from continuous_training.links.dashboard import HistoryLink
from continuous_training.operators import calls, pods
from continuous_training.operators.endings import check_identity, failure, sentence
from continuous_training.runners.base import Outcome, RunnerError
from continuous_training.runners.process import ProcessRunner
from continuous_training.settings import flag, option

if TYPE_CHECKING:
    from airflow.sdk import Context


class TaskImageOperator(KubernetesPodOperator):
    """Run one task image: as a pod, or where the runner setting says.

    Everything that ``KubernetesPodOperator`` accepts is accepted. The task is started by ``python -m ct_<step>`` with its
    inputs, the configured variables and the database's URL by secret reference, and returns its ``TaskResult`` as a
    dictionary. Exit statuses become Airflow's states: 65 fails without a retry, 75 is retried, 99 is a skip, and a task
    without a result has failed.

    :param inputs: the step's inputs by name (templated). A value may also be the output of an earlier step
        (``collect.output``): then the value of the same name is taken from its summary.
    :param runner: ``kubernetes`` or ``process``; None for ``[continuous_training] runner``.
    :param image: the image (templated); None for the configured prefix, the step's name and the configured tag.
    :param container_resources: None for what the step usually needs.
    """

    step: ClassVar[str]
    declared: ClassVar[Mapping[str, Input]] = {}
    usual_resources: ClassVar[k8s.V1ResourceRequirements] = pods.resources("100m", "512Mi", cpu_limit="1")

    template_fields = (*KubernetesPodOperator.template_fields, "inputs")
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **KubernetesPodOperator.template_fields_renderers,
        "inputs": "json",
    }
    operator_extra_links: Collection[BaseOperatorLink] = (HistoryLink(),)

    def __init__(
        self,
        *,
        inputs: Mapping[str, Any] | None = None,
        runner: str | None = None,
        image: str | None = None,
        cmds: list[str] | None = None,
        labels: dict[str, str] | None = None,
        container_resources: k8s.V1ResourceRequirements | None = None,
        do_xcom_push: bool = True,
        get_logs: bool = True,
        log_events_on_failure: bool = True,
        log_pod_spec_on_failure: bool = False,
        termination_message_policy: str = "FallbackToLogsOnError",
        startup_timeout_seconds: int = 600,
        on_finish_action: str = "delete_pod",
        on_kill_action: str = "delete_pod",
        random_name_suffix: bool = True,
        skip_on_exit_code: int | Collection[int] | None = int(ExitCode.NOTHING_TO_DO),
        image_pull_policy: str = "IfNotPresent",
        automount_service_account_token: bool = False,
        security_context: Any = pods.POD_SECURITY,
        container_security_context: Any = pods.CONTAINER_SECURITY,
        xcom_sidecar_container_security_context: Any = pods.SIDECAR_SECURITY,
        **kwargs: Any,
    ) -> None:
        if not do_xcom_push:
            raise ValueError(f"{type(self).__name__} needs do_xcom_push: the result of a task image travels through XCom")
        super().__init__(
            image=image,
            cmds=cmds or ["python", "-m", f"ct_{self.step}"],
            labels={**pods.labels(self.step), **(labels or {})},
            container_resources=container_resources or self.usual_resources,
            do_xcom_push=do_xcom_push,
            get_logs=get_logs,
            log_events_on_failure=log_events_on_failure,
            log_pod_spec_on_failure=log_pod_spec_on_failure,
            termination_message_policy=termination_message_policy,
            startup_timeout_seconds=startup_timeout_seconds,
            on_finish_action=on_finish_action,
            on_kill_action=on_kill_action,
            random_name_suffix=random_name_suffix,
            skip_on_exit_code=skip_on_exit_code,
            image_pull_policy=image_pull_policy,
            automount_service_account_token=automount_service_account_token,
            security_context=security_context,
            container_security_context=container_security_context,
            xcom_sidecar_container_security_context=xcom_sidecar_container_security_context,
            **kwargs,
        )
        self.inputs = inputs or {}
        self.runner = runner
        self.result: TaskResult | None = None
        """What the task returned, once it has; the extra links read it."""
        self._returned: Mapping[str, Any] | None = None
        self._local: ProcessRunner | None = None

    def task_input(self, context: Context) -> TaskInput:
        """What the task is asked to do. Raises ConfigurationError for an input that is missing or of another type."""
        ti = context["ti"]
        try:
            values = read_inputs(self.declared, self.complete_inputs(self.inputs))
        except InputError as error:
            raise ConfigurationError(f"{self.step}: {error}") from error
        return TaskInput(
            task=self.step, dag_id=ti.dag_id, run_id=str(context["run_id"]), try_number=ti.try_number, inputs=values
        )

    def complete_inputs(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """The inputs with what the configuration gives; steps that read some from there extend it."""
        return inputs

    def task_call(self, context: Context) -> TaskCall:
        """Image, command, input and environment of this task. Raises ConfigurationError."""
        image = self.image or calls.image_name(self.step)
        return TaskCall(
            image=image,
            command=(*self.cmds, *self.arguments),
            payload=self.task_input(context),
            env={**calls.configured_variables(image), **calls.plain_variables(self.env_vars)},
            secrets=calls.secret_references(self.env_vars, self.secrets),
        )

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the task and return its result. Raises one of `continuous_training.exceptions`, or defers."""
        if calls.choose_runner(self.runner) == "process":
            return self._execute_process(context)
        returned = super().execute(context)
        # A deferrable task that finds its pod ended re-enters at once, and the inherited code drops what that returned.
        return self._finish(context, self._returned if returned is None else returned)

    def trigger_reentry(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Go on after a deferral; a pod whose result is gone is a failure, not a silent success."""
        try:
            self._returned = super().trigger_reentry(context, event)
        except AirflowException as error:
            if event["status"] == "timeout" and self.pod is not None and self.pod.status.phase == "Pending":
                # The trigger can only send words; the retry policy goes by the exception.
                raise PodLaunchTimeoutException(event["message"]) from error
            raise
        return self._finish(context, self._returned)

    def _execute_process(self, context: Context) -> dict[str, Any]:
        call = self.task_call(context)
        self._local = ProcessRunner(option("environments"))
        try:
            outcome = self._local.run(call, log=self.log)
        except RunnerError as error:
            raise ConfigurationError(str(error)) from error
        except ContractError as error:
            raise TaskContractError(f"{self.step}: {error}") from error
        if problem := failure(self.step, outcome):
            if outcome.result is not None:
                self.result = outcome.result
                context["ti"].xcom_push(key="return_value", value=outcome.result.to_dict())
            raise problem
        assert outcome.result is not None
        return self._finish(context, outcome.result.to_dict())

    def _finish(self, context: Context, returned: Mapping[str, Any] | None) -> dict[str, Any]:
        """Check what came back and tell it; runs twice when a deferrable task re-enters at once."""
        result = self._read(returned)
        if problem := failure(self.step, Outcome(status=ExitCode.DONE, result=result)):
            raise problem
        assert result is not None
        check_identity(result, self.step, str(context["run_id"]))
        if not self.get_logs:
            # Otherwise the task's own log has just told it.
            self.log.info("%s", sentence(result))
        self.result = result
        for outlet in self.outlets:
            if isinstance(outlet, Asset):
                told = {"task": self.step, "code": result.code, "reason": result.reason, **result.summary}
                context["outlet_events"][outlet].extra.update(told)
        return result.to_dict()

    def _read(self, returned: Mapping[str, Any] | None) -> TaskResult | None:
        try:
            return None if returned is None else TaskResult.from_dict(returned)
        except (ContractError, TypeError) as error:
            raise TaskContractError(f"{self.step}: {error}") from error

    def on_kill(self) -> None:
        """Stop the task: its process group, or its pod."""
        if self._local is not None:
            self._local.stop()
        else:
            super().on_kill()

    def build_pod_request_obj(self, context: Context | None = None, *, dry_run: bool = False) -> k8s.V1Pod:
        """The pod: the arguments, the configuration's variables, secrets by reference, an empty /tmp, a last deadline."""
        self.image = self.image or calls.image_name(self.step)
        self.namespace = self.namespace or option("namespace") or None
        if self.active_deadline_seconds is None and self.execution_timeout is not None:
            self.active_deadline_seconds = int(self.execution_timeout.total_seconds()) + pods.DEADLINE_MARGIN
        own = self.env_vars
        self.env_vars = self._pod_variables(context)
        try:
            pod = super().build_pod_request_obj(context, dry_run=dry_run)
        finally:
            self.env_vars = own
        pods.add_scratch(pod, self.base_container_name)
        return pod

    def _pod_variables(self, context: Context | None) -> list[k8s.V1EnvVar]:
        own = calls.as_pod_variables(self.env_vars, ()) if isinstance(self.env_vars, Mapping) else list(self.env_vars)
        taken = {variable.name for variable in own} | {secret.deploy_target for secret in self.secrets}
        database = calls.database_reference()
        given = calls.configured_variables(self.image or calls.image_name(self.step))
        if context is not None:
            own = [*own, k8s.V1EnvVar(name=INPUT_VARIABLE, value=self.task_input(context).to_json())]
        return [
            *calls.as_pod_variables(
                {name: value for name, value in given.items() if name not in taken},
                () if database.name in taken else (database,),
            ),
            *own,
        ]

    def extract_xcom(self, pod: k8s.V1Pod, **options: Any) -> Any:
        """The result file's content, or None if it is empty. Raises TaskContractError for what is not JSON."""
        try:
            return super().extract_xcom(pod=pod, **options)
        except json.JSONDecodeError as error:
            raise TaskContractError(f"{self.step} left a result that is not JSON: {error}") from error

    def cleanup(
        self,
        pod: k8s.V1Pod,
        remote_pod: k8s.V1Pod,
        xcom_result: dict[str, Any] | None = None,
        context: Context | None = None,
    ) -> None:
        """Remove the pod and raise what its exit status means."""
        before = sys.exception()
        try:
            super().cleanup(pod, remote_pod, xcom_result, context)
        except AirflowException as error:
            status = pods.exit_status(remote_pod, self.base_container_name)
            if status is None:
                # The container never ended: what was raised before (a launch time-out) says more than "a failure".
                raise before or error from None
            self.result = self._read(xcom_result)
            problem = failure(self.step, Outcome(status=status, result=self.result))
            if isinstance(problem, TaskError) and (last := pods.last_words(remote_pod, self.base_container_name)):
                problem = TaskError(f"{problem}\n{last}")
            raise (problem or error) from error

    def process_pod_deletion(self, pod: k8s.V1Pod, *, reraise: bool = True) -> bool:
        """Delete the pod unless it failed and ``[continuous_training] keep_failed_pods`` is set."""
        if pod is not None and flag("keep_failed_pods") and pods.exit_status(pod, self.base_container_name):
            name, namespace = pod.metadata.name, pod.metadata.namespace
            self.log.warning("Kept the failed pod: kubectl --namespace %s describe pod %s; delete it later", namespace, name)
            return False
        return bool(super().process_pod_deletion(pod, reraise=reraise))
