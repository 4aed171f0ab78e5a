"""The queries of the checks, one per file, valid on both DuckDB and Snowflake."""

from importlib import resources


def script(name: str) -> str:
    """Return the text of a query."""
    return (resources.files(__package__) / f"{name}.sql").read_text()
