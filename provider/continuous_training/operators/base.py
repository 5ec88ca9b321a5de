"""The operator that all steps share: run one task image, as a pod or where the runner setting says."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import Asset, BaseOperatorLink
from ct_contract import ContractError, ExitCode, TaskCall, TaskInput, TaskResult
from kubernetes.client import models as k8s  # type: ignore[import-untyped]

from continuous_training import commands, kept_calls, pods
from continuous_training.exceptions import ConfigurationError, TaskContractError, TryLaterError
from continuous_training.inputs import Input, InputError, read_inputs
from continuous_training.kept_calls import KeptCall
from continuous_training.links.dashboard import HistoryLink
from continuous_training.links.debug import DebugLink
from continuous_training.operators import calls
from continuous_training.operators.endings import check_identity, failure, sentence
from continuous_training.operators.pod import StepPodOperator
from continuous_training.runners.base import Outcome, Runner, RunnerError, RunnerUnavailableError
from continuous_training.runners.docker import DockerRunner
from continuous_training.runners.process import ProcessRunner
from continuous_training.settings import option

if TYPE_CHECKING:
    from airflow.sdk import Context


class TaskImageOperator(StepPodOperator):
    """Run one task image: as a pod, or where the runner setting says.

    Everything that ``KubernetesPodOperator`` accepts is accepted. The task is started by ``python -m ct_<step>`` with its
    inputs, the configured variables and the database's URL by secret reference, and returns its ``TaskResult`` as a
    dictionary. Exit statuses become Airflow's states: 65 fails without a retry, 75 is retried, 99 is a skip, and a task
    without a result has failed. Before it starts, its call is kept as XCom ``call`` and the commands that run it again by hand
    as XCom ``debug``.

    :param inputs: the step's inputs by name (templated). A value may also be the output of an earlier step
        (``collect.output``): then the value of the same name is taken from its summary.
    :param runner: ``kubernetes``, ``docker`` or ``process``; None for ``[continuous_training] runner``.
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
    operator_extra_links: Collection[BaseOperatorLink] = (HistoryLink(), DebugLink())

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
        startup_check_interval_seconds: int = 1,
        poll_interval: float = 1,
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
            startup_check_interval_seconds=startup_check_interval_seconds,
            poll_interval=poll_interval,
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
        self._returned: Mapping[str, Any] | None = None
        self._local: Runner | None = None
        self._kept: KeptCall | None = None

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

    def task_call(self, context: Context, *, cluster: bool = False) -> TaskCall:
        """Image, command, input and environment of this task. Raises ConfigurationError for what only a cluster has."""
        image = self.image or calls.image_name(self.step)
        return TaskCall(
            image=image,
            command=(*self.cmds, *self.arguments),
            payload=self.task_input(context),
            env={**calls.configured_variables(image), **calls.plain_variables(self.env_vars)},
            secrets=calls.secret_references(self.env_vars, self.secrets, cluster=cluster),
            requests=calls.amounts(self.container_resources, "requests"),
            limits=calls.amounts(self.container_resources, "limits"),
        )

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the task and return its result. Raises one of `continuous_training.exceptions`, or defers."""
        runner = calls.choose_runner(self.runner)
        call = self.task_call(context, cluster=runner == "kubernetes")
        self._keep(context, call, runner)
        if runner != "kubernetes":
            return self._execute_here(context, call, runner)
        returned = super().execute(context)
        # A deferrable task that finds its pod ended re-enters at once, and the inherited code drops what that returned.
        return self._finish(context, self._returned if returned is None else returned)

    def trigger_reentry(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Go on after a deferral; a pod whose result is gone is a failure, not a silent success."""
        self._returned = super().trigger_reentry(context, event)
        return self._finish(context, self._returned)

    def _keep(self, context: Context, call: TaskCall, runner: str) -> None:
        ti = context["ti"]
        index = -1 if ti.map_index is None else ti.map_index
        places = calls.places(runner, self.namespace, self.service_account_name)
        self._tell(context, KeptCall(task_id=ti.task_id, map_index=index, call=call, places=places))

    def _tell(self, context: Context, kept: KeptCall) -> None:
        self._kept = kept
        context["ti"].xcom_push(key=kept_calls.XCOM_KEY, value=kept.to_dict())
        context["ti"].xcom_push(key=commands.XCOM_KEY, value=commands.debug_commands(kept))

    def pod_is_known(self, context: Context, pod: k8s.V1Pod) -> None:
        """Keep the pod's name with the call."""
        if self._kept is not None:
            self._tell(context, self._kept.in_pod(pod.metadata.namespace, pod.metadata.name))

    def _execute_here(self, context: Context, call: TaskCall, runner: str) -> dict[str, Any]:
        ti = context["ti"]
        owner = {"dag_id": ti.dag_id, "run_id": str(context["run_id"]), "task_id": ti.task_id, "map_index": str(ti.map_index)}
        self._local = (
            DockerRunner(owner, network=option("docker_network"))
            if runner == "docker"
            else ProcessRunner(option("environments"))
        )
        try:
            outcome = self._local.run(call, log=self.log)
        except RunnerUnavailableError as error:
            raise TryLaterError(f"{self.step}: {error}") from error
        except RunnerError as error:
            raise ConfigurationError(str(error)) from error
        except ContractError as error:
            raise TaskContractError(f"{self.step}: {error}") from error
        if problem := failure(self.step, outcome):
            if outcome.result is not None:
                self.result = outcome.result
                ti.xcom_push(key="return_value", value=outcome.result.to_dict())
            raise problem
        assert outcome.result is not None
        return self._finish(context, outcome.result.to_dict())

    def _finish(self, context: Context, returned: Mapping[str, Any] | None) -> dict[str, Any]:
        """Check what came back and tell it; runs twice when a deferrable task re-enters at once."""
        result = self.read_result(returned)
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

    def on_kill(self) -> None:
        """Stop the task: its process group, its container, or its pod."""
        if self._local is not None:
            self._local.stop()
        else:
            super().on_kill()
