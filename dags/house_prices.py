"""The house-price stream on a cluster and the watch over its champion: the provider's DAGs in the images of this commit.

Airflow reads this file from git and pins each run to its commit, so a run uses one pair of DAG and images from its first step
to its last, whatever is deployed meanwhile. CT_ENVIRONMENT names the environment, CT_SCHEDULE how often a batch is asked for,
CT_WATCH_SCHEDULE how often the champion is looked at after its promotion.
"""

# Airflow only looks into files that contain the words airflow and dag.
from __future__ import annotations

import os
from pathlib import Path

import yaml
from continuous_training.dag import continuous_training_dag
from continuous_training.operators.base import TaskImageOperator
from continuous_training.watch_dag import continuous_training_watch_dag

ENVIRONMENTS = Path(__file__).resolve().parent.parent / "argocd-apps" / "environments"


def published(environment: str) -> dict[str, str]:
    """The images of an environment by name, as tag and digest. Raises FileNotFoundError for one that does not exist."""
    file = ENVIRONMENTS / environment / "images.yaml"
    images = yaml.safe_load(file.read_text(encoding="utf-8"))["global"]["images"]
    return {
        name: f"{image['repository']}:{image['tag']}" + (f"@{image['digest']}" if image.get("digest") else "")
        for name, image in images.items()
    }


dag = continuous_training_dag("house_prices", schedule=os.environ.get("CT_SCHEDULE") or None)
watch = continuous_training_watch_dag("house_prices_watch", schedule=os.environ.get("CT_WATCH_SCHEDULE") or None)
_images = published(os.environ.get("CT_ENVIRONMENT", "production"))
for task in (*dag.tasks, *watch.tasks):
    if isinstance(task, TaskImageOperator):
        if task.step not in _images:
            raise ValueError(f"no image for the step {task.step}: argocd-apps/bump.py has not written one to images.yaml yet")
        task.image = _images[task.step]
