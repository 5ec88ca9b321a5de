"""Champion and challenger: why one was promoted or rejected, and how both err on the same homes."""

from __future__ import annotations

import streamlit as st

from ct_dashboard import charts_comparison as charts
from ct_dashboard import reads, session, tables
from ct_dashboard.data import Decision, Run
from ct_dashboard.diagnostics import (
    Shapes,
    aside,
    decisive,
    gravest_first,
    largest,
    median_error,
    overall_changes,
    slice_changes,
)
from ct_dashboard.text import Text
from ct_dashboard.views.common import chart, nothing, plain, read, remember

RUN_PARAMETER = "run"


def show() -> None:
    """Draw the page."""
    text = session.text()
    st.title(text("comparison.title"), anchor=False)
    st.write(text("comparison.intro"))
    url = session.settings().database_url
    named = st.query_params.get(RUN_PARAMETER)
    history = read(lambda: session.history(url, named), "comparison", text)
    if history is None:
        return
    runs = [run for run in history.runs if run.promotion is not None]
    if not runs:
        nothing(text("comparison.empty"), "comparison")
        return
    run = _choose(runs, named, text)
    promotion = run.promotion
    if promotion is None:
        return
    _show_decision(run.verdict or promotion, text)
    _show_gates(promotion, text)
    _show_changes(promotion, text)
    shapes = read(lambda: reads.shapes(url, str(promotion["decision_id"])), "comparison", text)
    if shapes is not None:
        _show_shapes(shapes, text)


def _choose(runs: list[Run], named: str | None, text: Text) -> Run:
    """The decision that the person chooses, or that the address names, or the newest."""
    keys = [run.key for run in runs]
    if named is not None and named not in keys:
        st.warning(text("history.gone", run_id=named))
    by_key = {run.key: run for run in runs}
    chosen = st.selectbox(
        text("comparison.choose"),
        keys,
        index=keys.index(named) if named in keys else 0,
        key="comparison.run",
        format_func=lambda key: tables.comparison_title(by_key[key], text),
    )
    remember(RUN_PARAMETER, chosen, keys[0])
    return by_key[chosen]


def _show_decision(verdict: Decision, text: Text) -> None:
    """What was carried out: a person's answer tells what it was asked for, too."""
    words = plain(tables.sentence(verdict, text))
    outcome = str(verdict["outcome"])
    box = {"promote": st.success, "reject": st.error}.get(outcome, st.warning)
    icon = {"promote": ":material/check_circle:", "reject": ":material/cancel:"}.get(outcome, ":material/pause_circle:")
    box(words, icon=icon)


def _show_gates(promotion: Decision, text: Text) -> None:
    decisive_gates = decisive(promotion)
    passed, judged = sum(gate["verdict"] == "pass" for gate in decisive_gates), len(decisive_gates)
    st.subheader(text("comparison.gates"), anchor=False)
    st.write(text("comparison.gates_intro", passed=passed, judged=judged))
    st.dataframe(
        tables.evidence_table(gravest_first(promotion), text, aside(promotion)),
        key="comparison.gates",
        width="stretch",
        hide_index=True,
        alt=text("comparison.gates_alt", passed=passed, judged=judged),
    )
    if aside(promotion):
        st.caption(text("comparison.side_gates"))


def _show_changes(promotion: Decision, text: Text) -> None:
    st.subheader(text("comparison.changes"), anchor=False)
    overall, slices = overall_changes(promotion), slice_changes(promotion)
    if not overall:
        st.caption(text("comparison.no_champion"))
        return
    st.write(text("comparison.changes_intro"))
    spoken = "; ".join(f"{charts.change_label(change, text)} {text.percent(change.change)}" for change in overall)
    title = text("comparison.forest_overall")
    chart(charts.forest_chart(overall, text, title), "comparison.overall", f"{title}: {spoken}")
    if slices:
        title = text("comparison.forest_slices")
        shown = largest(slices)
        sides = {side: sum(change.side == side for change in shown) for side in ("better", "worse")}
        alt = text("comparison.slices_alt", count=len(shown), **sides)
        chart(charts.forest_chart(shown, text, title), "comparison.slices", alt)
        with st.expander(text("comparison.all_slices", count=len(slices))):
            st.dataframe(tables.slices_table(slices, text), key="comparison.table", width="stretch", hide_index=True, alt=title)


def _show_shapes(shapes: dict[str, Shapes], text: Text) -> None:
    st.subheader(text("comparison.shapes"), anchor=False)
    if not shapes:
        st.caption(text("comparison.no_shapes"))
        return
    st.write(text("comparison.shapes_intro", rows=text.number(next(iter(shapes.values())).rows)))
    spoken = "; ".join(
        f"{text(f'comparison.{role}', version=found.version)}: {text.percent(median_error(found))}"
        for role, found in shapes.items()
    )
    left, right = st.columns(2, gap="large")
    with left:
        chart(charts.error_chart(shapes, text), "comparison.errors", text("comparison.errors_alt", medians=spoken))
        st.caption(text("comparison.errors_help"))
    with right:
        chart(charts.calibration_chart(shapes, text), "comparison.calibration", text("comparison.calibration_alt"))
        st.caption(text("comparison.calibration_help"))
    for place, role in zip(st.columns(2, gap="large"), ("champion", "challenger"), strict=True):
        if role in shapes:
            title = text(f"comparison.prices_{role}", version=shapes[role].version)
            with place:
                chart(charts.price_chart(shapes[role], role, text, title), f"comparison.prices.{role}", title)
    st.caption(text("comparison.prices_help"))
