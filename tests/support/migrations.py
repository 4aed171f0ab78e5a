"""Dagster's migrations, read once a process.

Dagster stamps each new instance, and each run that it keeps in SQLite, with the newest of them, and
reads all ninety scripts to find it: a good part of a short run.
"""

from functools import cache

from alembic.config import Config
from alembic.script import ScriptDirectory

_read = ScriptDirectory.from_config


@cache
def _scripts(location: str) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", location)
    return _read(config)


def read_once() -> None:
    """Have every instance of this process share the scripts that the first has read."""
    ScriptDirectory.from_config = staticmethod(
        lambda config: _scripts(config.get_main_option("script_location"))
    )
