"""Real prices from clients, and what serving may read. The statements are in the SQL file beside this one."""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Complete raw.feedback, make its one way in, and let serving read the ledger."""
    statements = (Path(__file__).parent / "0005_feedback.sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(statements.replace("%", "%%"))
