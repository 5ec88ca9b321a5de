"""What Airflow is told about this provider. Never imports Airflow: Airflow calls it while it starts."""

from __future__ import annotations

from typing import Any

from continuous_training.settings import OPTIONS, SECTION
from continuous_training.version import __version__

STEPS = ("collect", "validate", "clean", "assess", "train", "evaluate", "promote")
"""The steps of the pipeline in their order; each has an operator and an image of this name."""

OTHERS = ("approve", "watch", "rollback")
"""Operators beside the steps: a person's answer, and what runs images of the steps after a promotion."""

INTEGRATION = "Continuous training"


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata, valid against ``airflow/provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-continuous-training",
        "name": INTEGRATION,
        "description": "Every batch collected, validated, judged, trained on, evaluated, promoted; each step in its own image.",
        "versions": [__version__],
        "integrations": [{"integration-name": INTEGRATION, "external-doc-url": "docs/provider.md", "tags": ["software"]}],
        "operators": [
            {
                "integration-name": INTEGRATION,
                "python-modules": [f"continuous_training.operators.{module}" for module in ("base", *STEPS, *OTHERS)],
            }
        ],
        "extra-links": [
            "continuous_training.links.mlflow.MLflowRunLink",
            "continuous_training.links.mlflow.MLflowModelVersionLink",
            "continuous_training.links.dashboard.HistoryLink",
            "continuous_training.links.debug.DebugLink",
        ],
        "config": {
            SECTION: {
                "description": "Where the tasks of the continuous training pipeline run, and what they are told.",
                "options": {
                    name: {
                        "description": option.description,
                        "version_added": "0.1.0",
                        "type": option.kind,
                        "example": option.example,
                        "default": option.default,
                    }
                    for name, option in OPTIONS.items()
                },
            }
        },
    }
