"""The dbt project from Python: runner, manifest, column lineage, reference."""
