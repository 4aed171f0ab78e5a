"""The queries of the checks, one a file, written so that DuckDB and Snowflake both read them."""

from importlib import resources


def script(name: str) -> str:
    """Return the text of a query."""
    return (resources.files(__package__) / f"{name}.sql").read_text()
