"""Import the pipeline's DAG once in Airflow's scheduler, whose workers are forked from it.

Every task parses its DAG file in a fresh fork. Where the modules are there already, that takes milliseconds instead of
seconds of importing the Kubernetes client.
"""

import sys

if "scheduler" in sys.argv:
    import continuous_training.dag  # noqa: F401
