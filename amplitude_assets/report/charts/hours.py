"""The grid of export hours: loaded, empty, missing, or with a mismatch of counts."""

from collections.abc import Sequence
from datetime import UTC, datetime, time

import plotly.graph_objects as go

from amplitude_assets.hours import format_hour
from amplitude_assets.report.charts.base import Chart, Table, date_axis
from amplitude_assets.report.model import DAY, Coverage, Hour, Overview
from amplitude_assets.report.theme import BLUE, GREY, ORANGE, PURPLE
from amplitude_assets.wording import count, plural, short_day

_STATES = ("loaded", "empty", "missing", "mismatch")
_STATE_COLOURS = (BLUE, GREY, ORANGE, PURPLE)
_MAX_DAYS_AS_ROWS = 31
_LEGEND = {
    "orientation": "h",
    "x": 0,
    "xanchor": "left",
    "xpad": 0,
    "y": 1,
    "yanchor": "bottom",
    "ypad": 8,
    "lenmode": "pixels",
    "len": 264,
    "tickfont": {"size": 12},
    "thickness": 8,
    "outlinewidth": 0,
    "tickvals": list(range(len(_STATES))),
    "ticktext": list(_STATES),
}


def hours_chart(overview: Overview) -> Chart:
    """Return the grid of hours, and a table of those that are missing or have a mismatch."""
    note = (
        "Every export hour from the first to the newest, in UTC. Empty: Amplitude has no events "
        "for it. Missing: never loaded. Mismatch: exported lines differ from bronze rows plus "
        "rejected lines, or bronze rows from events plus duplicates."
    )
    coverage = overview.coverage
    if coverage is None:
        return Chart("hours", "No hour is loaded yet", note, wide=True)
    by_hour = {hour.export_hour: hour for hour in overview.hours}
    shown = [hour for hour in coverage.hours if hour >= coverage.first_shown_hour]
    states = {hour: _state(by_hour.get(hour)) for hour in shown}
    problems = [hour for hour, state in states.items() if state >= 2]
    return Chart(
        "hours",
        _hours_title(overview, states),
        note,
        _hour_grid(coverage, states, by_hour),
        Table(
            ("Hour to check", "State", "Lines", "Rejected", "Events", "Duplicates"),
            [_hour_row(hour, states[hour], by_hour.get(hour)) for hour in problems],
        ),
        wide=True,
    )


def _state(hour: Hour | None) -> int:
    """Return the index of an hour's state in `_STATES`."""
    if hour is None:
        return 2
    if not hour.is_reconciled:
        return 3
    return 1 if hour.status == "empty" else 0


def _hours_title(overview: Overview, states: dict[datetime, int]) -> str:
    missing = [str(gap) for gap in overview.gaps]
    broken = [format_hour(hour) for hour, state in states.items() if state == 3]
    total = plural(len(states), "hour")
    if not missing and not broken:
        return f"All {total} are loaded and reconciled"
    parts = []
    if missing:
        number = sum(len(gap) for gap in overview.gaps)
        parts.append(f"{count(number)} of {total} missing: {_first_few(missing)}")
    if broken:
        parts.append(f"{plural(len(broken), 'hour')} with a mismatch: {_first_few(broken)}")
    return "; ".join(parts)


def _first_few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _hour_grid(
    coverage: Coverage, states: dict[datetime, int], by_hour: dict[datetime, Hour]
) -> go.Figure:
    """Return a heat map of hours; its rows are dates, or hours of the day for many dates."""
    first, last = min(states).date(), max(states).date()
    days = [first + n * DAY for n in range((last - first).days + 1)]
    grid = [[datetime.combine(day, time(hour), UTC) for hour in range(24)] for day in days]
    hours_axis = {"type": "linear", "title": {"text": "hour (UTC)"}, "dtick": 3}
    if len(days) <= _MAX_DAYS_AS_ROWS:
        x, y = [str(hour) for hour in range(24)], [short_day(day) for day in days]
        axes = {"xaxis": hours_axis, "yaxis": {"type": "category"}}
    else:
        x, y = [day.isoformat() for day in days], [str(hour) for hour in range(24)]
        grid = [list(row) for row in zip(*grid, strict=True)]
        axes = {"xaxis": date_axis(coverage), "yaxis": hours_axis}
    gap = 2 if len(days) <= _MAX_DAYS_AS_ROWS else 0
    figure = go.Figure(
        go.Heatmap(
            x=x,
            y=y,
            z=[[states.get(moment) for moment in row] for row in grid],
            text=[["!" if states.get(moment, 0) >= 2 else "" for moment in row] for row in grid],
            texttemplate="%{text}" if gap else None,
            customdata=[[_hour_details(moment, states, by_hour) for moment in row] for row in grid],
            hovertemplate="%{customdata}<extra></extra>",
            hoverongaps=False,
            zmin=-0.5,
            zmax=len(_STATES) - 0.5,
            colorscale=_steps(_STATE_COLOURS),
            colorbar=_LEGEND,
            xgap=gap,
            ygap=gap,
        )
    )
    figure.update_layout(height=120 + len(y) * (24 if gap else 12), **axes)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def _steps(colours: Sequence[str]) -> list[list[object]]:
    """Return a colour scale of equal steps without gradients."""
    size = 1 / len(colours)
    return [
        [edge, colour] for n, colour in enumerate(colours) for edge in (n * size, (n + 1) * size)
    ]


def _hour_details(
    moment: datetime, states: dict[datetime, int], by_hour: dict[datetime, Hour]
) -> str:
    if moment not in states:
        return ""
    head = f"{format_hour(moment)}: {_STATES[states[moment]]}"
    hour = by_hour.get(moment)
    if hour is None or not hour.lines:
        return head
    return (
        f"{head}<br>{plural(hour.lines, 'line')}: {count(hour.silver_events)} events, "
        f"{count(hour.duplicates)} duplicates, {count(hour.rejected_lines)} rejected"
    )


def _hour_row(moment: datetime, state: int, hour: Hour | None) -> tuple[str, ...]:
    numbers = (
        ("", "", "", "")
        if hour is None
        else tuple(
            map(count, (hour.lines, hour.rejected_lines, hour.silver_events, hour.duplicates))
        )
    )
    return (format_hour(moment), _STATES[state], *numbers)
