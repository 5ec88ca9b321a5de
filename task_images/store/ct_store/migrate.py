"""Bring the database to the newest schema with Alembic: ``python -m ct_store.migrate``.

Needs a role that may create schemas and roles. Safe to run at every start and from several places at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ct_store.connection import URL_VARIABLE

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(url: str) -> None:
    """Apply every migration that is not yet applied, in one transaction. ``url`` is a libpq URL."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url.replace("postgresql://", "postgresql+psycopg://", 1)
    command.upgrade(config, "head")


def main() -> int:
    """Migrate the database that ``--url`` or ``CT_DATABASE_URL`` names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default=os.environ.get(URL_VARIABLE), help=f"default: ${URL_VARIABLE}")
    arguments = parser.parse_args()
    if not arguments.url:
        print(f"no database: set {URL_VARIABLE} or give --url", file=sys.stderr)
        return 2
    migrate(arguments.url)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
