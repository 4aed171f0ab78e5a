"""The charts of the report: each module turns some of the figures into charts with titles."""
