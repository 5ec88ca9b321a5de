"""How much and how many, in one place."""

from __future__ import annotations

from typing import Final

MAX_INSTANCES: Final = 1000
"""Properties in one call."""
MAX_EXPLAINED: Final = 20
"""Properties in one call of ``/explain``."""
MAX_REIGNS: Final = 1000
MAX_BODY_BYTES: Final = 4_000_000
INTERVAL_LEVEL: Final = 0.9
