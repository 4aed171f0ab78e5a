"""Bronze and the ledger in Snowflake."""
