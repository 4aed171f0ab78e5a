"""Forgetting a person: who it is, taking them out of lake and bronze, and proving that they are.

It knows nothing of Dagster and of the settings; what runs the models in between is above it.
"""
