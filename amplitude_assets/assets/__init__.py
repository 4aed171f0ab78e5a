"""The Dagster assets, thin: one module a step, plus dbt and the report."""
