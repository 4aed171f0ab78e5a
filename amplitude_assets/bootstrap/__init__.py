"""Setting up AWS and Snowflake: what they need, shown or applied, as often as wanted."""
