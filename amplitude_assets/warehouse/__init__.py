"""Bronze and the hour ledger, behind one interface for DuckDB and Snowflake."""
