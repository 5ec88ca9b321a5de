"""What Airflow and DAG authors rely on: default_args win, templates, mapping, serialisation, and the pod's manifest."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from continuous_training import pods
from continuous_training.operators.assess import AssessOperator
from continuous_training.operators.base import TaskImageOperator
from continuous_training.operators.clean import CleanOperator
from continuous_training.operators.collect import CollectOperator
from continuous_training.operators.evaluate import EvaluateOperator
from continuous_training.operators.promote import PromoteOperator
from continuous_training.operators.train import TrainOperator
from continuous_training.operators.validate import ValidateOperator
from continuous_training.provider_info import STEPS
from continuous_training.testing import TaskContext
from kubernetes.client import ApiClient

pytestmark = pytest.mark.unit

OPERATORS = [
    CollectOperator, ValidateOperator, CleanOperator, AssessOperator, TrainOperator, EvaluateOperator, PromoteOperator,
]  # fmt: skip

INPUTS = {
    "collect": {"source_url": "http://source"},
    "validate": {"batch_id": 3},
    "clean": {"batch_id": 3},
    "assess": {"batch_id": 3},
    "train": {"batch_id": 3, "retrain_decision_id": "4e"},
    "evaluate": {"batch_id": 3, "model_version": "7"},
    "promote": {"batch_id": 3, "action": "promote", "decision_id": "5e", "model_version": "7"},
}

OTHER_VALUES = {
    "get_logs": False,
    "log_events_on_failure": False,
    "log_pod_spec_on_failure": True,
    "termination_message_policy": "File",
    "startup_timeout_seconds": 7,
    "on_finish_action": "keep_pod",
    "on_kill_action": "keep_pod",
    "random_name_suffix": False,
    "skip_on_exit_code": [77],
    "image_pull_policy": "Always",
    "automount_service_account_token": True,
    "security_context": {"runAsUser": 5},
    "container_security_context": {"privileged": True},
    "xcom_sidecar_container_security_context": {"runAsUser": 6},
    "container_resources": pods.resources("3", "3Gi", cpu_limit="3"),
    "runner": "process",
    "image": "other:1",
    "deferrable": True,
    "logging_interval": 5,
    "namespace": "elsewhere",
    "retries": 9,
    "cmds": ["sleep"],
}


def test_each_step_has_its_operator():
    assert tuple(operator.step for operator in OPERATORS) == STEPS


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("name", OTHER_VALUES)
def test_default_args_win_over_our_defaults(operator, name):
    value = OTHER_VALUES[name]
    with DAG("d", default_args={name: value}):
        task = operator(task_id="t", **INPUTS[operator.step])
    assert getattr(task, name) == value


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_argument_wins_over_default_args(operator):
    with DAG("d", default_args={"startup_timeout_seconds": 7, "deferrable": True}):
        task = operator(task_id="t", startup_timeout_seconds=8, deferrable=False, **INPUTS[operator.step])
    assert (task.startup_timeout_seconds, task.deferrable) == (8, False)


def test_the_result_cannot_be_switched_off():
    with pytest.raises(ValueError, match="needs do_xcom_push"):
        CleanOperator(task_id="t", batch_id=1, do_xcom_push=False)


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_template_field_is_an_argument_and_an_attribute(operator):
    task = operator(task_id="t", **INPUTS[operator.step])
    assert operator.template_fields == (*TaskImageOperator.template_fields[:-1], "inputs")
    arguments = {name for cls in operator.__mro__ for name in getattr(cls.__init__, "_BaseOperatorMeta__param_names", ())}
    for field in operator.template_fields:
        assert hasattr(task, field)
        assert field in arguments


@pytest.mark.parametrize("operator", OPERATORS)
def test_inputs_are_templated(operator):
    given = {name: f"{{{{ params.{name} }}}}" for name in INPUTS[operator.step]}
    with DAG("d", params=INPUTS[operator.step]) as dag:
        task = operator(task_id="t", **given)
    task.render_template_fields({"params": INPUTS[operator.step], "dag": dag}, jinja_env=dag.get_template_env())
    payload = task.task_input(TaskContext("t").values())
    for name, value in INPUTS[operator.step].items():
        assert payload.inputs[name] == value


def test_the_output_of_another_step_is_a_dependency():
    with DAG("d"):
        collect = CollectOperator(task_id="collect")
        clean = CleanOperator(task_id="clean", batch_id=collect.output)
    assert clean.upstream_task_ids == {"collect"}


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_survives_serialisation(operator):
    with DAG("d", start_date=datetime(2026, 1, 1)) as dag:
        operator(task_id="t", **INPUTS[operator.step])
    read = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
    task = read.get_task("t")
    assert task.task_type == operator.__name__
    for name, value in INPUTS[operator.step].items():
        assert task.inputs[name] == value


def test_the_serialised_dag_does_not_depend_on_the_configuration(configure):
    def serialised():
        with DAG("d", start_date=datetime(2026, 1, 1)) as dag:
            for operator in OPERATORS:
                operator(task_id=operator.step, **INPUTS[operator.step])
        return DagSerialization.to_dict(dag)

    before = serialised()
    configure(runner="process", image_prefix="x/", namespace="n", policy="eager", source_url="http://other")
    assert serialised() == before


def test_a_step_can_be_mapped():
    with DAG("d", start_date=datetime(2026, 1, 1)) as dag:
        mapped = TrainOperator.partial(task_id="train", retrain_decision_id="4e", runner="process").expand(batch_id=[1, 2])
    DagSerialization.from_dict(DagSerialization.to_dict(dag))
    task = mapped.unmap({"batch_id": 2})
    assert task.task_input(TaskContext("train").values()).inputs == {"batch_id": 2, "retrain_decision_id": "4e"}
    assert task.deferrable is True


def test_collect_takes_from_the_configuration_what_the_dag_leaves_open(configure):
    configure(source_url="http://configured", group_number=4, day="Tuesday")
    inputs = CollectOperator(task_id="t", day="Friday").task_input(TaskContext("t").values()).inputs
    assert inputs == {"source_url": "http://configured", "group_number": 4, "day": "Friday", "on_gap": "recover"}


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_manifest(operator):
    """The whole pod, as it was when somebody last looked at it: manifests/<step>.json."""
    task = operator(
        task_id=operator.step,
        name=operator.step,
        random_name_suffix=False,
        namespace="tasks",
        execution_timeout=timedelta(hours=1),
        **INPUTS[operator.step],
    )
    task.hook.get_xcom_sidecar_container_image = lambda: None
    task.hook.get_xcom_sidecar_container_resources = lambda: None
    pod = task.build_pod_request_obj(TaskContext(operator.step).values(), dry_run=True)
    manifest = ApiClient().sanitize_for_serialization(pod)
    known = json.loads((Path(__file__).parent / "manifests" / f"{operator.step}.json").read_text())
    assert manifest == known


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_pod_is_as_tight_as_it_can_be(operator):
    task = operator(task_id=operator.step, namespace="tasks", **INPUTS[operator.step])
    task.hook.get_xcom_sidecar_container_image = lambda: None
    task.hook.get_xcom_sidecar_container_resources = lambda: None
    spec = ApiClient().sanitize_for_serialization(task.build_pod_request_obj(TaskContext("t").values(), dry_run=True))["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    for container in spec["containers"]:
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    base = spec["containers"][0]
    assert {mount["mountPath"] for mount in base["volumeMounts"]} == {"/airflow/xcom", "/tmp"}
    assert base["resources"]["requests"]["memory"] == base["resources"]["limits"]["memory"]


def test_an_own_tmp_is_kept():
    from kubernetes.client import models as k8s

    volume = k8s.V1Volume(name="big", empty_dir=k8s.V1EmptyDirVolumeSource(size_limit="9Gi"))
    mount = k8s.V1VolumeMount(name="big", mount_path="/tmp")
    task = CleanOperator(task_id="t", batch_id=1, namespace="n", volumes=[volume], volume_mounts=[mount])
    task.hook.get_xcom_sidecar_container_image = lambda: None
    task.hook.get_xcom_sidecar_container_resources = lambda: None
    spec = task.build_pod_request_obj(TaskContext("t").values(), dry_run=True).spec
    assert [m.name for m in spec.containers[0].volume_mounts if m.mount_path == "/tmp"] == ["big"]
    assert "scratch" not in [v.name for v in spec.volumes]
