"""dagster-dbt with dbt in a process of its own alone: who needs dagster-dbt imports it from here.

dagster-dbt imports dbt too, which takes as long as all the rest of the graph, and each command,
server and run of Dagster would wait for it. Where it finds no dbt, it goes by types of its own.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, cast

from packaging.version import Version

_ASKED_FIRST = "dbt.version"


def _import_without_dbt() -> None:
    """Import dagster-dbt as if there was no dbt, whether or not a test has loaded it."""
    modules = cast(dict[str, Any], sys.modules)
    loaded = modules.get(_ASKED_FIRST)
    modules[_ASKED_FIRST] = None
    try:
        import dagster_dbt  # noqa: F401
    finally:
        del modules[_ASKED_FIRST]
        if loaded is not None:
            modules[_ASKED_FIRST] = loaded


_import_without_dbt()

from dagster_dbt import (  # noqa: E402
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliResource,
    DbtProject,
    dbt_assets,
)
from dagster_dbt.core import resource as _resource  # noqa: E402
from dagster_dbt.core.dbt_cli_invocation import DbtCliInvocation  # noqa: E402
from dagster_dbt.core.dbt_event_iterator import DbtEventIterator  # noqa: E402
from dagster_dbt.errors import DagsterDbtCliRuntimeError  # noqa: E402

__all__ = [
    "DagsterDbtCliRuntimeError",
    "DagsterDbtTranslator",
    "DagsterDbtTranslatorSettings",
    "Dbt",
    "DbtCliInvocation",
    "DbtEventIterator",
    "DbtProject",
    "dbt_assets",
]

_VERSION = Version(version("dbt-core"))
# It chooses between dbt's versions with it.
setattr(_resource, "DBT_PYTHON_VERSION", _VERSION)  # noqa: B010


class Dbt(DbtCliResource):
    """dbt beside this Python. It is imported here only for `adapter`."""

    @property
    def _cli_version(self) -> Any:
        # dagster-dbt starts dbt once more to ask it, which takes two seconds.
        return _VERSION

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:  # noqa: ARG002
        # dagster-dbt makes one for each call of dbt, and then mostly has no use for it.
        return None

    def adapter(self) -> Any:
        """Return dbt's own way to the warehouse, to read there what dbt has built."""
        return super()._initialize_dbt_core_adapter(())
