"""Law: a gate judged under one policy and judged again under another is the gate judged under the other at once."""

import importlib.util
import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
from ct_decisions.bootstrap import Estimate
from ct_decisions.evidence import Gate
from ct_decisions.policy import POLICIES, load_policy
from ct_decisions.regating import AGAIN, AT_MOST, UNLIMITED, EvidenceNotKeptError, judge_again

pytestmark = pytest.mark.unit

SPEC = importlib.util.spec_from_file_location("promotion_gates", Path(__file__).parent / "test_promotion.py")
GATES = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(GATES)

SHIPPED = [load_policy(file.stem) for file in sorted(POLICIES.glob("*.yaml"))]
STRICT = load_policy("strict")
TIGHT = replace(
    STRICT,
    name="tight",
    promotion=replace(
        STRICT.promotion, minimum_gain=0.2, bias=0.0, coverage_low=0.95, coverage_high=0.97, coverage_fifth=0.95, equity=0.0,
        slice_rise=0.0, slice_rows=10, too_good_gain=0.01, too_good_column=0.1, blast_share=0.05, blast_least=1, approval=True,
        lineage=("image_digest",), load_seconds=0.001, artifact_megabytes=1, latency_ms=0.1, memory_megabytes=1, parity=0.0,
        area_rest=0.0, area_rows=10_000, least_areas=3, baseline_gain=0.9,
    ),
)  # fmt: skip
POLICIES_OF_THE_LAW = [*SHIPPED, TIGHT, replace(STRICT, promotion=replace(STRICT.promotion, blast_share=0.25))]

CASES = [
    {},
    {"mae": None, "rmse": None, "relative": None, "champion_bias": None, "area": None, "rest": None, "slices": [],
     "champion_prd": None, "champion_prb": None, "champion_r2": None, "moved": None},
    {"missing": ["image_digest", "seed"], "unsound": 3, "mae": Estimate(0.02, 0.01, 0.03), "fifths": []},
    {"bias": Estimate(-0.2, -0.25, -0.15), "champion_bias": Estimate(-0.4, -0.5, -0.3), "coverage": Estimate(0.8, 0.78, 0.82)},
    {"requests": 50, "area_rows": 20, "prd": 1.4, "slices": [GATES.part(0.2), GATES.part(-0.1)]},
    {"rmse": Estimate(0.1, 0.05, 0.2), "relative": Estimate(0.1, 0.05, 0.2), "bias": Estimate(-0.6, -0.7, -0.5), "prb": 0.5,
     "area": Estimate(0.1, 0.05, 0.2), "rest": Estimate(0.1, 0.05, 0.2), "trial": GATES.trial(parity=0.1, repeatability=0.1)},
    {"mae": Estimate(-0.3, -0.3, -0.3, 4), "bias": Estimate(0.5, 0.5, 0.5, 4), "coverage": Estimate(0.5, 0.5, 0.5, 4),
     "fifths": [Estimate(0.5, 0.5, 0.5, 4), Estimate(0.8, 0.78, 0.82, 50)], "area": Estimate(-0.3, -0.3, -0.3, 4),
     "rest": Estimate(-0.1, -0.1, -0.1, 4)},
    {"trial": GATES.trial(load_error="damaged", load_seconds=None, failed=None, latency_ms=None, peak_megabytes=None,
                          parity=None, repeatability=None)},
]  # fmt: skip


def kept(gate):
    """As PostgreSQL gives it back."""
    return Gate.from_row({**gate.as_row(), "note": json.loads(json.dumps(dict(gate.note)))})


@pytest.mark.parametrize("changes", CASES)
def test_a_gate_judged_again_is_the_gate_judged_at_once(changes):
    for first, second in itertools.product(POLICIES_OF_THE_LAW, repeat=2):
        recorded = GATES.gates(first.promotion, **changes)
        wanted = [kept(gate) for gate in GATES.gates(second.promotion, **changes)]
        assert [kept(judge_again(second, kept(gate))) for gate in recorded] == wanted


def test_the_law_sees_every_gate_and_every_verdict():
    names = {gate.name for gate in GATES.gates()}
    assert names == {*AGAIN, *AT_MOST, *UNLIMITED}
    verdicts = {
        (g.name, g.verdict) for policy in POLICIES_OF_THE_LAW for c in CASES for g in GATES.gates(policy.promotion, **c)
    }
    assert {name for name, verdict in verdicts if verdict in ("fail", "hold")} >= {*AGAIN, *AT_MOST}


def test_a_gate_whose_evidence_was_not_kept_is_not_guessed():
    bare = Gate(name="bias", code="REJECT_BIAS", value=0.1, ci_low=0.0, ci_high=0.2, threshold=None, verdict="n/a")
    with pytest.raises(EvidenceNotKeptError, match=r"bias \(champion\)"):
        judge_again(STRICT, bare)
    with pytest.raises(EvidenceNotKeptError, match="of tomorrow"):
        judge_again(STRICT, replace(bare, name="of tomorrow"))
