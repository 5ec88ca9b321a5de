"""The retrain rules: which signals fire which code, in the order in which codes take the headline."""

from __future__ import annotations

DRIFT_OF_COLUMNS = ("psi", "wasserstein")
"""Signals of one column each."""

WATCHED = ("error_ratio", "domain_auc", *DRIFT_OF_COLUMNS)
"""Signals that have a band below their limit in which they are watched."""

COVARIATE_DRIFT = "TRAIN_COVARIATE_DRIFT"
PERSISTENT_WATCH = "TRAIN_PERSISTENT_WATCH"

RULES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("TRAIN_PERFORMANCE_DEGRADED", ("error_ratio", "unsound_answers")),
    ("TRAIN_BIASED", ("log_bias",)),
    ("TRAIN_INTERVALS_INVALID", ("interval_coverage",)),
    ("TRAIN_TARGET_OUT_OF_SUPPORT", ("outside_support",)),
    ("TRAIN_NEW_CATEGORIES", ("unseen_status", "unseen_state", "unseen_zip3")),
    (COVARIATE_DRIFT, ("domain_auc", *DRIFT_OF_COLUMNS)),
    ("TRAIN_SCHEMA_CHANGED", ("schema_changed",)),
    ("TRAIN_VOLUME", ("volume",)),
    (PERSISTENT_WATCH, WATCHED),
)
"""Any signal of a rule fires it, but for two: covariate drift needs the classifier and a column that the champion relies on,
and a persistent watch the same signal in several batches in a row."""
