"""The report as a pure function of what was kept: whatever is there, in both languages, and nothing that breaks a table."""

from datetime import UTC, datetime

import pytest
from ct_decisions.names import LANGUAGES
from ct_decisions.report import question, render_report
from ct_decisions.report_texts import TEXTS

pytestmark = pytest.mark.unit

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
NOTHING = dict.fromkeys(("batch", "validation", "clean", "intake", "retrain", "promotion", "approval"))


def line(name, value, threshold, verdict, **more):
    return {
        "name": name,
        "value": value,
        "threshold": threshold,
        "verdict": verdict,
        "ci_low": None,
        "ci_high": None,
        "note": {},
        **more,
    }


def decision(kind, outcome, code, **more):
    return {
        "decision_id": f"id of {kind}", "kind": kind, "outcome": outcome, "code": code, "policy_name": "strict",
        "policy_version": "2", "policy_digest": "abc", "champion_version": "3", "challenger_version": "4", "facts": {},
        "decided_at": NOON, "signals": [], "gates": [], "evaluations": [], **more,
    }  # fmt: skip


def evidence(**more):
    found = {
        "dag_id": "d", "run_id": "r", "batch_number": 4, "batch_id": 5, "champion_version": "3", "challenger_version": "4",
    }  # fmt: skip
    return {"line": found, **NOTHING, "events": [], **more}


METRICS = {"mae": 41_510.4, "mdape": 0.147, "r2_log": 0.8425, "prb": -0.05, "coverage": 0.9, "unsound_answers": 0.0}
WHOLE = evidence(
    batch={
        "stream": "group 9 | x",
        "batch_number": 4,
        "row_count": 4055,
        "body_bytes": 1_000_000,
        "body_sha256": "ab",
        "stored_at": NOON,
    },
    clean={
        "rows_accepted": 4000,
        "rows_new": 3900,
        "rows_relisted": 100,
        "rows_quarantined": 55,
        "digest": "cd",
        "rules_version": "1",
    },
    validation={
        "suite_name": "house_prices",
        "suite_version": "2",
        "accepted": True,
        "schema_changes": [{"column": "bed", "change": "missing"}],
        "new_categories": {"state": {"values": ["<b>Ohio</b>"], "share": 0.1}},
        "expectations": [
            {"expectation": "e1", "column": "bed", "severity": "warning", "success": False, "share": 0.25},
            {"expectation": "e2", "column": None, "severity": "critical", "success": True},
        ],
    },
    retrain=decision(
        "retrain",
        "train",
        "TRAIN_VOLUME",
        facts={"fired": ["volume"], "batch_number": 4},
        signals=[
            line("log_bias", -0.71, 0.1, "fire", ci_low=-0.72, ci_high=-0.7, feature=None),
            line("psi", 0.34, 0.2, "watch", feature="house_size"),
            line("volume", 0.71, 0.5, "fire", feature=None),
            line("domain_auc", None, 0.65, "n/a", feature=None),
        ],
    ),
    promotion=decision(
        "promotion",
        "hold",
        "HOLD_APPROVAL",
        facts={"held": ["approval"], "failed": []},
        gates=[
            line("superiority", -0.09, -0.01, "pass", ci_low=-0.12, ci_high=-0.06, code="REJECT_NOT_BETTER"),
            line("approval", 1.0, 0, "hold", code="HOLD_APPROVAL"),
            line("prd", None, 0.02, "n/a", code="REJECT_EQUITY"),
        ],
        evaluations=[
            {
                "role": role,
                "dataset": "hold-out",
                "model_version": version,
                "dataset_digest": "ef",
                "row_count": 9703,
                "metrics": METRICS,
            }
            for role, version in (("baseline", "0"), ("challenger", "4"), ("champion", "3"))
        ],
    ),
    approval=decision(
        "approval",
        "promote",
        "PROMOTE_BY_HUMAN",
        gates=[line("approval", 1.0, 0, "hold", code="HOLD_APPROVAL")],
        facts={"held": ["approval"], "author": "ana", "reason": "<script>", "answered_at": NOON.isoformat(), "waited": 60},
    ),
    events=[
        {"happened_at": NOON, "model_version": "4", "event": "registered", "details": {"mlflow_run_id": "run of mlflow"}},
        {"happened_at": NOON, "model_version": "4", "event": "promoted", "details": {}},
    ],
)


def test_everything_that_was_kept_is_in_it():
    text = render_report(WHOLE, "en")
    for words in (
        "# Batch 4",
        "Batch 4: trained, because the homes added since the model in production are 71%",
        "Code `TRAIN_VOLUME`, policy strict 2, 2026-01-02 12:00:00.",
        "| Rows | 4,055 |",
        "| Rows in quarantine | 55 |",
        "Accepted by suite house_prices, version 2: 1 of 2 expectations hold.",
        "| `e1` | bed | warning | 25% |",
        "Columns that changed: bed (missing).",
        "| Champion's bias on the batch (log price) (`log_bias`) | – | −50.8% | −51.3% … −50.3% | 9.5% | fires |",
        "| Population stability index of the column (`psi`) | house_size | 0.34 | – | 0.20 | watched |",
        "| AUC of telling new homes from known ones (`domain_auc`) | – | – | – | 0.65 | not judged |",
        "| MAE against the champion (`superiority`) | −9% | −12% … −6% | −1% | passed | `REJECT_NOT_BETTER` |",
        "## Metrics on the hold-out, 9,703 rows",
        "| Metric | Champion (version 3) | Challenger (version 4) | Simple baseline |",
        "| Mean absolute error (MAE) | $41,510 | $41,510 | $41,510 |",
        "| R² of the log price | 0.843 | 0.843 | 0.843 |",
        "| Price-related bias (PRB) | −0.050 | −0.050 | −0.050 |",
        "Change of the MAE against the champion: −9% (−12% … −6%).",
        "Answer of ana at 2026-01-02 12:00:00: &lt;script>",
        "| 2026-01-02 12:00:00 | 4 | promoted |",
        "| SHA-256 of the batch as received | `ab` |",
        "| Digest of the accepted rows | `cd` |",
        "| Decision: Training | `id of retrain` |",
        "| Policy, version, digest | `strict 2 abc` |",
        "| MLflow run of the training | `run of mlflow` |",
        "| Digest of the rows compared on: the hold-out | `ef` |",
    ):
        assert words in text


def test_the_same_in_spanish_with_its_numbers():
    text = render_report(WHOLE, "es")
    for words in (
        "# Lote 4",
        "| Filas | 4.055 |",
        "US$ 41.510",
        "| −50,8 % | −51,3 % … −50,3 % | 9,5 % | dispara |",
        "Respuesta de ana",
    ):
        assert words in text
    assert text.count("\n## ") == render_report(WHOLE, "en").count("\n## ")


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_value_breaks_a_table_and_none_is_a_tag(language):
    text = render_report(WHOLE, language)
    assert r"group 9 \| x" in text
    assert "<" not in text
    tables = [part.splitlines() for part in text.split("\n\n") if part.startswith("|")]
    for table in tables:
        assert len({row.replace(r"\|", "").count("|") for row in table}) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_not_there_is_left_out(language):
    intake = decision("intake", "skip", "SKIP_END_OF_DATA", policy_name=None, facts={"stream": "s", "batches_stored": 6})
    found = evidence(intake=intake)
    found["line"] |= {"batch_number": None, "champion_version": None, "challenger_version": None}
    text = render_report(found, language)
    assert TEXTS[language]["title_none"] in text
    assert "6" in text
    assert "None" not in text
    assert TEXTS[language]["nothing_decided"] in render_report(evidence(), language)


def test_an_answer_that_never_came():
    facts = {"held": ["approval"], "author": "", "reason": "", "answered_at": NOON.isoformat(), "waited": 60}
    found = {**WHOLE, "approval": {**WHOLE["approval"], "code": "EXPIRED_APPROVAL", "outcome": "reject", "facts": facts}}
    assert "Nobody answered. The question expired at 2026-01-02 12:00:00." in render_report(found, "en")


def test_the_same_evidence_gives_the_same_bytes():
    assert render_report(WHOLE, "en") == render_report(WHOLE, "en")


def test_the_question_has_both_languages_and_the_judged_gates_alone():
    asked = question(WHOLE["promotion"])
    assert asked["subject"] == "Promote version 4? · ¿Promover la versión 4?"
    assert "(`prd`)" not in asked["body"]
    assert asked["body"].count("(`superiority`)") == 2


def test_both_languages_have_the_same_words_and_there_is_no_third():
    assert TEXTS["en"].keys() == TEXTS["es"].keys()
    for key, text in TEXTS["en"].items():
        assert text.count("{") == TEXTS["es"][key].count("{"), key
    with pytest.raises(ValueError, match="not in 'fr'"):
        render_report(WHOLE, "fr")
