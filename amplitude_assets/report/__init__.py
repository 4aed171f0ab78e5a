"""The overview report: from gold to one HTML file that a person opens, and a small picture of it.

A plain library: it is given a way to run SQL and knows nothing of Dagster or of the settings.
"""
