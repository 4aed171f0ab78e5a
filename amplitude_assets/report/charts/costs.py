"""Charts of the warehouse's cost, where it is metered: credits by day, and by asset."""

from collections import defaultdict

import plotly.graph_objects as go

from amplitude_assets.report.charts.base import Chart, Section, Table
from amplitude_assets.report.model import Overview
from amplitude_assets.report.theme import BLUE
from amplitude_assets.wording import count, plural, share

_SHOWN_ASSETS = 15
_NOTE = (
    "Credits that Snowflake metered for the warehouses, divided among the statements of each hour "
    "by the time they ran. `idle` is time without statements. Usage lags by up to three hours."
)


def section(overview: Overview) -> Section | None:
    """Return the section of the cost, or None where the warehouse is not metered."""
    if overview.costs is None:
        return None
    return Section("cost", "Cost", [_by_day(overview), _by_asset(overview)])


def _by_day(overview: Overview) -> Chart:
    by_day: defaultdict[str, float] = defaultdict(float)
    for cost in overview.costs or []:
        by_day[cost.day.isoformat()] += cost.credits
    note = overview.costs_note or _NOTE
    if not by_day:
        return Chart("credits", "No credits shown", note)
    days, amounts = list(by_day), list(by_day.values())
    figure = go.Figure(
        go.Bar(x=days, y=amounts, marker={"color": BLUE}, hovertemplate="%{y:,.3f} credits")
    )
    figure.update_layout(height=320, bargap=0.25, xaxis={"type": "date", "tickformat": "%-d %b"})
    rows = [(day, f"{amount:,.3f}") for day, amount in by_day.items()]
    title = f"{sum(amounts):,.2f} credits in {plural(len(days), 'day')}"
    return Chart("credits", title, note, figure, Table(("Date (UTC)", "Credits"), rows))


def _by_asset(overview: Overview) -> Chart:
    found = overview.costs or []
    if not found:
        return Chart("costs", "No assets shown", overview.costs_note or _NOTE)
    used: defaultdict[str, float] = defaultdict(float)
    statements: defaultdict[str, int] = defaultdict(int)
    for cost in found:
        used[cost.asset] += cost.credits
        statements[cost.asset] += cost.statements
    total = sum(used.values())
    ranked = sorted(used, key=lambda asset: -used[asset])
    rows = [
        (
            asset,
            f"{used[asset]:,.3f}",
            share(used[asset] / total) if total else "",
            count(statements[asset]),
        )
        for asset in ranked[:_SHOWN_ASSETS]
    ]
    note = "The query tag of a statement names its asset, model or command. " + (
        f"{plural(len(ranked) - _SHOWN_ASSETS, 'asset')} more in amplitude-assets costs."
        if len(ranked) > _SHOWN_ASSETS
        else ""
    )
    title = f"{ranked[0]} uses the most: {rows[0][2]}"
    table = Table(("Asset", "Credits", "Share", "Statements"), rows)
    return Chart("costs", title, note.strip(), table=table)
