"""Policies: the shipped ones load, and a wrong one says where."""

from pathlib import Path

import pytest
import yaml
from ct_decisions.policy import POLICIES, PolicyError, load_policy, parameter_names, read_policy

pytestmark = pytest.mark.unit


def content():
    return yaml.safe_load((POLICIES / "strict.yaml").read_text())


def test_every_shipped_policy_loads_under_its_own_name():
    names = [file.stem for file in POLICIES.glob("*.yaml")]
    assert sorted(names) == ["course-2025", "course-2026", "strict"]
    assert [load_policy(name).name for name in names] == names
    assert len({load_policy(name).digest for name in names}) == 3


def test_the_digest_is_of_the_content_and_not_of_its_form(tmp_path):
    shuffled = {key: content()[key] for key in reversed(list(content()))}
    file = tmp_path / "mine.yaml"
    file.write_text("# a comment\n" + yaml.safe_dump(shuffled))
    assert load_policy(str(file)).digest == load_policy("strict").digest
    changed = content()
    changed["retrain"]["error_ratio"] = 1.11
    assert read_policy(changed, "x").digest != load_policy("strict").digest


def test_the_variable_chooses(monkeypatch):
    monkeypatch.setenv("CT_POLICY", "course-2026")
    assert load_policy().name == "course-2026"
    monkeypatch.delenv("CT_POLICY")
    assert load_policy().name == "strict"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["retrain"].pop("bias"), "mine: retrain.bias is missing"),
        (lambda c: c["retrain"].update(colour=1), "mine: retrain.colour is unknown"),
        (lambda c: c["promotion"].update(minimum_gain="a lot"), "mine: promotion.minimum_gain is 'a lot', expected a number"),
        (lambda c: c["promotion"].update(minimum_gain=-0.01), "expected a number that is not negative"),
        (lambda c: c["promotion"].update(significant=1), "promotion.significant is 1, expected true or false"),
        (lambda c: c["promotion"].update(area_reasons="TRAIN_BIASED"), "expected a list of codes"),
        (lambda c: c["promotion"].update(lineage=["colour"]), "promotion.lineage names 'colour', expected some of code"),
        (lambda c: c["promotion"].update(approval=None), "promotion.approval is None, expected true or false"),
        (lambda c: c["promotion"].update(latency_ms=None), "promotion.latency_ms is None, expected a number"),
        (lambda c: c["bootstrap"].update(resamples=10.5), "expected a whole number"),
        (lambda c: c["bootstrap"].update(resamples=0), "mine: bootstrap.resamples is 0, expected 100 or more"),
        (lambda c: c["bootstrap"].update(confidence=95), "bootstrap.confidence is 95, expected a share from 0.5 to below 1"),
        (lambda c: c["bootstrap"].update(confidence=0.05), "bootstrap.confidence is 0.05, expected a share"),
        (lambda c: c["retrain"].update(least_areas=1), "retrain.least_areas is 1, expected 2 or more"),
        (
            lambda c: c["promotion"].update(area_reasons=["TRAIN_BIASSED"]),
            "promotion.area_reasons names 'TRAIN_BIASSED', expected some of TRAIN_PERFORMANCE_DEGRADED",
        ),
        (
            lambda c: c["promotion"].update(coverage_low=0.93),
            "promotion.coverage_low is 0.93, expected no more than coverage_high, which is 0.92",
        ),
        (lambda c: c["promotion"].update(coverage_high=None), "expected both or null for both"),
        (lambda c: c["promotion"].update(coverage_fifth=85), "promotion.coverage_fifth is 85, expected a share from 0 to 1"),
        (lambda c: c["promotion"].update(minimum_gain=2), "promotion.minimum_gain is 2, expected a share from 0 to 1"),
        (lambda c: c["promotion"].update(slice_areas=1), "promotion.slice_areas is 1, expected 2 or more"),
        (lambda c: c["promotion"].update(least_areas=0), "promotion.least_areas is 0, expected 2 or more"),
        (
            lambda c: c["promotion"].update(blast_rows=100),
            "promotion.blast_least is 200, expected no more than blast_rows, which is 100",
        ),
        (lambda c: c.update(version=1), "a version needs quotes"),
        (
            lambda c: c["retrain"].update(error_ratio_watch=1.2),
            "retrain.error_ratio_watch is 1.2, expected no more than error_ratio, which is 1.1",
        ),
        (lambda c: c["retrain"].update(psi_watch=0.3), "retrain.psi_watch is 0.3, expected no more than psi"),
        (lambda c: c["retrain"].update(bias_inner=0.2), "retrain.bias_inner is 0.2, expected no more than bias"),
        (lambda c: c["retrain"].update(domain_auc=1.5), "retrain.domain_auc is 1.5, expected a share from 0 to 1"),
        (lambda c: c["retrain"].update(domain_auc_watch=0.3), "retrain.domain_auc_watch is 0.3, expected 0.5 or more"),
        (lambda c: c["retrain"].update(relied_share=80), "retrain.relied_share is 80, expected a share from 0 to 1"),
        (lambda c: c["retrain"].update(watches=1), "retrain.watches is 1, expected 2 or more"),
        (lambda c: c["retrain"].update(watches=2.5), "retrain.watches is 2.5, expected a whole number"),
        (lambda c: c["retrain"].update(classifier_folds=1), "retrain.classifier_folds is 1, expected 2 or more"),
        (lambda c: c["rollback"].update(errors=1), "rollback.errors is 1, expected a share below 1"),
        (lambda c: c["rollback"].update(latency_ratio=0.5), "rollback.latency_ratio is 0.5, expected 1 or more"),
        (lambda c: c["rollback"].update(quality_rows=1), "rollback.quality_rows is 1, expected 2 or more"),
        (
            lambda c: c["rollback"].update(errors_requests=2000),
            "rollback.errors_requests is 2000, expected no more than recent_requests, which is 1000",
        ),
        (lambda c: c["rollback"].pop("window_hours"), "rollback.window_hours is missing"),
        (lambda c: c.pop("bootstrap"), "mine: bootstrap is missing"),
        (lambda c: c.update(retrain=[]), "mine: retrain holds no keys"),
    ],
)
def test_a_wrong_policy_names_the_key(change, words):
    wrong = content()
    change(wrong)
    with pytest.raises(PolicyError, match=words):
        read_policy(wrong, "mine")


def test_an_unknown_policy_names_the_known_ones():
    with pytest.raises(PolicyError, match="give one of course-2025, course-2026, strict"):
        load_policy("lenient")


def test_the_shipped_policies_agree_about_when_to_train_and_when_to_roll_back():
    """They differ in what is promoted only."""
    found = [load_policy(name) for name in ("strict", "course-2025", "course-2026")]
    assert [policy.version for policy in found] == ["4", "4", "4"]
    assert found[0].retrain == found[1].retrain == found[2].retrain
    assert found[0].rollback == found[1].rollback == found[2].rollback


def test_every_retrain_limit_is_explained_in_the_documentation():
    text = (Path(__file__).parents[3] / "docs" / "policies.md").read_text(encoding="utf-8")
    for name in parameter_names():
        part, key = name.split(".")
        if part in ("retrain", "bootstrap", "rollback"):
            assert f"`{key}`" in text, name
