"""A rollback in the history: the version that came back reigns again, and the watch's run is no line."""

import pytest
from ct_dashboard.data import read_history

pytestmark = pytest.mark.integration


def test_a_rollback_is_a_reign_and_no_run(pipeline, dashboard_url):
    pipeline.all()
    before = read_history(dashboard_url, "house-prices")
    pipeline.decide(
        "watch", None, "rollback", "rollback", "ROLLBACK_ERRORS", champion_version="2", challenger_version="1",
        facts={"failed": []},
    )  # fmt: skip
    pipeline.event("watch", "2", "withdrawn")
    pipeline.event("watch", "1", "rolled_back")
    pipeline.event("later", "3", "other_alias_moved_by_hand")
    after = read_history(dashboard_url, "house-prices")
    assert [run.key for run in after.runs] == [run.key for run in before.runs]
    assert [reign.version for reign in before.reigns] == ["1", "2"]
    assert [reign.version for reign in after.reigns] == ["1", "2", "1"]
    assert (after.champion, after.reigns[-1].until) == ("1", None)
