"""Dagster's home on this machine: storage, pools, running processes, retention of history."""
