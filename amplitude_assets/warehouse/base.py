"""The interface of a warehouse: load hours into bronze, and query what it contains.

`duckdb/` and `snowflake/` implement it. dbt builds all layers after bronze.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, Protocol

from amplitude_assets.hours import HourRange, format_hour
from amplitude_assets.lake.manifest import Manifest
from amplitude_assets.lake.store import Lake

OnLoaded = Callable[[int, int], None]


class WarehouseError(Exception):
    """The warehouse is unavailable or misconfigured. The message says what to do."""


class RebuildNeededError(WarehouseError):
    """The warehouse file is damaged or has an older layout; it can be rebuilt from the lake."""


class LoadError(WarehouseError):
    """Loading one hour failed; its rows in bronze are unchanged.

    `retryable` is false when a retry cannot succeed.
    """

    def __init__(self, hour: datetime, message: str, *, retryable: bool = True) -> None:
        super().__init__(f"{format_hour(hour)}: {message}")
        self.hour = hour
        self.message = message
        self.retryable = retryable


@dataclass(frozen=True)
class LedgerRow:
    """One row of `bronze.export_hours`. Times are aware, in UTC.

    `events_in_question` is the number of events that a later, unconfirmed delivery lacks, and
    `in_question_since` when Amplitude first returned that delivery.
    """

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
    events_in_question: int = 0
    in_question_since: datetime | None = None


@dataclass(frozen=True)
class HourCounts:
    """The counts of an hour in each layer.

    Silver's counts are None until dbt has consumed the hour's newest load.
    """

    export_hour: datetime
    lines: int
    rejected_lines: int
    bronze_rows: int
    silver_events: int | None
    duplicates: int | None


@dataclass
class LoadReport:
    """The result of a load: hours that were replaced, left unchanged, or failed.

    For `superseded` hours, bronze has a newer delivery. `query_ids` identify the statement that
    wrote an hour's events, in warehouses with a query history.
    """

    replaced: list[datetime] = field(default_factory=list)
    unchanged: list[datetime] = field(default_factory=list)
    superseded: list[datetime] = field(default_factory=list)
    errors: list[LoadError] = field(default_factory=list)
    query_ids: dict[datetime, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PersonLines:
    """The number of lines in an hour of bronze that have these ids."""

    export_hour: datetime
    amplitude_id: str | None
    user_id: str | None
    merged_amplitude_id: str | None
    lines: int


@dataclass(frozen=True)
class Cost:
    """The credits that an asset, a model or a command used on a day (UTC) in a warehouse.

    `seconds` is the time that its statements ran there.
    """

    day: date
    warehouse: str
    asset: str
    statements: int
    seconds: float
    credits: float


class Warehouse(Protocol):
    """The interface that the assets, the checks and the command line use."""

    @property
    def place(self) -> str:
        """The location of the tables, for messages."""
        ...

    def load(
        self,
        lake: Lake,
        manifests: Sequence[Manifest],
        load_id: str,
        on_loaded: OnLoaded = lambda _hours, _lines: None,
    ) -> LoadReport:
        """Load the objects that the manifests name into bronze, replacing whole hours.

        Each hour's events, rejected lines and ledger row change in one transaction. An hour is
        left unchanged when the ledger has its digest already, has a newer delivery, or has one
        with more events and the manifest is not confirmed (`lake/acceptance.py`). A failed hour
        does not affect the others. `on_loaded` is called with the number of finished hours and of
        lines read; the lines of a batch that is retried hour by hour are reported again. Raises
        WarehouseError when the warehouse itself is unavailable.
        """
        ...

    def load_merges(self, lake: Lake, project_id: int) -> int:
        """Load the merge files of the lake that `bronze.merge_ids` does not have yet.

        They are the files of Amplitude's S3 export under the project's merge prefix. A file is
        identified by its key, so a changed file needs a new key. Returns the number of files read.
        """
        ...

    def ledger(self, project_id: int, hours: HourRange) -> dict[datetime, LedgerRow]:
        """Return the ledger's rows of a range, by hour; empty before the first load."""
        ...

    def counts(self, project_id: int, hours: HourRange) -> list[HourCounts]:
        """Count each hour of the ledger in a range in every layer, oldest first."""
        ...

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query in SQL that both engines understand."""
        ...

    def sha256(self, text: str) -> str:
        """Return a SQL expression for the hexadecimal SHA-256 of the SQL expression `text`."""
        ...

    def lines_of_people(self, project_id: int, digests: Collection[str]) -> list[PersonLines]:
        """Count the lines of `bronze.raw_events` that have an id with one of these digests.

        Digests are those of `privacy/rules.py`. The `merged_amplitude_id` of a line counts
        as one of its ids.
        """
        ...

    def drop_merges(self, project_id: int, keys: Collection[str]) -> None:
        """Delete the rows of these merge files from `bronze.merge_ids`, to load them again."""
        ...

    def costs(self, first: date) -> list[Cost] | None:
        """Return the credits by day, warehouse and asset since a day; None if nothing is metered.

        Raises WarehouseError when the role may not read the account's usage.
        """
        ...

    def exclusive(self) -> AbstractContextManager[None]:
        """Hold the warehouse's lock while dbt writes, where only one process can write."""
        ...

    def compact(self) -> None:
        """Free the space of replaced rows, where the warehouse does not do so automatically."""
        ...

    def rewrite(self) -> None:
        """Rewrite the warehouse's files without any bytes of deleted rows, where possible.

        Needs space for a second copy while it runs.
        """
        ...
