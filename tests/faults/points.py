"""The points at which a run is killed, for the tests and the docs."""

from dataclasses import dataclass

_LANDING = "amplitude_assets.export.landing:Landing"
_PART_FILE = "amplitude_assets.streams.part_files:PartFile"
_DUCKDB = "amplitude_assets.warehouse.duckdb.warehouse"


@dataclass(frozen=True)
class Point:
    """Kill the run at the `nth` call of `what` in `where`, before it or `after` it.

    With `limit`, kill it in the first write beyond that many bytes of a file, from that call on.
    `leaves` is a pattern of files that exist after the kill and that only maintenance removes.
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
        "While a zip is being downloaded",
        _PART_FILE,
        "write",
        after=True,
        leaves="landing/*/zips/.*.part",
    ),
    Point(
        "zip_not_recorded",
        "A zip has its final name, but no hour's record refers to it",
        _LANDING,
        "record",
    ),
    Point(
        "half_recorded",
        "Only some hours of a zip are recorded",
        _PART_FILE,
        "publish",
        nth=3,
    ),
    Point(
        "mid_unpack",
        "While members are being unpacked",
        "amplitude_assets.export.archive.unpacking",
        "unpack_members",
        nth=2,
        after=True,
    ),
    Point(
        "unpacked_not_recorded",
        "An hour's files are written, their record is not",
        _LANDING,
        "write_hour",
        nth=2,
    ),
    Point(
        "mid_object",
        "In the middle of an object",
        "amplitude_assets.lake.store:Lake",
        "put_object",
        nth=2,
        limit=700,
        leaves="lake/**/*#*",
    ),
    Point(
        "mid_upload",
        "Between two objects of an hour",
        "amplitude_assets.lake.store:Lake",
        "put_object",
        nth=2,
        after=True,
    ),
    Point(
        "objects_without_manifest",
        "An hour's objects are written, its manifest is not",
        "amplitude_assets.lake.store:Lake",
        "write_manifest",
        nth=2,
    ),
    Point(
        "mid_load",
        "Events are inserted, but not rejected lines and the ledger",
        _DUCKDB,
        "_insert_lines",
        after=True,
    ),
    Point(
        "loaded_not_committed",
        "Events and ledger rows are inserted, but not committed",
        _DUCKDB,
        "check_counts",
    ),
    Point(
        "mid_commit",
        "In the middle of the commit's write",
        _DUCKDB,
        "check_counts",
        limit=4_096,
    ),
    Point(
        "committed_in_the_log",
        "Committed, but only in the write-ahead log",
        _DUCKDB,
        "load_changed",
        after=True,
        leaves="warehouse.duckdb.wal",
    ),
    Point(
        "loaded_not_recorded",
        "Loaded, but not recorded in Dagster",
        f"{_DUCKDB}:DuckDBWarehouse",
        "ledger",
    ),
]
