"""Set up AWS and Snowflake: render or apply idempotent steps."""
