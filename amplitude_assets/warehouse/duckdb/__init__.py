"""Bronze and the ledger in a DuckDB file."""
