"""Delete a person: find their ids, remove their lines from lake and bronze, verify the result.

It depends neither on Dagster nor on the settings. The caller builds the models after the removal
and before the verification.
"""
