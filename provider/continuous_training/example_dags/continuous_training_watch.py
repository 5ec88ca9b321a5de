"""The watch with everything left to the configuration. It is paused: unpause it to have promotions rolled back by themselves.

Airflow only looks into files that contain the words airflow and dag; keep both when you copy it.
"""

from __future__ import annotations

from continuous_training.watch_dag import continuous_training_watch_dag

dag = continuous_training_watch_dag(is_paused_upon_creation=True)
