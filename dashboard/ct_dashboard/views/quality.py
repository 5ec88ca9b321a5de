"""Quality: what validation found in each batch, what was put aside and why, and the whole report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from ct_dashboard import reads, session, tables_quality
from ct_dashboard.quality import failures
from ct_dashboard.text import Text
from ct_dashboard.views.common import DATABASE_ERRORS, nothing, plain, read, remember

BATCH_PARAMETER = "batch"
MOST_DIGITS = 19
"""Of a number that PostgreSQL takes for an id."""


def show() -> None:
    """Draw the page."""
    text = session.text()
    st.title(text("quality.title"), anchor=False)
    st.write(text("quality.intro"))
    url = session.settings().database_url
    named = st.query_params.get(BATCH_PARAMETER)
    batch = int(named) if named is not None and named.isdecimal() and len(named) < MOST_DIGITS else None
    validations = read(lambda: reads.validations(url, batch), "quality", text)
    if validations is None:
        return
    if not validations:
        nothing(text("quality.empty"), "quality")
        return
    st.dataframe(
        tables_quality.validations_table(validations, text),
        key="quality.table",
        width="stretch",
        hide_index=True,
        alt=text("quality.table_alt"),
    )
    chosen = _choose(validations, named, text)
    _show_result(chosen, text)
    _show_quarantine(chosen, url, text)
    _show_report(chosen, url, text)


def _choose(validations: Sequence[Mapping[str, Any]], named: str | None, text: Text) -> Mapping[str, Any]:
    """The batch that the person chooses, or that the address names by its id, or the newest."""
    by_id = {str(line["batch_id"]): line for line in validations}
    keys = list(by_id)
    if named is not None and named not in by_id:
        st.warning(text("quality.gone", batch=named))
    streams = len({line["stream"] for line in validations})

    def label(key: str) -> str:
        line = by_id[key]
        name = text("history.detail_title", number=line["batch_number"])
        return name if streams < 2 else f"{line['stream']} · {name}"

    chosen = st.selectbox(
        text("quality.choose"), keys, index=keys.index(named) if named in keys else 0, key="quality.batch", format_func=label
    )
    remember(BATCH_PARAMETER, chosen, keys[0])
    return by_id[chosen]


def _show_result(line: Mapping[str, Any], text: Text) -> None:
    st.subheader(text("quality.result"), anchor=False)
    failed = failures(line)
    total = len(line["expectations"])
    if not line["accepted"]:
        st.error(text("quality.result_refused", failed=len(failed), total=total), icon=":material/cancel:")
    elif failed:
        st.warning(text("quality.result_warned", failed=len(failed), total=total), icon=":material/warning:")
    else:
        st.success(text("quality.result_held", total=total), icon=":material/check_circle:")
    st.caption(text("quality.suite", name=line["suite_name"], version=line["suite_version"]))
    passed = [found for found in line["expectations"] if found["success"]]
    title = text("quality.expectations")
    table = tables_quality.expectations_table([*failed, *passed], text)
    st.dataframe(table, key="quality.expectations", width="stretch", hide_index=True, alt=title)
    if line["schema_changes"]:
        title = text("quality.changes")
        st.markdown(f"**{title}**")
        changes = tables_quality.changes_table(line["schema_changes"], text)
        st.dataframe(changes, key="quality.changes", width="stretch", hide_index=True, alt=title)
    _show_new_values(line["new_categories"], text)


def _show_new_values(found: Mapping[str, Any], text: Text) -> None:
    words = []
    for name, new in found.items():
        count = new.get("count", len(new["values"]))
        if not count:
            continue
        column = text.or_none(f"field.{name}") or text.or_none(f"estimate.{name}") or name
        values = ", ".join(map(str, new["values"][:5])) + ("…" if count > 5 else "")
        words.append(text("quality.new_value", column=column, count=text.number(count), values=values,
                          share=text.share(new["share"], 1)))  # fmt: skip
    if words:
        st.markdown(f"**{text('quality.new_values')}**")
        st.markdown("\n".join(f"- {word}" for word in words))


def _show_quarantine(line: Mapping[str, Any], url: str, text: Text) -> None:
    st.subheader(text("quality.quarantine"), anchor=False)
    if line["rows_quarantined"] is None:
        st.caption(text("quality.not_cleaned"))
        return
    try:
        found = reads.quarantine(url, line["batch_id"])
    except DATABASE_ERRORS:
        st.caption(text("error.database_down"))
        return
    if not found.counts:
        st.caption(text("quality.no_quarantine"))
        return
    st.write(text("quality.quarantine_intro"))
    lines = [
        text(
            "quality.rule_count",
            rule=text.or_none(f"quality.rule_{rule.lower()}") or rule,
            count=text.number(count),
            share=text.share(count / line["row_count"], 2),
        )
        for rule, count in found.counts.items()
    ]
    st.markdown(plain("\n".join(f"- {rule}" for rule in lines)))
    title = text("quality.samples")
    table = tables_quality.quarantine_table(found.samples, text)
    st.dataframe(table, key="quality.samples", width="stretch", hide_index=True, alt=title)


def _show_report(line: Mapping[str, Any], url: str, text: Text) -> None:
    try:
        report = session.report(url, line["batch_id"])
    except DATABASE_ERRORS:
        report = None
    if report is None:
        return
    st.download_button(
        text("history.report"),
        report,
        file_name=f"batch-{line['batch_number']}-report.html",
        mime="text/html",
        key="quality.report",
        icon=":material/description:",
        on_click="ignore",
    )
