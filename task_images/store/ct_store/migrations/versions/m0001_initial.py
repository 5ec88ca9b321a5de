"""RAW, CLEAN and audit. The statements are in the SQL file beside this one."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the three schemas, the roles and their rights."""
    statements = (Path(__file__).parent / "0001_initial.sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(statements.replace("%", "%%"))
