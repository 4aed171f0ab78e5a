"""Every Amplitude event, hour by hour, from the Export API to S3, Snowflake and dbt, in Dagster."""
