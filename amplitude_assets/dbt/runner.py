"""Import dagster-dbt without loading dbt-core; the package imports its names from here.

Private API: dagster-dbt defines fallback types when it finds no dbt, so `dbt.version` is hidden
from it while it is imported. Gain: importing this module takes 1.9 s of CPU and 124 MB in place of
4.1 s and 154 MB, which every command, server and run of Dagster pays. The public API that replaces
this is a plain `import dagster_dbt`, once it loads dbt-core only when it needs it.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from signal import SIGINT
from subprocess import Popen, TimeoutExpired
from typing import Any, cast

from dagster import DagsterExecutionInterruptedError
from packaging.version import Version

from amplitude_assets.config import public_api_only

_ENDS_WITHIN_SECONDS = 3.0
_IMPORTED_FIRST = "dbt.version"  # dagster-dbt imports it first, to detect dbt-core
_VERSION = Version(version("dbt-core"))


def _import_without_dbt() -> None:
    """Import dagster-dbt as if dbt-core was not installed, even if it is loaded already."""
    modules = cast(dict[str, Any], sys.modules)
    loaded = modules.get(_IMPORTED_FIRST)
    modules[_IMPORTED_FIRST] = None
    try:
        from dagster_dbt.core import resource
    finally:
        del modules[_IMPORTED_FIRST]
        if loaded is not None:
            modules[_IMPORTED_FIRST] = loaded
    # `Dbt.adapter` compares it with the versions that dagster-dbt supports.
    setattr(resource, "DBT_PYTHON_VERSION", _VERSION)  # noqa: B010


if not public_api_only():
    _import_without_dbt()

from dagster_dbt import (  # noqa: E402
    DagsterDbtCliRuntimeError,
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliInvocation,
    DbtCliResource,
    DbtProject,
    dbt_assets,
)

__all__ = [
    "DagsterDbtCliRuntimeError",
    "DagsterDbtTranslator",
    "DagsterDbtTranslatorSettings",
    "Dbt",
    "DbtCliInvocation",
    "DbtCliResource",
    "DbtProject",
    "close_duckdb",
    "dbt_assets",
    "ended_with_the_step",
]


class Dbt(DbtCliResource):
    """The dbt command beside this Python, started without loading dbt-core into this process.

    Private API: it overrides two private methods. The public API that replaces it is its base
    class, which `DAGSTER_PUBLIC_API_ONLY` selects.
    """

    @property
    def _cli_version(self) -> Any:
        # Gain: one start of `dbt --version` (2 s), which the base class needs for each command.
        return _VERSION

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:  # noqa: ARG002
        # Gain: 4.3 s of CPU and 71 MB in each process that runs dbt. The base class creates an
        # adapter for each command; only deriving the column lineage needs one.
        return None

    def adapter(self) -> Any:
        """Return dbt's adapter for reading the warehouse; this loads dbt-core."""
        return super()._initialize_dbt_core_adapter(())


@contextmanager
def ended_with_the_step(invocation: DbtCliInvocation) -> Iterator[None]:
    """Stop dbt within seconds of an interrupt of the step.

    dagster-dbt forwards the interrupt and waits, and dbt waits for DuckDB's running queries, which
    can take minutes. A killed dbt leaves nothing half-written: its transactions are rolled back.
    The DuckDB file is closed at the end, also if dbt's adapter has opened it in this process.
    Raises DagsterExecutionInterruptedError when dbt does not end in time.
    """
    invocation.termination_timeout_seconds = _ENDS_WITHIN_SECONDS
    try:
        yield
    except TimeoutExpired:
        invocation.process.kill()
        raise DagsterExecutionInterruptedError from None
    finally:
        _end(invocation.process)
        close_duckdb()


def close_duckdb() -> None:
    """Close the DuckDB file if dbt's adapter has opened it in this process.

    Private API: `_ENV`. Gain: dbt keeps the file open for a whole build, 20 s in place of 28 s with
    all data tests; without this, the next connection of this process would be refused. A public
    method of dbt-duckdb that closes the file replaces it: `close_all_connections` only forgets it.
    """
    connections = sys.modules.get("dbt.adapters.duckdb.connections")
    if connections is not None and connections.DuckDBConnectionManager._ENV is not None:
        connections.DuckDBConnectionManager._ENV.close()
        connections.DuckDBConnectionManager.close_all_connections()


def _end(process: "Popen[bytes]") -> None:
    """Interrupt a process that is still running, and kill it if it does not end."""
    try:
        process.send_signal(SIGINT)  # no effect on a process that has ended
        process.wait(_ENDS_WITHIN_SECONDS)
    except TimeoutExpired:
        process.kill()
        process.wait()
