"""Open clients from settings: Amplitude, lake, warehouse. No Dagster import."""
