"""Decisions of every code, with the evidence that their sentences tell."""

from ct_decisions.evidence import key_of


def signal(name, value, threshold, verdict="fire", low=None, high=None, feature=None, **note):  # noqa: PLR0917
    return {
        "name": name, "feature": feature, "value": value,
        "ci_low": low, "ci_high": high, "threshold": threshold, "verdict": verdict, "note": note,
    }  # fmt: skip


SIGNALS = [
    signal("error_ratio", 1.92, 1.10, low=1.89, high=1.95),
    signal("log_bias", -0.71, 0.10, low=-0.72, high=-0.70),
    signal("interval_coverage", 0.72, 0.85, low=0.70, high=0.74),
    signal("unsound_answers", 0.0, 0.0, "ok"),
    signal("outside_support", 1.0, 0.05),
    signal("unseen_status", 0.06, 0.05, values=["sold"]),
    signal("unseen_state", 1.0, 0.05, values=["Massachusetts"]),
    signal("unseen_zip3", 0.2, 0.10, values=["010", "011", "012", "013"]),
    signal("domain_auc", 0.83, 0.65, low=0.80, high=0.86, watch=0.60, columns=["house_size", "bath"]),
    signal("psi", 0.34, 0.20, feature="house_size", watch=0.10, input=True, rank=2),
    signal("wasserstein", 0.45, 0.20, feature="bath", watch=0.10, input=True, rank=3),
    signal("schema_changed", 0.31, 0.05, feature="brokered_by", change="missing", usable=True),
    signal("volume", 0.71, 0.50),
]
GATES = [
    signal("leakage", 3, 0, "fail"),
    signal("sound_answers", 7, 0, "fail"),
    signal("baseline", -0.05, -0.10, "fail", -0.07, -0.03),
    signal("superiority", -0.0098, -0.01, "fail", -0.019, 0.0004),
    signal("rmse", 0.05, 0.02, "fail", 0.03, 0.08),
    signal("relative_error", 0.03, 0.01, "fail", 0.02, 0.04),
    signal("bias", 0.09, 0.03, "fail", 0.08, 0.10),
    signal("intervals", 0.80, 0.88, "fail", 0.78, 0.82, highest=0.92),
    signal("new_batch", -0.33, 0, "pass", -0.40, -0.20),
    signal("rest", 0.001, 0.01, "pass", -0.002, 0.004),
    signal("lineage", 2, 0, "fail", missing=["code", "seed"]),
    signal("identifiers", 1, 0, "fail", values=["street"]),
    signal("signature", 1, 0, "fail", values=["bed: long ≠ double"]),
    signal("libraries", 1, 0, "fail", values=["catboost 1.2.5 ≠ 1.2.10"]),
    signal("loading", 1, 0, "fail", error="RuntimeError: damaged"),
    signal("load_seconds", 41.27, 30, "fail"),
    signal("artifact_size", 250.4, 200, "fail"),
    signal("requests", 3, 0, "fail", requests=415, error="ValueError: no such state"),
    signal("latency", 230.4, 100, "fail"),
    signal("memory", 912.3, 700, "fail"),
    signal("parity", 0.0031, 0.000001, "fail", requests=215),
    signal("repeatability", 0.02, 0.000001, "fail"),
    signal("prd", 0.05, 0.02, "fail", challenger=1.15, champion=1.10),
    signal("prb", 0.04, 0.02, "fail", challenger=-0.09, champion=-0.05),
    signal("slices", 0.12, 0.05, "fail", low=0.072) | {"note": {"dimension": "state", "value": "Nevada", "rows": 420}},
    signal("interval_fifths", 0.79, 0.85, "fail", 0.76, 0.82, fifth=5),
    signal("too_good", 0.21, 0.15, "hold"),
    signal("single_column", 0.97, 0.95, "hold", values=["acre_lot"]),
    signal("blast_radius", 0.31, 0.25, "hold", requests=10_000, move=0.20),
    signal("approval", 1, 0, "hold"),
    signal("serving_errors", 0.041, 0.01, "fail", 0.029, 0.057, requests=812, required=100, before=0.004),
    signal("serving_latency", 812.4, 250, "fail", 700.1, 901.0, requests=640, required=100, before=None),
    signal("error_new_homes", 0.12, 0.05, "fail", 0.08, 0.16, rows=1400, areas=60, required=200, required_areas=10, unsound=0),
    signal("error_real_prices", None, 0.05, "n/a", rows=12, areas=4, required=200, required_areas=10, unsound=0),
]
HEADLINES = {
    "REJECT_LEAKAGE": "leakage", "REJECT_UNSOUND_ANSWERS": "sound_answers", "REJECT_BELOW_BASELINE": "baseline",
    "REJECT_NOT_BETTER": "superiority", "REJECT_WORSE": "superiority", "REJECT_RMSE": "rmse",
    "REJECT_RELATIVE_ERROR": "relative_error", "REJECT_BIAS": "bias", "REJECT_INTERVALS": "intervals",
    "REJECT_LINEAGE_INCOMPLETE": "lineage", "REJECT_SIGNATURE": "signature", "REJECT_INFRA_LOAD": "loading",
    "REJECT_INFRA_ERROR": "requests", "REJECT_INFRA_LATENCY": "latency", "REJECT_INFRA_MEMORY": "memory",
    "REJECT_INFRA_PARITY": "parity", "REJECT_EQUITY": "prd", "REJECT_SLICE": "slices", "HOLD_TOO_GOOD": "too_good",
    "HOLD_APPROVAL_BLAST": "blast_radius", "HOLD_APPROVAL": "approval", "PROMOTE_BY_HUMAN": "blast_radius",
    "REJECT_BY_HUMAN": "blast_radius", "EXPIRED_APPROVAL": "blast_radius",
    "ROLLBACK_ERRORS": "serving_errors",
    "ROLLBACK_LATENCY": "serving_latency", "ROLLBACK_QUALITY": "error_new_homes", "WATCH_NO_TARGET": "serving_errors",
}  # fmt: skip
ANSWERS = {"PROMOTE_BY_HUMAN": "promote", "REJECT_BY_HUMAN": "reject", "EXPIRED_APPROVAL": "reject"}


def decision(code):
    promotion = code.startswith(("PROMOTE", "REJECT", "HOLD", "EXPIRED"))
    watch = code.startswith(("ROLLBACK", "WATCH"))
    facts = {
        "batch_number": 4, "new_rows": 41, "required_rows": 100, "champion_rows": 398_701, "stream": "group 9, Tuesday",
        "author": "Ana", "reason": "new price list", "watches": 3, "batches_stored": 6, "waited": 86_400,
        "fired": [key_of(s) for s in SIGNALS] if code.startswith("TRAIN") else [],
        "closest": {"signal": "error_ratio", "reached": 0.8}, "retrain_code": "TRAIN_BIASED",
    }  # fmt: skip
    if code == "SKIP_INVALID_BATCH":
        facts["failed"] = [
            {
                "expectation": "expect_column_values_to_not_be_null",
                "column": "price",
                "share": 1.0,
                "limit": 0.2,
                "examples": ["cheap"],
            }
        ]
    elif code == "TRAIN_PERSISTENT_WATCH":
        facts |= {"fired": ["error_ratio"], "persistent": ["error_ratio"], "watched": {"error_ratio": 3}}
    elif promotion or watch:
        held = code.startswith("HOLD") or code in ANSWERS
        facts["held" if held else "failed"] = [HEADLINES[code]] if code in HEADLINES else []
    if watch and code != "ROLLBACK_MANUAL":
        facts["unjudged"] = ["error_real_prices"]
    facts["alias"] = "production"
    others = "alias" if code.startswith("ALIAS") else "intake" if code == "SKIP_END_OF_DATA" else "retrain"
    kind = "approval" if code in ANSWERS else "promotion" if promotion else "rollback" if watch else others
    outcome = ANSWERS.get(code) or ("keep" if code.startswith("WATCH") else code.split("_")[0].lower())
    return {
        "kind": kind, "code": code, "facts": facts, "champion_version": "3", "challenger_version": "4", "outcome": outcome,
        "signals": [{**s, "verdict": "ok"} if code.startswith("SKIP") else s for s in SIGNALS], "gates": GATES,
    }  # fmt: skip


def changed(code, name, **values):
    """The decision of a code with one piece of its evidence changed."""
    found = decision(code)
    for part in ("signals", "gates"):
        found[part] = [{**line, **values} if line["name"] == name else line for line in found[part]]
    return found


def only(code, *fired):
    """The decision of a code for which these signals alone fired."""
    found = decision(code)
    found["facts"]["fired"] = list(fired)
    found["signals"] = [line if key_of(line) in fired else {**line, "verdict": "ok"} for line in found["signals"]]
    return found


AGAIN = {"kind": "intake", "outcome": "skip", "code": "SKIP_NO_NEW_DATA", "facts": {"batch_number": 2, "stream": "group 9"}}
