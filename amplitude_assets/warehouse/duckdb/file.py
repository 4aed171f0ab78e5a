"""Open the DuckDB file under a lock, and compact, check and rewrite it.

While one process writes a DuckDB file, no other can open it. So connections are short, and all of
our code first locks a file beside the database: writers wait instead of failing.
"""

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from amplitude_assets.warehouse.base import RebuildNeededError, WarehouseError

if TYPE_CHECKING:
    import duckdb

LOCK_SECONDS = 900.0
_NOWHERE = Path(":memory:")  # DuckDB's name for a database without a file
_OTHERS_SECONDS = 120.0  # for programs that do not use our lock
# DuckDB's messages about a damaged database file or write-ahead log.
_DAMAGE = re.compile(
    "not a valid DuckDB database file|Could not read enough bytes|Corrupt|replaying WAL|"
    "Failed to deserialize|Serialization Error"
)


class DuckDBFile:
    """A DuckDB file that several processes can use concurrently."""

    def __init__(self, path: Path, lock_seconds: float = LOCK_SECONDS) -> None:
        """Use the file at `path`, created on first write; wait `lock_seconds` for other writers."""
        self.path = path
        self._lock_seconds = lock_seconds

    @contextmanager
    def connection(self, *, make: bool = True) -> Iterator["duckdb.DuckDBPyConnection"]:
        """Lock and open the file. Without `make`, a missing file opens as an empty database.

        Raises WarehouseError when the lock times out or the file cannot be used, and
        RebuildNeededError when it is damaged.
        """
        import duckdb

        with self._locked():
            is_there = make or self.path.exists()
            with self._detecting_damage():
                con = _open(self.path if is_there else _NOWHERE, self._lock_seconds)
            try:
                # For JSON text, zstd takes a fifth of the space of DuckDB's default, and less time.
                con.execute("set force_compression = 'zstd'")
                con.execute("set preserve_insertion_order = false")
                con.execute("set timezone = 'UTC'")
                # Loads are no slower with this limit; beyond it DuckDB spills to disk.
                con.execute("set memory_limit = '2GB'")
                with self._detecting_damage():
                    yield con
            except (
                duckdb.IOException,
                duckdb.TransactionException,
                duckdb.FatalException,
            ) as error:
                raise WarehouseError(
                    f"cannot write DUCKDB_PATH {self.path}: {str(error).splitlines()[0]}; "
                    "committed data is safe. Free disk space, and run again"
                ) from error
            finally:
                con.close()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the lock while other code, such as dbt, opens the file.

        Raises WarehouseError when the lock times out.
        """
        with self._locked(), self._detecting_damage():
            if self.path.exists():
                # A dbt process that survived its run has the file open without holding the lock.
                _open(self.path, self._lock_seconds).close()
            yield

    def set_aside(self) -> Path | None:
        """Rename a damaged file and its log, and return the new name; None without a file.

        The next connection creates a new file. Raises WarehouseError.
        """
        with self._locked():
            path = self.path.resolve()  # the target of a symbolic link
            log = path.with_name(f"{path.name}.wal")
            aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
            if not path.exists() and not log.exists():
                return None
            for old, new in ((path, aside), (log, aside.with_name(f"{aside.name}.wal"))):
                if old.exists():
                    old.rename(new)
            return aside

    def check(self) -> None:
        """Read all rows of every table. Raises RebuildNeededError when the file is damaged."""
        if not self.path.exists():
            return
        with self.connection() as con:
            tables = con.execute(
                "select schema_name, table_name from duckdb_tables() where not temporary"
            ).fetchall()
            for names in tables:
                name = ".".join(f'"{_escaped(part, chr(34))}"' for part in names)
                con.execute(f"select bit_xor(hash(t)) from {name} as t").fetchall()  # noqa: S608

    def rebuild_needed(self, what: str) -> RebuildNeededError:
        """Return the error of a damaged or outdated file, with the command that rebuilds it."""
        return RebuildNeededError(
            f"DUCKDB_PATH {self.path} {what}. The lake has the data: amplitude-assets rebuild "
            "builds bronze, silver and gold from it, and keeps this file under another name"
        )

    @contextmanager
    def _detecting_damage(self) -> Iterator[None]:
        """Convert DuckDB's errors about damaged bytes, also from dbt, into RebuildNeededError."""
        try:
            yield
        except Exception as error:
            damage = next((line for line in str(error).splitlines() if _DAMAGE.search(line)), None)
            if damage is None or isinstance(error, RebuildNeededError):
                raise
            part = "log (.wal) is damaged" if "WAL" in damage else "is damaged"
            raise self.rebuild_needed(f"{part}: {damage.strip()}") from error

    def compact(self) -> None:
        """Checkpoint the write-ahead log, and delete leftovers of killed processes."""
        if self.path.exists():
            with self.connection() as con:
                # DuckDB does not delete the spill files of a process that was killed.
                shutil.rmtree(f"{self.path}.tmp", ignore_errors=True)
                con.execute("checkpoint")

    def rewrite(self) -> None:
        """Replace the file with a copy: DuckDB keeps the bytes of deleted rows until reuse.

        The finished copy is renamed over the file, so a killed process leaves a complete one.
        Raises WarehouseError.
        """
        import duckdb

        if not self.path.exists():
            return
        self.compact()
        path = self.path.resolve()  # the target of a symbolic link
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
                    f"{str(error).splitlines()[0]}; free disk space, and run again"
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
                "run again when it has finished"
            ) from None
        except OSError as error:
            raise WarehouseError(
                f"cannot write {error.filename or self.path}: {error.strerror}; "
                "check DUCKDB_PATH and DATA_DIR"
            ) from None
        try:
            yield
        finally:
            lock.release()


def _open(path: Path, patience: float) -> "duckdb.DuckDBPyConnection":
    """Open the file; wait up to `patience` seconds for processes that do not use our lock."""
    import duckdb

    give_up = time.monotonic() + min(patience, _OTHERS_SECONDS)
    while True:
        try:
            return duckdb.connect(str(path))
        except duckdb.IOException as error:
            reason = str(error).splitlines()[0]
            if _DAMAGE.search(reason):
                raise
            if "lock" not in reason:
                raise WarehouseError(f"cannot open DUCKDB_PATH {path}: {reason}") from None
            if time.monotonic() > give_up:
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
