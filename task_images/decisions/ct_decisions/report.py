"""The report of one run as Markdown, in English and Spanish: a pure function of what the database kept of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ct_decisions.names import DOLLARS, LANGUAGES, METRICS, SHARES, evidence_name, metric_name
from ct_decisions.reasons import render
from ct_decisions.report_texts import TEXTS
from ct_decisions.texts import ENGLISH, SPANISH, Texts

_NUMBERS: Mapping[str, Texts] = {"en": ENGLISH, "es": SPANISH}

_KINDS = ("intake", "retrain", "promotion", "approval")

_ROLES = ("champion", "challenger", "baseline")


def render_report(evidence: Mapping[str, Any], language: str = "en") -> str:
    """The whole report of a run, as `ct_store.run_evidence.read_run` found it.

    The same evidence gives the same bytes. Raises ValueError for a language or a code that has no words.
    """
    if language not in LANGUAGES:
        raise ValueError(f"reports are written in {', '.join(LANGUAGES)}, not in {language!r}")
    return "\n\n".join(_Report(language).parts(evidence)) + "\n"


def question(decision: Mapping[str, Any]) -> dict[str, str]:
    """What a person is asked about a promotion that is held: ``subject`` and ``body`` (Markdown), in both languages."""
    subjects, bodies = [], []
    for language in LANGUAGES:
        texts, number = TEXTS[language], decision["challenger_version"]
        subjects.append(texts["subject"].format(number))
        judged = [gate for gate in decision["gates"] if gate["verdict"] != "n/a"]
        bodies += [render(decision, language), texts["question"].format(number), _Report(language).lines(judged)]
    return {"subject": " · ".join(subjects), "body": "\n\n".join(map(_plain, bodies))}


class _Report:
    """One language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.words = TEXTS[language]
        self.numbers = _NUMBERS[language]

    def parts(self, evidence: Mapping[str, Any]) -> Iterable[str]:
        """The report's paragraphs, tables and headings, in order."""
        words, line = self.words, evidence["line"]
        number = line["batch_number"]
        yield "# " + (words["title_none"] if number is None else words["title"].format(number))
        yield words["intro"].format(run=line["run_id"], dag=line["dag_id"])
        yield from self._decisions(evidence)
        if evidence["batch"] is not None:
            yield from self._batch(evidence["batch"], evidence["clean"])
        if evidence["validation"] is not None:
            yield from self._validation(evidence["validation"])
        if evidence["retrain"] is not None and evidence["retrain"]["signals"]:
            yield f"## {words['signals']}"
            yield self.lines(evidence["retrain"]["signals"])
        if evidence["promotion"] is not None:
            yield f"## {words['gates']}"
            yield self.lines(evidence["promotion"]["gates"])
            yield from self._metrics(evidence["promotion"])
        if evidence["events"]:
            yield f"## {words['events']}"
            yield _table(
                [words["time"], words["version"], words["event"]],
                [
                    [_time(event["happened_at"]), event["model_version"], words.get(f"event.{event['event']}", event["event"])]
                    for event in evidence["events"]
                ],
            )
        yield from self._lineage(evidence)

    def lines(self, found: Sequence[Mapping[str, Any]]) -> str:
        """A table of signals or gates, in their order."""
        words = self.words
        by_column = any(line.get("feature") for line in found)
        by_code = any("code" in line for line in found)
        head = [words["name"], *([words["column"]] if by_column else []), words["value"], words["interval"]]
        head += [words["threshold"], words["verdict"], *([words["code"]] if by_code else [])]
        return _table(head, [self._cells(line, by_column=by_column, by_code=by_code) for line in found])

    def _cells(self, line: Mapping[str, Any], *, by_column: bool, by_code: bool) -> list[str]:
        cells = [f"{evidence_name(line['name'], self.language)} (`{line['name']}`)"]
        if by_column:
            cells.append(line.get("feature") or "–")
        cells += [self._number(line["name"], line["value"]), self._interval(line), self._limit(line)]
        cells.append(self.words.get(f"verdict.{line['verdict']}", line["verdict"]))
        return [*cells, *([f"`{line['code']}`"] if by_code else [])]

    def _number(self, name: str, value: float | None) -> str:
        if value is None:
            return "–"
        number = self.numbers.numbers.get(name, self.numbers.percent)
        return self.numbers.with_sign(number)(value) if self.numbers.signed(name) else number(value)

    def _interval(self, line: Mapping[str, Any]) -> str:
        if line["ci_low"] is None and line["ci_high"] is None:
            return "–"
        return f"{self._number(line['name'], line['ci_low'])} … {self._number(line['name'], line['ci_high'])}"

    def _limit(self, line: Mapping[str, Any]) -> str:
        """A limit as its sentence says it: of a bias without the sign, which is the value's."""
        name, limit = line["name"], line["threshold"]
        if limit is not None and name in ("log_bias", "bias"):
            return self.numbers.limit(name, limit, line["value"])
        return self._number(name, limit)

    def _decisions(self, evidence: Mapping[str, Any]) -> Iterable[str]:
        words = self.words
        yield f"## {words['outcome']}"
        made = [(kind, evidence[kind]) for kind in _KINDS if evidence[kind] is not None]
        if not made:
            yield words["nothing_decided"]
        for kind, decision in made:
            yield f"### {words[kind]}"
            yield _plain(render(decision, self.language))
            named = {"code": decision["code"], "time": _time(decision["decided_at"])}
            policy = f"{decision['policy_name']} {decision['policy_version']}"
            yield words["by_policy" if decision["policy_name"] else "by_none"].format(policy=policy, **named)
            if kind == "approval":
                yield self._answer(decision["facts"])

    def _answer(self, facts: Mapping[str, Any]) -> str:
        words, moment = self.words, _time(datetime.fromisoformat(facts["answered_at"]))
        if not facts["author"]:
            return words["no_answer"].format(time=moment)
        comment = facts["reason"] or words["no_comment"]
        return _plain(words["answer"].format(author=facts["author"], time=moment, comment=comment))

    def _batch(self, batch: Mapping[str, Any], clean: Mapping[str, Any] | None) -> Iterable[str]:
        words, whole = self.words, self.numbers.whole
        rows = [
            [words["stream"], str(batch["stream"])],
            [words["number"], str(batch["batch_number"])],
            [words["rows"], whole(batch["row_count"])],
            [words["bytes"], whole(batch["body_bytes"])],
            [words["stored_at"], _time(batch["stored_at"])],
        ]
        counts = ("rows_accepted", "rows_new", "rows_relisted", "rows_quarantined")
        rows += [[words[name], whole(clean[name])] for name in counts] if clean is not None else []
        yield f"## {words['batch']}"
        yield _table([words["field"], words["value"]], rows)

    def _validation(self, validation: Mapping[str, Any]) -> Iterable[str]:
        words, lines = self.words, validation["expectations"]
        failed = [line for line in lines if not line["success"]]
        yield f"## {words['validation']}"
        yield words["accepted" if validation["accepted"] else "refused"].format(
            suite=validation["suite_name"], version=validation["suite_version"], passed=len(lines) - len(failed),
            total=len(lines),
        )  # fmt: skip
        if failed:
            head = [words["expectation"], words["column"], words["severity"], words["share"]]
            cells = [
                [f"`{line['expectation']}`", line["column"] or "–", line["severity"], self._share(line)] for line in failed
            ]
            yield _table(head, cells)
        if changes := validation["schema_changes"]:
            yield words["schema_changes"].format(", ".join(f"{change['column']} ({change['change']})" for change in changes))
        if new := validation["new_categories"]:
            told = [f"{column}: {', '.join(map(str, found['values'][:5]))}" for column, found in new.items()]
            yield _plain(words["new_categories"].format("; ".join(told)))

    def _share(self, line: Mapping[str, Any]) -> str:
        return "–" if line.get("share") is None else self.numbers.percent(line["share"])

    def _metrics(self, promotion: Mapping[str, Any]) -> Iterable[str]:
        words = self.words
        for dataset in dict.fromkeys(line["dataset"] for line in promotion["evaluations"]):
            found = {line["role"]: line for line in promotion["evaluations"] if line["dataset"] == dataset}
            roles = [role for role in _ROLES if role in found]
            rows = self.numbers.whole(found[roles[0]]["row_count"])
            yield f"## {words['metrics'].format(dataset=words.get(dataset, dataset), rows=rows)}"
            names = [name for name in METRICS if any(name in found[role]["metrics"] for role in roles)]
            yield _table(
                [words["metric"], *(words[role].format(found[role]["model_version"]) for role in roles)],
                [
                    [
                        metric_name(name, self.language),
                        *(self._metric(name, found[role]["metrics"].get(name)) for role in roles),
                    ]
                    for name in names
                ],
            )
        change = next((gate for gate in promotion["gates"] if gate["name"] == "superiority"), None)
        if change is not None and change["value"] is not None:
            yield words["change"].format(value=self._number("superiority", change["value"]), interval=self._interval(change))

    def _metric(self, name: str, value: float | None) -> str:
        if value is None:
            return "–"
        if name in DOLLARS:
            return f"${self.numbers.whole(value)}" if self.language == "en" else f"US$ {self.numbers.whole(value)}"
        if name in SHARES:
            return self.numbers.percent(value)
        if name == "unsound_answers":
            return self.numbers.whole(value)
        return ("−" if value < 0 else "") + self.numbers.number(abs(value), 3)

    def _lineage(self, evidence: Mapping[str, Any]) -> Iterable[str]:
        words, batch, clean = self.words, evidence["batch"], evidence["clean"]
        made = [(kind, evidence[kind]) for kind in _KINDS if evidence[kind] is not None]
        rows = [[words["body_sha256"], batch["body_sha256"]]] if batch is not None else []
        if clean is not None:
            rows += [[words["clean_digest"], clean["digest"]], [words["rules_version"], clean["rules_version"]]]
        rows += [[words["decision_id"].format(words[kind]), str(decision["decision_id"])] for kind, decision in made]
        policies = [f"{d['policy_name']} {d['policy_version']} {d['policy_digest']}" for _, d in made if d["policy_name"]]
        rows += [[words["policy"], policy] for policy in dict.fromkeys(policies)]
        line = evidence["line"]
        rows += [[words[name], line[name]] for name in ("champion_version", "challenger_version") if line[name]]
        for event in evidence["events"]:
            if event["event"] == "registered" and "mlflow_run_id" in event["details"]:
                rows.append([words["mlflow_run"], event["details"]["mlflow_run_id"]])
        digests = {e["dataset"]: e["dataset_digest"] for e in (evidence["promotion"] or {}).get("evaluations", ())}
        rows += [[words["eval_digest"].format(words.get(name, name)), digest] for name, digest in digests.items()]
        if rows:
            yield f"## {words['lineage']}"
            yield _table([words["field"], words["value"]], [[name, f"`{value}`"] for name, value in rows])


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    cells = [[str(cell).replace("|", r"\|").replace("\n", " ") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _plain(text: str) -> str:
    """Words of people and of the data, so that no page reads a tag or a link into them."""
    return text.replace("<", "&lt;")


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
