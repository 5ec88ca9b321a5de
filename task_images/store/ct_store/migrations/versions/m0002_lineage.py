"""Who did each step, and the view of lineage. The statements are in the SQL file beside this one."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table of steps and the view."""
    statements = (Path(__file__).parent / "0002_lineage.sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(statements.replace("%", "%%"))
