"""Bronze and the hour ledger: one small interface, with DuckDB and Snowflake behind it."""
