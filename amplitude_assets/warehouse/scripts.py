"""Read the loaders' SQL scripts: an engine's own, or the one that both engines share.

Parameters are written `$name`, as in DuckDB.
"""

from importlib import resources
from typing import Literal

Engine = Literal["duckdb", "snowflake"]


def read_script(engine: Engine, name: str) -> str:
    """Return the text of a script: the engine's own if it exists, else the shared one."""
    folder = resources.files(__package__)
    own = folder / engine / "sql" / f"{name}.sql"
    return (own if own.is_file() else folder / "sql" / f"{name}.sql").read_text()
