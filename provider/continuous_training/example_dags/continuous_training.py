"""The pipeline with everything left to the configuration: the DAG of the one-machine stack, and an example to copy.

Airflow only looks into files that contain the words airflow and dag; keep both when you copy it.
"""

from __future__ import annotations

from continuous_training.dag import continuous_training_dag

dag = continuous_training_dag()
