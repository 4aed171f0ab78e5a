"""The overview report: one HTML file with the figures of gold, and a small SVG preview of it.

A plain library: callers pass a function that runs SQL; it depends on neither Dagster nor settings.
"""
