"""RAW, CLEAN and audit in PostgreSQL: migrations, connections, the append-only ledger and the history."""
