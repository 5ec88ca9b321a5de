"""docs/promotion.md names every gate threshold and every code of a promotion."""

from dataclasses import fields
from pathlib import Path

import pytest
from ct_decisions.policy import PromotionPolicy, RollbackPolicy
from ct_decisions.reasons import codes

pytestmark = pytest.mark.unit

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "promotion.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [field.name for field in (*fields(PromotionPolicy), *fields(RollbackPolicy))])
def test_every_threshold_is_documented(name):
    assert f"`{name}`" in TEXT


@pytest.mark.parametrize("code", [code for code in codes() if not code.startswith(("TRAIN", "SKIP"))])
def test_every_code_is_documented(code):
    assert f"`{code}`" in TEXT
