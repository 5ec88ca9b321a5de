"""Binned errors of champion and challenger, and an index for comparable listings. The SQL is in the file beside this one."""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add audit.diagnostics and the index."""
    statements = (Path(__file__).parent / "0007_diagnostics.sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(statements.replace("%", "%%"))
