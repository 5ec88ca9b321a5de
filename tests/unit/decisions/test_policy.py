"""Policies: the shipped ones load, and a wrong one says where."""

import pytest
import yaml
from ct_decisions.policy import POLICIES, PolicyError, load_policy, read_policy

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
        (lambda c: c.update(version=1), "a version needs quotes"),
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
