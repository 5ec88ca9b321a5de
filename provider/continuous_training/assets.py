"""What the pipeline produces, as Airflow assets: other DAGs can be scheduled on them.

Every event's ``extra`` holds the verdict: the task, its code, its sentence and the summary of its result.
"""

from __future__ import annotations

from airflow.sdk import Asset

RAW = Asset(name="raw_batch", uri="x-continuous-training://raw/batch")
"""A batch arrived in RAW."""

CLEAN = Asset(name="clean_listings", uri="x-continuous-training://clean/listings")
"""Cleaned rows arrived in CLEAN."""

PRODUCTION_MODEL = Asset(name="production_model", uri="x-continuous-training://model/production")
"""The production alias moved to another model version."""
