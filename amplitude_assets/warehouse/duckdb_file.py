"""The file of the embedded warehouse: opened by one process at a time, and kept small.

DuckDB lets one process write at a time and none read meanwhile. So connections are short, and
everything of ours that opens the file holds a lock beside it first: writers wait for each other
in turn instead of failing.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from amplitude_assets.warehouse.base import WarehouseError

if TYPE_CHECKING:
    import duckdb

LOCK_SECONDS = 900.0
_NOWHERE = Path(":memory:")  # DuckDB's name for a database without a file
_OTHERS_SECONDS = 120.0  # for programs that do not know our lock


class DuckDBFile:
    """A DuckDB file, safe to use from several processes at once."""

    def __init__(self, path: Path, lock_seconds: float = LOCK_SECONDS) -> None:
        """Use the file at `path`, made when first written; wait so long for other writers."""
        self.path = path
        self._lock_seconds = lock_seconds

    @contextmanager
    def connection(self, *, make: bool = True) -> Iterator["duckdb.DuckDBPyConnection"]:
        """Hold the file, and open it; without `make`, nothing in place of one that is not there.

        Raises WarehouseError when others hold it for longer than the bound, or it cannot be used.
        """
        import duckdb

        with self._locked():
            is_there = make or self.path.exists()
            con = _open(self.path if is_there else _NOWHERE, self._lock_seconds)
            try:
                # A fifth of the size, and faster to write than DuckDB's own choice for JSON text.
                con.execute("set force_compression = 'zstd'")
                con.execute("set preserve_insertion_order = false")
                con.execute("set timezone = 'UTC'")
                # As fast as without, and past it DuckDB writes to a file instead.
                con.execute("set memory_limit = '2GB'")
                yield con
            except (
                duckdb.IOException,
                duckdb.TransactionException,
                duckdb.FatalException,
            ) as error:
                raise WarehouseError(
                    f"cannot write DUCKDB_PATH {self.path}: {str(error).splitlines()[0]}; what was "
                    "committed is safe. Make room, and run again"
                ) from error
            finally:
                con.close()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the file for something else that opens it, such as dbt.

        Raises WarehouseError when others hold it for longer than the bound.
        """
        with self._locked():
            if self.path.exists():
                # A dbt that outlived the run that started it has the file open, and no lock.
                _open(self.path, self._lock_seconds).close()
            yield

    def compact(self) -> None:
        """Write what is in the log to the file, and remove what is left of killed processes."""
        if self.path.exists():
            with self.connection() as con:
                # What is spilled outlives a process that is killed, and nothing else removes it.
                shutil.rmtree(f"{self.path}.tmp", ignore_errors=True)
                con.execute("checkpoint")

    def rewrite(self) -> None:
        """Write the file anew: DuckDB keeps the bytes of deleted rows until they are reused.

        The copy takes the file's place when it is whole, so a kill leaves one or the other.
        Raises WarehouseError.
        """
        import duckdb

        if not self.path.exists():
            return
        self.compact()
        path = self.path.resolve()  # what a link leads to, and not the link
        copy = path.with_name(f"{path.name}.copy")
        with self._locked():
            for left in (copy, copy.with_name(f"{copy.name}.wal")):
                left.unlink(missing_ok=True)
            con = _open(path, self._lock_seconds)
            try:
                _copy_database(con, copy)
            except duckdb.Error as error:
                raise WarehouseError(
                    f"cannot write {copy}, a copy of DUCKDB_PATH {self.path}: "
                    f"{str(error).splitlines()[0]}; make room, and run again"
                ) from None
            finally:
                con.close()
            shutil.copymode(path, copy)
            copy.replace(path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = FileLock(f"{self.path}.lock", timeout=self._lock_seconds)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise WarehouseError(
                f"waited {self._lock_seconds:.0f} s for another run that is writing {self.path}; "
                "run again when it is done"
            ) from None
        except OSError as error:
            raise WarehouseError(
                f"cannot write {error.filename or self.path}: {error.strerror}; "
                "look at DUCKDB_PATH and DATA_DIR"
            ) from None
        try:
            yield
        finally:
            lock.release()


def _open(path: Path, patience: float) -> "duckdb.DuckDBPyConnection":
    """Open the file, waiting while a process that does not know our lock has it open."""
    import duckdb

    give_up = time.monotonic() + min(patience, _OTHERS_SECONDS)
    while True:
        try:
            return duckdb.connect(str(path))
        except duckdb.IOException as error:
            reason = str(error).splitlines()[0]
            if "lock" not in reason or time.monotonic() > give_up:
                raise WarehouseError(
                    f"cannot open DUCKDB_PATH {path}: {reason}. Close other programs that use it"
                ) from None
            time.sleep(0.2)


def _copy_database(con: "duckdb.DuckDBPyConnection", copy: Path) -> None:
    ((name,),) = con.execute("select current_database()").fetchall()
    con.execute("set force_compression = 'zstd'")
    con.execute(f"attach '{_escaped(copy, chr(39))}' as amplitude_assets_copy")
    con.execute(f'copy from database "{_escaped(name, chr(34))}" to amplitude_assets_copy')
    con.execute("detach amplitude_assets_copy")


def _escaped(text: object, quote: str) -> str:
    return str(text).replace(quote, quote * 2)
