"""The command `amplitude-assets status`: the ledger of some hours, gaps first."""

import json
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import click
from rich.table import Table

from amplitude_assets.cli.display import print_error, spinner, terminal
from amplitude_assets.cli.hour_options import hour_options, selected_hours
from amplitude_assets.cli.outcome import print_hours_in_question
from amplitude_assets.config import load_settings
from amplitude_assets.connections.warehouse import open_warehouse
from amplitude_assets.hours import HOUR, HourRange, contiguous_ranges, format_hour, run_command
from amplitude_assets.warehouse.base import LedgerRow, Warehouse, WarehouseError
from amplitude_assets.wording import moment, plural

_GOLD_TABLES = """
select count(*) from information_schema.tables
where lower(table_schema) = 'gold' and lower(table_name) = 'rpt_data_quality'
"""
_NEWEST_IN_GOLD = """
select max(export_hour) from gold.rpt_data_quality where project_id = {project_id}
"""


@dataclass(frozen=True)
class _Summary:
    """The number of hours of each kind, and the ranges of missing ones."""

    loaded: int
    empty: int
    missing: int
    in_question: int
    missing_ranges: list[HourRange]


@click.command()
@hour_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(count: int | None, first: datetime | None, last: datetime | None, as_json: bool) -> None:
    """Show the ledger of these hours, gaps first."""
    settings = load_settings()
    hours = selected_hours(settings, count, first, last)
    try:
        with spinner():
            warehouse = open_warehouse(settings)
            ledger = warehouse.ledger(settings.project_id, hours)
            until = _gold_holds_until(warehouse, settings.project_id) if ledger else None
    except WarehouseError as error:
        print_error(error)
        sys.exit(1)
    if as_json:
        state = {
            "gold_holds_uploads_until": until.isoformat() if until else None,
            "models_every_hours": settings.models_cadence // HOUR,
        }
        found = _as_json(settings.project_id, hours, ledger)
        click.echo(json.dumps({**found, **state}, indent=2))
    else:
        _print(hours, ledger)
        if until:
            terminal().print(f"gold holds uploads until {moment(until)}")


def _gold_holds_until(warehouse: Warehouse, project_id: int) -> datetime | None:
    """Return the end of the newest hour in gold (aware, UTC), or None before the first build."""
    if warehouse.query(_GOLD_TABLES) == [(0,)]:
        return None
    ((newest,),) = warehouse.query(_NEWEST_IN_GOLD.format(project_id=project_id))
    return None if newest is None else datetime.replace(newest, tzinfo=UTC) + HOUR


def _summary(hours: HourRange, ledger: Mapping[datetime, LedgerRow]) -> _Summary:
    statuses = Counter(row.status for row in ledger.values())
    missing = contiguous_ranges(hour for hour in hours if hour not in ledger)
    return _Summary(
        loaded=statuses["loaded"],
        empty=statuses["empty"],
        missing=sum(map(len, missing)),
        in_question=sum(row.events_in_question > 0 for row in ledger.values()),
        missing_ranges=missing,
    )


def _print(hours: HourRange, ledger: Mapping[datetime, LedgerRow]) -> None:
    console = terminal()
    summary = _summary(hours, ledger)
    console.print(
        f"{hours}: {summary.loaded:,} loaded, {summary.empty:,} empty, {summary.missing:,} missing"
        + (f", {summary.in_question:,} in question" if summary.in_question else "")
    )
    for gap in summary.missing_ranges:
        console.print(f"missing  {gap}  ({plural(len(gap), 'hour')})")
    print_hours_in_question(ledger)
    if ledger:
        console.print(_table(ledger))
    if summary.missing_ranges:
        console.print(f"To load the first gap:\n{run_command(summary.missing_ranges[0])}")


def _table(ledger: Mapping[datetime, LedgerRow]) -> Table:
    table = Table("hour", "status", box=None)
    for name in ("lines", "rejected", "objects", "bytes"):
        table.add_column(name, justify="right")
    table.add_column("fetched at")
    for row in ledger.values():
        table.add_row(
            format_hour(row.export_hour),
            row.status,
            f"{row.lines:,}",
            f"{row.rejected_lines:,}",
            f"{row.objects:,}",
            f"{row.bytes:,}",
            f"{row.fetched_at:%Y-%m-%d %H:%M:%S}",
        )
    return table


def _as_json(
    project_id: int, hours: HourRange, ledger: Mapping[datetime, LedgerRow]
) -> dict[str, object]:
    """Return the ledger for JSON. Hours are in UTC, in the format of `--from` and `--to`."""
    summary = _summary(hours, ledger)
    return {
        "project_id": project_id,
        **_range_as_json(hours),
        "loaded": summary.loaded,
        "empty": summary.empty,
        "missing": summary.missing,
        "in_question": summary.in_question,
        "missing_ranges": [_range_as_json(gap) for gap in summary.missing_ranges],
        "ledger": [
            {
                "hour": format_hour(row.export_hour),
                "status": row.status,
                "lines": row.lines,
                "rejected_lines": row.rejected_lines,
                "objects": row.objects,
                "bytes": row.bytes,
                "load_id": row.load_id,
                "fetched_at": row.fetched_at.isoformat(),
                "events_in_question": row.events_in_question,
            }
            for row in ledger.values()
        ],
    }


def _range_as_json(hours: HourRange) -> dict[str, object]:
    return {"from": format_hour(hours.first), "to": format_hour(hours.last), "hours": len(hours)}
