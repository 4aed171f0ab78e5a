"""What a warehouse does for the pipeline: load hours into bronze, and tell what it holds.

DuckDB (`duckdb.py`) and Snowflake (`snowflake.py`) are behind this interface. Everything past
bronze is dbt's.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from amplitude_assets.hours import HourRange, format_hour
from amplitude_assets.lake.manifest import Manifest
from amplitude_assets.lake.store import Lake

OnLoaded = Callable[[int, int], None]


class WarehouseError(Exception):
    """The warehouse could not be used. The message says what to do."""


class LoadError(WarehouseError):
    """One hour could not be loaded; what bronze held of it before is untouched.

    It is not `retryable` when it is known that trying again does not help.
    """

    def __init__(self, hour: datetime, message: str, *, retryable: bool = True) -> None:
        super().__init__(f"{format_hour(hour)}: {message}")
        self.hour = hour
        self.message = message
        self.retryable = retryable


@dataclass(frozen=True)
class LedgerRow:
    """One row of `bronze.export_hours`. Times are aware, in UTC."""

    export_hour: datetime
    status: Literal["loaded", "empty"]
    objects: int
    bytes: int
    lines: int
    rejected_lines: int
    digest: str
    load_id: str
    fetched_at: datetime
    loaded_at: datetime


@dataclass(frozen=True)
class HourCounts:
    """An hour counted through the layers; silver's counts are None before dbt's first run."""

    export_hour: datetime
    lines: int
    rejected_lines: int
    bronze_rows: int
    silver_events: int | None
    duplicates: int | None


@dataclass
class LoadReport:
    """What a load did: hours replaced, hours that bronze held already, and hours that failed.

    `query_ids` name the statement that wrote an hour's events, where the warehouse keeps a history.
    """

    replaced: list[datetime] = field(default_factory=list)
    unchanged: list[datetime] = field(default_factory=list)
    errors: list[LoadError] = field(default_factory=list)
    query_ids: dict[datetime, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PersonLines:
    """How many lines of an hour of bronze have these ids, which are text or null."""

    export_hour: datetime
    amplitude_id: str | None
    user_id: str | None
    merged_amplitude_id: str | None
    lines: int


class Warehouse(Protocol):
    """The small interface that the assets, the checks and the command line use."""

    @property
    def place(self) -> str:
        """Return where the tables are, for people."""
        ...

    def load(
        self,
        lake: Lake,
        manifests: Sequence[Manifest],
        load_id: str,
        on_loaded: OnLoaded = lambda _hours, _lines: None,
    ) -> LoadReport:
        """Make bronze hold what the manifests name, replacing by the hour.

        Each hour's events, rejected lines and ledger row change in one transaction, and an hour
        whose digest the ledger has already is left alone. One bad hour does not take the others
        with it. `on_loaded` is told the hours that are done and the lines that are read, as they
        are; lines come first, and again where a batch is tried in parts.
        Raises WarehouseError when the warehouse itself cannot be used.
        """
        ...

    def load_merges(self, lake: Lake, project_id: int) -> int:
        """Add the merge files of the lake that `bronze.merge_ids` does not have yet.

        They are the files under the project's merge prefix, from Amplitude's own S3 export. A file
        is known by its key, so one that changes needs another. Returns how many files were read.
        """
        ...

    def ledger(self, project_id: int, hours: HourRange) -> dict[datetime, LedgerRow]:
        """Return the ledger's rows for a range, by hour. Empty before the first load."""
        ...

    def counts(self, project_id: int, hours: HourRange) -> list[HourCounts]:
        """Count every hour of the ledger in a range through the layers, oldest first."""
        ...

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query that both engines read, such as one over gold."""
        ...

    def sha256(self, text: str) -> str:
        """Return the SQL for the SHA-256 of a text, itself SQL, in hexadecimal."""
        ...

    def lines_of_people(self, project_id: int, digests: Collection[str]) -> list[PersonLines]:
        """Return what lines of `bronze.raw_events` have one of the ids of these digests.

        Both the digests and their ids are as in `export/privacy.py`; the id that a line says it
        was merged into counts.
        """
        ...

    def drop_merges(self, project_id: int, keys: Collection[str]) -> None:
        """Take the merges of these merge files out of `bronze.merge_ids`, to be loaded again."""
        ...

    def exclusive(self) -> AbstractContextManager[None]:
        """Hold the warehouse for dbt, where only one process can write at a time."""
        ...

    def compact(self) -> None:
        """Give back the space of replaced rows, where the warehouse does not by itself."""
        ...

    def rewrite(self) -> None:
        """Leave nothing of replaced rows in the warehouse's own files, where that is in our hands.

        It takes the room of a second copy for a while.
        """
        ...
