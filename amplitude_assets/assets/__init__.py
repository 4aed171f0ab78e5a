"""The Dagster assets: one module per step, plus the dbt models and the report."""
