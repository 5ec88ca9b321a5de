"""Tasks that cannot end well, each in its own way: what Airflow makes of them is the test."""

from datetime import timedelta

from airflow.sdk import DAG
from continuous_training.operators.clean import CleanOperator
from kubernetes.client import models as k8s

TOO_MUCH = {"cpu": "3500m", "memory": "64Mi"}
WITHOUT_ROOM = k8s.V1ResourceRequirements(requests=TOO_MUCH, limits=TOO_MUCH)
WITHOUT_MEMORY = k8s.V1ResourceRequirements(requests={"cpu": "10m", "memory": "8Mi"}, limits={"memory": "8Mi"})

with DAG(
    "trouble", schedule=None, is_paused_upon_creation=False, default_args={"retries": 1, "retry_delay": timedelta(seconds=1)}
) as dag:
    CleanOperator(task_id="wrong_image", batch_id=1, image="localhost/continuous-training/no-such-image:1")
    CleanOperator(task_id="out_of_memory", batch_id=1, container_resources=WITHOUT_MEMORY)
    CleanOperator(
        task_id="no_room", batch_id=1, container_resources=WITHOUT_ROOM, startup_timeout_seconds=10,
        # Long enough to be seen waiting for it, however long the others take.
        retry_delay=timedelta(minutes=10),
    )  # fmt: skip
    CleanOperator(task_id="bad_data", batch_id=987_654)
