"""The sentences about a decision, in English and Spanish, rendered from its code and numbers.

The same function writes the task log, the ledger's readers, MLflow, the dashboard and the command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from ct_decisions.texts import ENGLISH, SPANISH, Texts

Language = Literal["en", "es"]

_TEXTS: dict[str, Texts] = {"en": ENGLISH, "es": SPANISH}


def render(decision: Mapping[str, Any], language: str = "en") -> str:
    """One or more sentences about a decision as `ct_store.ledger` returns it, with its signals and gates.

    Raises ValueError for a language or a code that does not exist.
    """
    if language not in get_args(Language):
        raise ValueError(f"reasons are written in {', '.join(get_args(Language))}, not in {language!r}")
    return _Reason(decision, _TEXTS[language]).text()


def codes() -> list[str]:
    """Every code that has a sentence."""
    return sorted(ENGLISH.codes)


class _Reason:
    def __init__(self, decision: Mapping[str, Any], texts: Texts) -> None:
        self.decision = decision
        self.texts = texts
        self.facts: Mapping[str, Any] = decision.get("facts") or {}
        self.signals = {line["name"]: line for line in decision.get("signals") or ()}
        self.gates = {line["name"]: line for line in decision.get("gates") or ()}

    def text(self) -> str:
        code = self.decision["code"]
        if code not in self.texts.codes:
            raise ValueError(f"there is no sentence for the code {code!r}")
        headline: str = self.texts.codes[code].format_map(self._words())
        headline = headline[0].upper() + headline[1:]
        return " ".join(filter(None, (headline, *self._also(), self._counterfactual())))

    def _words(self) -> dict[str, str]:
        """The placeholders of the headline."""
        texts, decision, facts = self.texts, self.decision, self.facts
        batch = facts.get("batch_number")
        words = {
            "batch": texts.batch.format(batch) if batch is not None else texts.this_batch,
            "champion": texts.version.format(decision.get("champion_version")),
            "challenger": texts.version.format(decision.get("challenger_version")),
            "new_rows": texts.whole(facts.get("new_rows")),
            "required_rows": texts.whole(facts.get("required_rows")),
            "champion_rows": texts.whole(facts.get("champion_rows")),
            "author": str(facts.get("author") or texts.somebody),
            "reason": str(facts.get("reason") or texts.no_reason),
            "stream": str(facts.get("stream") or ""),
            "failures": self._failures(),
        }
        headline = self._headline_lines()
        words["evidence"] = texts.listing([self._measured(line) for line in headline])
        return words

    def _headline_lines(self) -> list[Mapping[str, Any]]:
        if self.decision["kind"] == "retrain":
            names = self.texts.headline_signals.get(self.decision["code"], ())
            return [self.signals[name] for name in names if self._fired(name)]
        failed = [name for name in self.facts.get("failed", ()) if name in self.gates]
        if self.decision["code"] == "PROMOTE_COVERAGE":
            return [self.gates[name] for name in ("new_batch", "rest") if name in self.gates]
        if failed:
            return [self.gates[failed[0]]]
        return [self.gates[name] for name in ("superiority", "baseline") if self._judged(name)][:1]

    def _fired(self, name: str) -> bool:
        return name in self.signals and self.signals[name]["verdict"] == "fire"

    def _judged(self, name: str) -> bool:
        return name in self.gates and self.gates[name]["verdict"] != "n/a"

    def _measured(self, line: Mapping[str, Any]) -> str:
        """One piece of evidence in words: value, interval, limit."""
        texts, name = self.texts, line["name"]
        number, limit = texts.numbers.get(name, texts.percent), texts.limit_numbers.get(name, texts.percent)
        value = line.get("value")
        sentence = texts.evidence[name + ("+" if texts.signed(name) and (value or 0) > 0 else "")]
        detail = []
        if line.get("ci_low") is not None and line.get("ci_high") is not None:
            signed = texts.with_sign(number) if texts.signed(name) else number
            detail.append(texts.interval.format(signed(line["ci_low"]), signed(line["ci_high"])))
        if line.get("threshold") is not None and name in texts.limits:
            detail.append(texts.limits[name].format(limit(line["threshold"])))
        values = self._named_values(line)
        text: str = sentence.format(number(value)) + (f" ({'; '.join(detail)})" if detail else "")
        return text + (f": {values}" if values else "")

    @staticmethod
    def _named_values(line: Mapping[str, Any]) -> str:
        values = (line.get("note") or {}).get("values") or []
        return ", ".join(map(str, values[:3])) + ("…" if len(values) > 3 else "")

    def _failures(self) -> str:
        """What made a batch invalid: expectation, share of the rows, examples."""
        parts = []
        for failure in self.facts.get("failed") or ():
            if not isinstance(failure, Mapping):
                continue
            text = f"{failure.get('column') or ''} {failure.get('expectation')}".strip()
            if failure.get("share") is not None:
                text += f" ({self.texts.percent(failure['share'])})"
            if failure.get("examples"):
                text += f": {', '.join(map(str, list(failure['examples'])[:3]))}"
            parts.append(text)
        return "; ".join(parts) or self.texts.no_reason

    def _also(self) -> list[str]:
        """What else spoke for the decision, after the headline."""
        used = {line["name"] for line in self._headline_lines()}
        if self.decision["kind"] == "retrain":
            names = [n for n in self.facts.get("fired", ()) if isinstance(n, str) and n not in used and self._fired(n)]
            lines = [self.signals[name] for name in names]
        else:
            names = [n for n in self.facts.get("failed", ()) if isinstance(n, str) and n not in used and n in self.gates]
            lines = [self.gates[name] for name in names] if self.decision["outcome"] == "reject" else []
            if self.decision["code"] == "PROMOTE_BETTER" and self._judged("rmse"):
                lines = [self.gates["rmse"]]
        return [self.texts.also.format(self.texts.listing([self._measured(line) for line in lines]))] if lines else []

    def _counterfactual(self) -> str:
        """What would have had to be different."""
        if self.decision["kind"] != "retrain":
            return ""
        texts, facts = self.texts, self.facts
        if self.decision["code"] == "SKIP_NO_MATERIAL_CHANGE" and facts.get("closest"):
            closest = facts["closest"]
            line = self.signals.get(closest["signal"])
            if line is None:
                return ""
            return str(texts.closest.format(self._measured(line), texts.percent(closest["reached"])))
        if self.decision["code"].startswith("TRAIN_") and self.decision["code"] not in ("TRAIN_BOOTSTRAP", "TRAIN_MANUAL"):
            limits = [
                texts.counterfactuals[name].format(
                    texts.limit_numbers.get(name, texts.percent)(self.signals[name]["threshold"])
                )
                for name in facts.get("fired", ())
                if name in self.signals and name in texts.counterfactuals
            ]
            return str(texts.would_not.format(texts.listing(limits))) if limits else ""
        return ""
