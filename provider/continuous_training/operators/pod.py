"""The way of a step through Kubernetes: Airflow's own pod operator, with our pod and with endings that say what happened."""

from __future__ import annotations

import json
import sys
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.utils.pod_manager import PodLaunchTimeoutException, PodNotFoundException
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from ct_contract import ContractError, ExitCode, TaskInput, TaskResult
from ct_contract.call import INPUT_VARIABLE
from kubernetes.client import models as k8s  # type: ignore[import-untyped]
from kubernetes.client.exceptions import ApiException  # type: ignore[import-untyped]

from continuous_training import pods
from continuous_training.exceptions import TaskContractError, TaskError, TaskResultMissingError
from continuous_training.operators import calls
from continuous_training.operators.endings import failure
from continuous_training.operators.troubles import away, is_away, refusal, trouble
from continuous_training.pod_status import Diagnosis, Trouble, diagnose, exit_status, last_words
from continuous_training.runners.base import Outcome
from continuous_training.settings import flag, option

if TYPE_CHECKING:
    from airflow.sdk import Context

TOLD_BY_THE_TASK = frozenset({ExitCode.BAD_DATA, ExitCode.TRY_LATER, ExitCode.NOTHING_TO_DO})
"""Exit statuses that only a task of ours ends with; what else happened to its pod does not matter then."""


class StepPodOperator(KubernetesPodOperator):
    """What a step adds to ``KubernetesPodOperator``: the pod's variables and side-car, and exceptions of ours."""

    step: ClassVar[str]

    result: TaskResult | None
    """What the task returned, once it has; the extra links read it."""

    _event: Mapping[str, Any] = {}
    """What the trigger said, if the task was deferred."""

    _replacing = False

    @abstractmethod
    def task_input(self, context: Context) -> TaskInput:
        """What the task is asked to do."""

    @abstractmethod
    def pod_is_known(self, context: Context, pod: k8s.V1Pod) -> None:
        """Called once the pod of this try exists."""

    def build_pod_request_obj(self, context: Context | None = None, *, dry_run: bool = False) -> k8s.V1Pod:
        """The pod: the arguments, the configuration's variables, secrets by reference, an empty /tmp, a last deadline."""
        self.image = self.image or calls.image_name(self.step)
        self.namespace = self.namespace or option("namespace") or None
        self.service_account_name = self.service_account_name or option("service_account") or None
        if self.active_deadline_seconds is None and self.execution_timeout is not None:
            self.active_deadline_seconds = int(self.execution_timeout.total_seconds()) + pods.DEADLINE_MARGIN
        own = self.env_vars
        self.env_vars = self._pod_variables(context)
        try:
            pod = super().build_pod_request_obj(context, dry_run=dry_run)
        finally:
            self.env_vars = own
        pods.add_scratch(pod, self.base_container_name)
        pods.set_sidecar(
            pod,
            image=None if self.hook.get_xcom_sidecar_container_image() else calls.sidecar_image(),
            own_resources=self.hook.get_xcom_sidecar_container_resources(),
        )
        return pod

    def _pod_variables(self, context: Context | None) -> list[k8s.V1EnvVar]:
        own = pods.variables(self.env_vars, ()) if isinstance(self.env_vars, Mapping) else list(self.env_vars)
        taken = {variable.name for variable in own} | {secret.deploy_target for secret in self.secrets}
        database = calls.database_reference()
        given = calls.configured_variables(self.image or calls.image_name(self.step))
        if context is not None:
            own = [*own, k8s.V1EnvVar(name=INPUT_VARIABLE, value=self.task_input(context).to_json())]
        return [
            *pods.variables(
                {name: value for name, value in given.items() if name not in taken},
                () if database.name in taken else (database,),
            ),
            *own,
        ]

    def get_or_create_pod(self, pod_request_obj: k8s.V1Pod, context: Context) -> k8s.V1Pod:
        """The pod of an earlier try that still runs, or a new one. Raises ConfigurationError or TryLaterError if refused."""
        self._replacing = True
        try:
            pod = super().get_or_create_pod(pod_request_obj, context)
        except ApiException as error:
            if is_away(error):
                raise
            raise refusal(self.step, error) from error
        finally:
            self._replacing = False
        if self.in_cluster is None and self.hook.is_in_cluster:
            # A trigger's own hook does not look around for a cluster, as this one has done: it would fail and be asked again.
            self.in_cluster = True
        self.pod_is_known(context, pod)
        return pod

    def execute(self, context: Context) -> Any:
        """Run the pod. Raises one of `continuous_training.exceptions`, or defers."""
        try:
            return super().execute(context)
        except Exception as error:
            if is_away(error):
                raise away(self.step, error) from error
            raise

    def trigger_reentry(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on after a deferral. Raises one of `continuous_training.exceptions`."""
        self._event = event
        try:
            return super().trigger_reentry(context, event)
        except PodNotFoundException as error:
            lost = Diagnosis(trouble=Trouble.DELETED, words=f"{event['namespace']}/{event['name']} is not there any more")
            raise trouble(self.step, lost, None) from error
        except Exception as error:
            if is_away(error):
                raise away(self.step, error) from error
            raise

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
        """Remove the pod and raise what its end means."""
        before = sys.exception()
        if self._killed or not remote_pod:
            return
        now = self._as_it_is(remote_pod, before, context)
        try:
            if now is not None:
                super().cleanup(pod, now, xcom_result, context)
        except AirflowException as error:
            raise self._ending(now, xcom_result, before or error) from error
        if now is None:
            raise self._ending(None, xcom_result, before) from before
        if isinstance(before, AirflowException) and not isinstance(before, AirflowFailException):
            # The program ended well, and what was to come after it did not: the result is lost.
            told = diagnose(now, self.base_container_name)
            raise TaskResultMissingError(
                f"{self.step} ended with exit status 0, but its result could not be read: {told.words if told else before}. "
                "What it did is kept; a retry gives the same result again"
            ) from before

    def _as_it_is(self, pod: k8s.V1Pod, before: BaseException | None, context: Context | None) -> k8s.V1Pod | None:
        """The pod with its newest status, None if it is gone. Raises ClusterUnavailableError rather than harm a running one."""
        now: k8s.V1Pod | None = pod
        if exit_status(pod, self.base_container_name) is None:
            try:
                now = self.pod_manager.read_pod(pod)
            except ApiException as error:
                if error.status != 404:
                    raise away(self.step, error) from error
                now = None
            except Exception as error:
                if is_away(error):
                    raise away(self.step, error) from error
                raise
        ti: Any = context["ti"] if context else None
        again = ti is not None and ti.try_number <= (getattr(ti, "max_tries", 0) or 0)
        if before is not None and is_away(before) and again and exit_status(now, self.base_container_name) is None:
            raise away(self.step, before) from before
        return now

    def _ending(
        self, pod: k8s.V1Pod | None, xcom_result: Mapping[str, Any] | None, before: BaseException | None
    ) -> BaseException:
        """What to raise for a pod that did not end well."""
        status = exit_status(pod, self.base_container_name)
        found = diagnose(pod, self.base_container_name)
        self.result = self.read_result(xcom_result)
        if self._late(pod, before):
            return self._launch_time_out(found, pod, before)
        problem: BaseException | None
        if found is not None and status not in TOLD_BY_THE_TASK:
            problem = trouble(self.step, found, pod)
        elif status is None:
            # The container never ended: what was raised before says more than "a failure".
            return before or TaskError(f"{self.step}: its pod did not end")
        else:
            problem = failure(self.step, Outcome(status=status, result=self.result))
        if isinstance(problem, TaskError) and (last := last_words(pod, self.base_container_name)):
            problem = TaskError(f"{problem}\n{last}")
        return problem or before or TaskError(f"{self.step} failed for a reason that is not known")

    def _late(self, pod: k8s.V1Pod | None, before: BaseException | None) -> bool:
        """Whether the pod did not start in time; a trigger can only send words of it."""
        pending = pod is not None and pod.status.phase == "Pending"
        return pending and (isinstance(before, PodLaunchTimeoutException) or self._event.get("status") == "timeout")

    def _launch_time_out(
        self, found: Diagnosis | None, pod: k8s.V1Pod | None, before: BaseException | None
    ) -> AirflowException:
        """The exception that the retry policy goes by, with what the cluster says; a missing image or secret is no time-out."""
        if found is not None and found.trouble in {Trouble.IMAGE, Trouble.CONFIGURATION}:
            return trouble(self.step, found, pod)
        words = self._event.get("message") or before
        return PodLaunchTimeoutException(f"{self.step}: {words}" + (f" {found.words}" if found else ""))

    def read_result(self, returned: Mapping[str, Any] | None) -> TaskResult | None:
        """The result as the contract has it, None for none. Raises TaskContractError."""
        try:
            return None if returned is None else TaskResult.from_dict(returned)
        except (ContractError, TypeError) as error:
            raise TaskContractError(f"{self.step}: {error}") from error

    def process_pod_deletion(self, pod: k8s.V1Pod, *, reraise: bool = True) -> bool:
        """Delete the pod unless it failed and ``[continuous_training] keep_failed_pods`` is set; a running one never stays."""
        if pod is None or not flag("keep_failed_pods") or not self._failed(pod):
            return bool(super().process_pod_deletion(pod, reraise=reraise))
        name, namespace = pod.metadata.name, pod.metadata.namespace
        self.patch_already_checked(pod, reraise=False)
        self.log.warning(
            "Kept the failed pod: kubectl --namespace %s debug %s -it --copy-to %s-debug --container %s -- sh; "
            "delete it later: kubectl --namespace %s delete pod %s",
            namespace, name, name, self.base_container_name, namespace, name,
        )  # fmt: skip
        # A try that looks for its pod takes "not deleted" for "use it".
        return self._replacing

    def _failed(self, pod: k8s.V1Pod) -> bool:
        status = exit_status(pod, self.base_container_name)
        if status is None:
            return bool(pod.status and pod.status.phase == "Failed")
        return status not in {ExitCode.DONE, ExitCode.NOTHING_TO_DO}
