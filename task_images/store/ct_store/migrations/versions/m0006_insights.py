"""Scores and explanations of every version. The statements are in the SQL file beside this one."""

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the tables and their rights."""
    statements = (Path(__file__).parent / "0006_insights.sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(statements.replace("%", "%%"))
