"""What a person answers is a decision of its own. The statements are in the SQL file beside this one."""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Allow the kind ``approval``."""
    statements = (Path(__file__).parent / "0003_approval.sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(statements.replace("%", "%%"))
