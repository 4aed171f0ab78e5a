"""Run the graph: in this process, or on a running Dagster."""
