"""Rollbacks and restored versions. The statements are in the SQL file beside this one."""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Let decisions, events and the history say what happened after a promotion."""
    statements = (Path(__file__).parent / "0004_rollback.sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(statements.replace("%", "%%"))
