"""The sentences about a decision, in English and Spanish, rendered from its code and numbers.

The same function writes the task log, the ledger's readers, MLflow, the dashboard and the command line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from ct_decisions.counted import counted
from ct_decisions.evidence import key_of
from ct_decisions.invalid import failures
from ct_decisions.rules import DRIFT_OF_COLUMNS, PERSISTENT_WATCH
from ct_decisions.texts import ENGLISH, NEED_SUBJECT, SPANISH, Texts

Language = Literal["en", "es"]

MOST_COLUMNS = 3
"""Of the columns that drifted, how many a sentence names: those that the champion relies on most. All are in the evidence."""

_TEXTS: dict[str, Texts] = {"en": ENGLISH, "es": SPANISH}


def render(decision: Mapping[str, Any], language: str = "en") -> str:
    """One or more sentences about a decision as `ct_store.ledger` returns it, with its signals and gates.

    Raises ValueError for a language or a code that does not exist.
    """
    if language not in get_args(Language):
        raise ValueError(f"reasons are written in {', '.join(get_args(Language))}, not in {language!r}")
    return _Reason(decision, _TEXTS[language]).text()


def grounds(decision: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the headline of a decision rests on: ``name``, ``value`` and ``threshold`` of each piece, the first one decides.

    The counts of a skip, else lines of evidence. Empty for what needs no reason beyond its code: a first training, or one
    that somebody asked for.
    """
    lines = counted(decision) or [dict(line) for line in _Reason(decision, ENGLISH).headline_lines()]
    return [{key: line.get(key) for key in ("name", "feature", "value", "threshold")} for line in lines]


def codes() -> list[str]:
    """Every code that has a sentence."""
    return sorted(code for code in ENGLISH.codes if ":" not in code)


class _Reason:
    def __init__(self, decision: Mapping[str, Any], texts: Texts) -> None:
        self.decision = decision
        self.texts = texts
        self.facts: Mapping[str, Any] = decision.get("facts") or {}
        self.signals = {key_of(line): line for line in decision.get("signals") or ()}
        self.gates = {line["name"]: line for line in decision.get("gates") or ()}

    def text(self) -> str:
        code = self.decision["code"]
        if code not in self.texts.codes:
            raise ValueError(f"there is no sentence for the code {code!r}")
        headline: str = self.texts.codes[self._variant(code)].format_map(self._words())
        headline = headline[0].upper() + headline[1:]
        return " ".join(filter(None, (headline, *self._also(), self._unjudged(), self._counterfactual())))

    def _variant(self, code: str) -> str:
        """The code, or the key of a sentence that fits better."""
        if code == "SKIP_NO_NEW_DATA" and self.decision["kind"] == "intake":
            return f"{code}:intake"
        if code == "WATCH_NO_TARGET" and self.facts.get("refused"):
            return f"{code}:{self.facts['refused']}"
        if code == "ALIAS_MOVED_BY_HAND" and self.facts["alias"] != "production":
            return f"{code}:other"
        gate = self.gates.get("superiority")
        if code != "REJECT_NOT_BETTER" or gate is None or gate.get("value") is None:
            return code
        if gate["value"] >= 0:
            return f"{code}:none"
        return f"{code}:unproven" if gate["value"] <= gate["threshold"] else code

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
            "number": texts.whole(batch),
            "failures": failures(texts, facts),
            "watches": texts.whole(facts.get("watches")),
            "stored": texts.whole(facts.get("batches_stored")),
            "waited": texts.duration(facts.get("waited")),
            "alias": str(facts.get("alias")),
        }
        for line in counted(decision)[:1]:
            words |= {"sent": texts.whole(line["value"]), "needed": texts.whole(line["threshold"])}
        for word, number in (("old", decision.get("champion_version")), ("new", decision.get("challenger_version"))):
            words[word] = texts.no_version if number is None else texts.version.format(number)
        subjects = {PERSISTENT_WATCH: texts.the_champion, "WATCH_SOUND": texts.it, "WATCH_NO_TARGET": texts.it}
        subject = subjects.get(decision["code"])
        words["evidence"] = texts.listing(
            [self._clause(line, subject) if subject else self._measured(line) for line in self.headline_lines()]
        )
        return words

    def headline_lines(self) -> list[Mapping[str, Any]]:
        """The evidence in the headline, in the order in which it is said."""
        if self.decision["kind"] == "retrain":
            names = self.texts.headline_signals.get(self.decision["code"], ())
            if self.decision["code"] == PERSISTENT_WATCH:
                return [self.signals[key] for key in self._told("persistent")]
            keys = self._told("fired")
            return [self.signals[key] for key in keys if self.signals[key]["name"] in names and self._by_limit(key)]
        failed = [name for name in self.facts.get(self._part(), ()) if name in self.gates]
        if self.decision["code"] == "WATCH_SOUND":
            return [gate for gate in self.gates.values() if gate["verdict"] == "pass"]
        if self.decision["code"] == "PROMOTE_COVERAGE":
            return [self.gates[name] for name in ("new_batch", "rest") if name in self.gates]
        if failed:
            return [self.gates[failed[0]]]
        return [self.gates[name] for name in ("superiority", "baseline") if self._judged(name)][:1]

    def _part(self) -> str:
        """The fact that names the gates in the headline."""
        asked = self.decision["outcome"] == "hold" or self.decision["kind"] == "approval"
        return "held" if asked else "failed"

    def _told(self, fact: str) -> list[str]:
        """The keys of signals that spoke for the training and are said: of a column its last one, of columns the first few."""
        keys = [key for key in self.facts.get(fact, ()) if isinstance(key, str) and self._fired(key)]
        of_column = {self.signals[key]["feature"]: key for key in keys if self.signals[key]["name"] in DRIFT_OF_COLUMNS}
        said = list(of_column.values())[:MOST_COLUMNS]
        return [key for key in keys if self.signals[key]["name"] not in DRIFT_OF_COLUMNS or key in said]

    def _fired(self, key: str) -> bool:
        """Whether a signal spoke for the training: beyond its limit, or watched for long enough."""
        return key in self.signals and (self._by_limit(key) or key in self.facts.get("persistent", ()))

    def _by_limit(self, key: str) -> bool:
        return bool(self.signals[key]["verdict"] == "fire")

    def _judged(self, name: str) -> bool:
        return name in self.gates and self.gates[name]["verdict"] != "n/a"

    def _measured(self, line: Mapping[str, Any]) -> str:
        """One piece of evidence in words: value, interval, limit."""
        texts, name = self.texts, line["name"]
        number, value, note = texts.numbers.get(name, texts.percent), line.get("value"), line.get("note") or {}
        sentence = texts.evidence[self._variant_of(line)]
        detail = []
        if line.get("ci_low") is not None and line.get("ci_high") is not None and line["ci_low"] != line["ci_high"]:
            signed = texts.with_sign(number) if texts.signed(name) else number
            detail.append(texts.interval.format(signed(line["ci_low"]), signed(line["ci_high"])))
        elif line.get("ci_low") is not None and line.get("ci_high") is None:
            detail.append(texts.lower_bound.format(texts.with_sign(number)(line["ci_low"])))
        if note.get("highest") is not None:
            detail.append(texts.between.format(number(line["threshold"]), number(note["highest"])))
        elif line.get("threshold") is not None and name in texts.limits:
            detail.append(texts.limits[name].format(texts.limit(name, line["threshold"], value)))
        if line.get("verdict") == "watch" and note.get("watch") is not None:
            detail.append(texts.watch_limit.format(texts.limit(name, note["watch"], value)))
        if line.get("verdict") in ("fail", "n/a") and self._rests_on_few_areas(line):
            detail.append(texts.few_areas.format(note["areas"], note["required_areas"]))
        values = self._named_values(line)
        words = {"feature": line.get("feature"), "columns": texts.listing(list(note.get("columns") or ())[:3])}
        words |= self._note_words(line)
        shown = number(value)
        if name not in texts.numbers and value is not None and line.get("threshold") is not None:
            shown = texts.percent_beside(value, line["threshold"])
        text: str = sentence.format(shown, **words) + (f" ({'; '.join(detail)})" if detail else "")
        return text + (f": {values}" if values else "")

    def _variant_of(self, line: Mapping[str, Any]) -> str:
        """The key of the words for a piece of evidence: by its direction, its kind of change, what it is known by."""
        name, note = str(line["name"]), line.get("note") or {}
        if note.get("absent"):
            return f"{name}:absent"
        if note.get("change"):
            return f"{name}:{note['change']}"
        if note.get("columns"):
            return f"{name}:by"
        if note.get("before") is not None:
            return f"{name}:before"
        if line.get("value") == 1 and f"{name}:one" in self.texts.evidence:
            return f"{name}:one"
        return name + ("+" if self.texts.signed(name) and (line.get("value") or 0) > 0 else "")

    def _clause(self, line: Mapping[str, Any], subject: str) -> str:
        """The same as a clause that can stand alone."""
        measured = self._measured(line)
        return subject.format(measured) if line["name"] in NEED_SUBJECT else measured

    def _note_words(self, line: Mapping[str, Any]) -> dict[str, str]:
        """The other numbers of a piece of evidence, as they stand in its words."""
        texts, note = self.texts, line.get("note") or {}
        counts = ("requests", "fifth", "rows", "areas", "required", "required_areas")
        words = {name: texts.whole(note.get(name)) for name in counts}
        words["before"] = texts.numbers.get(str(line["name"]), texts.percent)(note.get("before"))
        words |= {name: texts.signed_number(note.get(name)) for name in ("challenger", "champion")}
        words["move"] = texts.percent(note.get("move"))
        if "dimension" in note:
            key, value = str(note["dimension"]), str(note["value"])
            template = texts.slices.get(f"{key}:{value}") or texts.slices[key]
            words["slice"] = template.format(value)
        return words

    def _named_values(self, line: Mapping[str, Any]) -> str:
        note = line.get("note") or {}
        if note.get("error"):
            return str(note["error"])
        values = note.get("values") or [self.texts.lineage[name] for name in note.get("missing", ())]
        if note.get("missing"):
            return ", ".join(values)
        return ", ".join(map(str, values[:3])) + ("…" if len(values) > 3 else "")

    def _also(self) -> list[str]:
        """What else spoke for the decision, after the headline."""
        used = {key_of(line) for line in self.headline_lines()}
        if self.decision["kind"] == "retrain":
            lines = [self.signals[key] for key in self._told("fired") if key not in used]
        else:
            part = self._part()
            said = () if (self.decision["outcome"], part) == ("promote", "failed") else self.facts.get(part, ())
            names = [n for n in said if isinstance(n, str) and n not in used and n in self.gates]
            lines = [self.gates[name] for name in names]
            if self.decision["kind"] == "approval":
                lines += [self.gates[name] for name in ("superiority", "baseline") if self._judged(name)][:1]
            if self.decision["code"] == "PROMOTE_BETTER" and self._judged("rmse"):
                lines = [self.gates["rmse"]]
        if not lines:
            return self._area_failed()
        clauses = self.texts.listing(
            [self._clause(line, subject) for line, subject in zip(lines, self._subjects(lines), strict=True)]
        )
        template = self.texts.would_have if self.decision["outcome"] == "skip" else self.texts.also
        return [template.format(clauses), *self._area_failed()]

    @staticmethod
    def _rests_on_few_areas(line: Mapping[str, Any]) -> bool:
        note = line.get("note") or {}
        return (note.get("areas") or 0) < (note.get("required_areas") or 0)

    def _subjects(self, lines: Sequence[Mapping[str, Any]]) -> list[str]:
        """Of whom each clause speaks: who the sentence before spoke of, or else is named once."""
        texts, code = self.texts, self.decision["code"]
        spoken_of = self.decision["kind"] != "retrain" or code in ("TRAIN_PERFORMANCE_DEGRADED", "TRAIN_BIASED")
        first = None if spoken_of else next((place for place, line in enumerate(lines) if line["name"] in NEED_SUBJECT), None)
        return [texts.the_champion if place == first else texts.it for place in range(len(lines))]

    def _unjudged(self) -> str:
        """What could not be judged, and what it takes: triggers of a rollback, and signals of homes in too few zip codes."""
        texts = self.texts
        if self.decision["code"] == "SKIP_NO_MATERIAL_CHANGE":
            lines = [line for line in self.signals.values() if line["verdict"] == "n/a" and self._rests_on_few_areas(line)]
            if not lines:
                return ""
            names = texts.listing([texts.unjudged_signals[line["name"]] for line in lines])
            fewest = min((line["note"] for line in lines), key=lambda note: int(note["areas"]))
            places = texts.few_areas.format(fewest["areas"], fewest["required_areas"])
            return str(texts.unjudged.format(f"{names} ({places})"))
        if self.decision["kind"] != "rollback" or "unjudged" not in self.facts:
            return ""
        lines = [self.gates[name] for name in self.facts["unjudged"]]
        parts = [texts.too_little[line["name"]].format_map(self._note_words(line)) for line in lines]
        if not parts and self.decision["code"] == "WATCH_NO_EVIDENCE":
            parts = [texts.nothing_asked]
        return str(texts.unjudged.format(texts.listing(parts))) if parts else ""

    def _area_failed(self) -> list[str]:
        """Why a gain on the new batch alone did not suffice, where it could have."""
        parts = []
        for name in self.facts.get("area_failed") or ():
            gate = self.gates.get(name, {})
            note = gate.get("note") or {}
            if (note.get("rows") or 0) < (note.get("required_rows") or 0):
                parts.append(self.texts.too_few_rows.format(self.texts.whole(note.get("rows")), note["required_rows"]))
            elif gate.get("value") is not None:
                parts.append(self.texts.it.format(self._measured(gate)))
        return [self.texts.area_failed.format(self.texts.listing(parts))] if parts else []

    def _counterfactual(self) -> str:
        """What would have had to be different."""
        if self.decision["kind"] != "retrain":
            return ""
        texts, facts = self.texts, self.facts
        if self.decision["code"] == "SKIP_NO_MATERIAL_CHANGE" and facts.get("closest"):
            return self._closest(facts["closest"])
        if self.decision["code"].startswith("TRAIN_") and self.decision["code"] not in ("TRAIN_BOOTSTRAP", "TRAIN_MANUAL"):
            limits = [self._prevented_by(key) for key in facts.get("fired", ()) if key in self.signals]
            limits = [limit for limit in limits if limit]
            return str(texts.would_not.format(texts.listing(limits))) if limits else ""
        return ""

    def _closest(self, closest: Mapping[str, Any]) -> str:
        texts, line = self.texts, self.signals.get(closest["signal"])
        if line is None:
            return ""
        clause = self._clause(line, texts.the_champion)
        if closest.get("batches") is not None:
            return str(texts.watching.format(clause, closest["batches"], self.facts.get("watches")))
        return str(texts.closest.format(clause, texts.percent(closest["reached"])))

    def _prevented_by(self, key: str) -> str:
        """The limit that the signal would have had to stay below; of drift the classifier's is enough."""
        line = self.signals[key]
        name, note = line["name"], line.get("note") or {}
        limit = note.get("watch") if key in self.facts.get("persistent", ()) else None
        if name not in self.texts.counterfactuals or (limit is None and name in DRIFT_OF_COLUMNS):
            return ""
        told = self.texts.limit(name, line["threshold"] if limit is None else limit, line["value"])
        return str(self.texts.counterfactuals[name].format(told, feature=line.get("feature")))
