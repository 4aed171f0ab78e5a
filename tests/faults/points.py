"""The table of points at which a run is killed, for the tests and the docs."""

from dataclasses import dataclass

_EXPORT, _DUCKDB = "amplitude_assets.export", "amplitude_assets.warehouse.duckdb"


@dataclass(frozen=True)
class Point:
    """Killed at the `nth` call of `what` in `where`, before it or `after` it.

    With `limit`, killed in the middle of the first write past so many bytes of a file from then on.
    `leaves` is a pattern of files that are there then, and that nothing but tidying up removes.
    """

    name: str
    when: str
    where: str
    what: str
    nth: int = 1
    after: bool = False
    limit: int | None = None
    leaves: str = ""

    def __str__(self) -> str:
        return self.name


POINTS = [
    Point(
        "mid_download",
        "While a zip is being received",
        f"{_EXPORT}.files:PartFile",
        "write",
        after=True,
        leaves="landing/*/zips/.*.part",
    ),
    Point(
        "zip_not_recorded",
        "A zip has its name, no hour's record says so",
        f"{_EXPORT}.landing:Landing",
        "record",
    ),
    Point(
        "half_recorded",
        "Some hours of a zip are recorded",
        f"{_EXPORT}.files:PartFile",
        "publish",
        nth=3,
    ),
    Point(
        "mid_unpack",
        "While members are being unpacked",
        f"{_EXPORT}.unpacking",
        "unpack_members",
        nth=2,
        after=True,
    ),
    Point(
        "unpacked_not_recorded",
        "An hour's files are there, their record is not",
        f"{_EXPORT}.landing:Landing",
        "write_hour",
        nth=2,
    ),
    Point(
        "mid_object",
        "In the middle of an object's bytes",
        "amplitude_assets.lake.store:Lake",
        "put_object",
        nth=2,
        limit=700,
        leaves="lake/**/*#*",
    ),
    Point(
        "mid_upload",
        "Between an hour's objects",
        "amplitude_assets.lake.store:Lake",
        "put_object",
        nth=2,
        after=True,
    ),
    Point(
        "objects_without_manifest",
        "An hour's objects are there, its manifest is not",
        "amplitude_assets.lake.store:Lake",
        "write_manifest",
        nth=2,
    ),
    Point(
        "mid_load",
        "Events are inserted, rejected lines and the ledger are not",
        _DUCKDB,
        "_insert_lines",
        after=True,
    ),
    Point(
        "loaded_not_committed",
        "Events and the ledger's rows are in, not committed",
        _DUCKDB,
        "check_counts",
    ),
    Point(
        "mid_commit",
        "In the middle of what a commit writes",
        _DUCKDB,
        "check_counts",
        limit=4_096,
    ),
    Point(
        "committed_in_the_log",
        "Committed, in the write-ahead log alone",
        _DUCKDB,
        "load_changed",
        after=True,
        leaves="warehouse.duckdb.wal",
    ),
    Point(
        "loaded_not_told",
        "Loaded, Dagster was not told",
        f"{_DUCKDB}:DuckDBWarehouse",
        "ledger",
    ),
]
