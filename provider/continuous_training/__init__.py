"""Continuous training for Apache Airflow: operators that each run one task image, the places they run in, and the DAG."""

from continuous_training.provider_info import get_provider_info
from continuous_training.version import __version__

__all__ = ["__version__", "get_provider_info"]
