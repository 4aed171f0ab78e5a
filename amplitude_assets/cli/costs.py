"""The command `amplitude-assets costs`: the warehouse's credits by day and asset."""

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import timedelta

import click
from rich.table import Table

from amplitude_assets.cli.display import print_error, spinner, terminal
from amplitude_assets.config import load_settings
from amplitude_assets.connections.warehouse import open_warehouse
from amplitude_assets.hours import utc_now
from amplitude_assets.warehouse.base import Cost, WarehouseError
from amplitude_assets.wording import plural, share

_SHOWN_ASSETS = 15


@click.command()
@click.option(
    "--days", type=click.IntRange(1, 365), default=30, show_default=True, help="Days to show (UTC)."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one row per day and asset.")
def costs(days: int, as_json: bool) -> None:
    """Show the credits that Snowflake metered, by day and by asset.

    Reads Snowflake's account usage, which lags by up to three hours.
    """
    settings = load_settings()
    first = (utc_now() - timedelta(days=days - 1)).date()
    try:
        with spinner():
            found = open_warehouse(settings).costs(first)
    except WarehouseError as error:
        print_error(error)
        sys.exit(1)
    if as_json:
        rows = [{**asdict(cost), "day": cost.day.isoformat()} for cost in found or []]
        click.echo(json.dumps({"metered": found is not None, "costs": rows}, indent=2))
    elif found is None:
        terminal().print("WAREHOUSE=duckdb is a local file: no warehouse is metered, so no cost.")
    else:
        _print(found, days)


def _print(found: Sequence[Cost], days: int) -> None:
    console = terminal()
    total = sum(cost.credits for cost in found)
    console.print(f"{total:,.2f} credits in {plural(days, 'day')}")
    if not found:
        console.print("Nothing is metered yet; account usage lags by up to three hours.")
        return
    console.print(_table("day", _sums((cost.day.isoformat(), cost.credits) for cost in found)))
    assets = sorted(_sums((cost.asset, cost.credits) for cost in found), key=lambda row: -row[1])
    if rest := assets[_SHOWN_ASSETS:]:
        others = (f"{len(rest)} more, see --json", sum(amount for _, amount in rest))
        assets = [*assets[:_SHOWN_ASSETS], others]
    console.print(_table("asset", assets))


def _sums(pairs: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    """Add up amounts by name, in order of first appearance."""
    sums: defaultdict[str, float] = defaultdict(float)
    for name, amount in pairs:
        sums[name] += amount
    return list(sums.items())


def _table(heading: str, rows: Sequence[tuple[str, float]]) -> Table:
    total = sum(amount for _, amount in rows)
    table = Table(heading, box=None)
    for column in ("credits", "share"):
        table.add_column(column, justify="right")
    for name, amount in rows:
        table.add_row(name, f"{amount:,.3f}", share(amount / total) if total else "")
    return table
