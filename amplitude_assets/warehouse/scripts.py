"""The SQL of the loaders, in files: an engine's own, and those that both engines run as they are.

A parameter is written `$name`, as DuckDB takes it.
"""

from importlib import resources
from typing import Literal

Engine = Literal["duckdb", "snowflake"]


def read_script(engine: Engine, name: str) -> str:
    """Return a script by its name: the engine's own if there is one, else the shared one."""
    folder = resources.files(__package__) / "sql"
    own = folder / engine / f"{name}.sql"
    return (own if own.is_file() else folder / "shared" / f"{name}.sql").read_text()
