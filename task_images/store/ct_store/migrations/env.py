"""How Alembic reaches the database: online only, one transaction, one migrator at a time."""

from alembic import context
from sqlalchemy import create_engine, text

# Any fixed number: whoever migrates holds this lock, others wait.
MIGRATION_LOCK = 7_223_114

engine = create_engine(context.config.attributes["url"])
with engine.begin() as connection:
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    context.configure(connection=connection, transactional_ddl=True, version_table="ct_schema_version")
    context.run_migrations()
engine.dispose()
