"""Cache Dagster's migration scripts for the process.

Dagster stamps each new instance, and each SQLite file of a run, with the newest migration, and
reads all ninety scripts to find it, which takes much of the time of a short run.
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


def cache_migration_scripts() -> None:
    """Read the scripts once and share them between all instances of this process."""
    ScriptDirectory.from_config = staticmethod(
        lambda config: _scripts(config.get_main_option("script_location"))
    )
