"""The DAGs of the cluster test: two groups of the data source, each with a database and a model of its own."""

# Airflow only looks into files that contain the words airflow and dag.
from datetime import timedelta

from airflow.providers.cncf.kubernetes.secret import Secret
from continuous_training.dag import continuous_training_dag

QUICK = {
    "retries": 3,
    "retry_delay": timedelta(seconds=5),
    "dagrun_timeout": timedelta(minutes=20),
    "approval_timeout": timedelta(minutes=5),
}

group_1 = continuous_training_dag("group_1", group_number=1, **QUICK)
group_2 = continuous_training_dag(
    "group_2",
    group_number=2,
    env_vars={"CT_MODEL_NAME": "house-prices-2", "CT_EXPERIMENT": "house-prices-2"},
    default_args={"secrets": [Secret("env", "CT_DATABASE_URL", "group-2-database", "url")]},
    **QUICK,
)
