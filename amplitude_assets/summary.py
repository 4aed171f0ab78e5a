"""The figures that a run closes with, read from the ledger and from gold."""

from dataclasses import dataclass
from datetime import date

from amplitude_assets.hours import HourRange
from amplitude_assets.warehouse.base import Warehouse

_LEDGER = """
select
    count_if(status = 'loaded'),
    count_if(status = 'empty'),
    coalesce(sum(lines), 0),
    coalesce(sum(rejected_lines), 0)
from bronze.export_hours
"""
_DAILY_USERS = "select activity_date, dau from gold.agg_active_users_daily order by activity_date"
_DAYS_SHOWN = 3


@dataclass(frozen=True)
class Summary:
    """Named counts over the whole warehouse, and the daily active users of the last days."""

    figures: list[tuple[str, int]]
    daily_users: list[tuple[date, int]]
    place: str


def summarise(warehouse: Warehouse, hours: HourRange) -> Summary:
    """Read the closing figures; the days are the last ones that the hours cover."""
    ((loaded, empty, lines, rejected),) = warehouse.query(_LEDGER)
    return Summary(
        figures=[
            ("hours loaded", loaded),
            ("hours empty", empty),
            ("lines exported", int(lines)),
            ("lines rejected", int(rejected)),
            ("events", _count(warehouse, "silver.events")),
            ("duplicates set aside", _count(warehouse, "silver.event_duplicates")),
            ("people", _count(warehouse, "silver.users")),
            ("sessions", _count(warehouse, "silver.sessions")),
        ],
        daily_users=[
            (day, users)
            for day, users in warehouse.query(_DAILY_USERS)
            if hours.first.date() <= day <= hours.last.date()
        ][-_DAYS_SHOWN:],
        place=warehouse.place,
    )


def _count(warehouse: Warehouse, table: str) -> int:
    ((count,),) = warehouse.query(f"select count(*) from {table}")  # noqa: S608 - our own names
    return int(count)
