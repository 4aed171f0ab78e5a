"""How the pipeline is: hours and gaps, what became of the lines, lag, and drift."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from statistics import median

import plotly.graph_objects as go

from amplitude_assets.hours import format_hour
from amplitude_assets.report.charts.base import Chart, Section, Table, date_axis, line
from amplitude_assets.report.model import DAY, Coverage, DriftRow, Hour, Overview
from amplitude_assets.report.theme import BLUE, GREY, ORANGE, PURPLE
from amplitude_assets.report.words import count, duration, plural, share, short_day

_STATES = ("loaded", "empty", "missing", "mismatch")
_STATE_COLOURS = (BLUE, GREY, ORANGE, PURPLE)
_DAYS_TOLD_BY_HOUR = 14
_DAYS_AS_ROWS = 31
_LAG_TICKS = (1, 10, 60, 600, 3600, 21600, 172800, 2592000)
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
_DRIFT_OF_ONE = {
    "types": "has several types",
    "case": "differs from another by case only",
    "new": "new in the last 7 days",
    "gone": "not seen in the last 7 days",
}
_DRIFT_KINDS = {
    "types": "with several types",
    "case": "that differ by case only",
    "new": "new in the last 7 days",
    "gone": "not seen in the last 7 days",
}


def section(overview: Overview) -> Section:
    """Return the charts about the pipeline itself."""
    return Section(
        "pipeline",
        "The pipeline",
        [_hours(overview), _lines(overview), _lag(overview), _drift(overview)],
    )


def _hours(overview: Overview) -> Chart:
    note = (
        "Every export hour from the first to the newest, in UTC. Empty: Amplitude has no events "
        "for it. Missing: never loaded. Mismatch: exported lines are not the rows in bronze and "
        "the rejected lines, or the rows not the events and the duplicates."
    )
    coverage = overview.coverage
    if coverage is None:
        return Chart("hours", "No hour has been loaded yet", note, wide=True)
    by_hour = {hour.export_hour: hour for hour in overview.hours}
    shown = [hour for hour in coverage.hours if hour >= coverage.first_shown_hour]
    states = {hour: _state(by_hour.get(hour)) for hour in shown}
    trouble = [hour for hour, state in states.items() if state >= 2]
    return Chart(
        "hours",
        _hours_title(overview, states),
        note,
        _hour_grid(coverage, states, by_hour),
        Table(
            ("Hour that needs a look", "State", "Lines", "Rejected", "Events", "Duplicates"),
            [_hour_row(hour, states[hour], by_hour.get(hour)) for hour in trouble],
        ),
        wide=True,
    )


def _state(hour: Hour | None) -> int:
    """Return the place of an hour's state in `_STATES`."""
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
        return f"All {total} are there and add up"
    said = []
    if missing:
        number = sum(len(gap) for gap in overview.gaps)
        said.append(f"{count(number)} of {total} missing: {_first_few(missing)}")
    if broken:
        said.append(
            f"{plural(len(broken), 'hour does', 'hours do')} not add up: {_first_few(broken)}"
        )
    return "; ".join(said)


def _first_few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _hour_grid(
    coverage: Coverage, states: dict[datetime, int], by_hour: dict[datetime, Hour]
) -> go.Figure:
    """Return a cell for each hour: a row is a date, or an hour of the day when dates are many."""
    first, last = min(states).date(), max(states).date()
    days = [first + n * DAY for n in range((last - first).days + 1)]
    grid = [[datetime.combine(day, time(hour), UTC) for hour in range(24)] for day in days]
    hours_axis = {"type": "linear", "title": {"text": "hour (UTC)"}, "dtick": 3}
    if len(days) <= _DAYS_AS_ROWS:
        x, y = [str(hour) for hour in range(24)], [short_day(day) for day in days]
        axes = {"xaxis": hours_axis, "yaxis": {"type": "category"}}
    else:
        x, y = [day.isoformat() for day in days], [str(hour) for hour in range(24)]
        grid = [list(row) for row in zip(*grid, strict=True)]
        axes = {"xaxis": date_axis(coverage), "yaxis": hours_axis}
    gap = 2 if len(days) <= _DAYS_AS_ROWS else 0
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
    """Return a colour scale of equal steps without transitions."""
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


def _lines(overview: Overview) -> Chart:
    note = (
        "Lines by export hour and by what became of them. Duplicates are kept, with their reason."
    )
    coverage, hours = overview.coverage, overview.hours
    lines = sum(hour.lines for hour in hours)
    if coverage is None or not lines:
        return Chart("lines", "No line has been exported", note)
    series: tuple[tuple[str, Callable[[Hour], int], str], ...] = (
        ("events", lambda hour: hour.silver_events, BLUE),
        ("duplicates", lambda hour: hour.duplicates, ORANGE),
        ("rejected", lambda hour: hour.rejected_lines, PURPLE),
    )
    groups = _grouped(coverage, hours)
    figure = go.Figure(
        [
            go.Bar(
                name=name,
                x=list(groups),
                y=[sum(map(value, group)) for group in groups.values()],
                marker={"color": colour},
                hovertemplate="%{y:,}",
            )
            for name, value, colour in series
        ]
    )
    figure.update_layout(
        height=320, barmode="stack", bargap=0.1, hovermode="x unified", xaxis=date_axis(coverage)
    )
    duplicates = sum(hour.duplicates for hour in hours)
    rejected = sum(hour.rejected_lines for hour in hours)
    return Chart(
        "lines",
        f"{count(lines)} lines: {share(duplicates / lines)} duplicates, {count(rejected)} rejected",
        note,
        figure,
        Table(
            ("Date (UTC)", "Lines", "Events", "Duplicates", "Rejected"),
            [
                (
                    str(day),
                    *(
                        count(sum(map(value, group)))
                        for value in (lambda hour: hour.lines, *(value for _, value, _ in series))
                    ),
                )
                for day, group in _by_date(hours).items()
            ],
        ),
    )


def _lag(overview: Overview) -> Chart:
    note = (
        "From an event to its upload to Amplitude, by export hour. Devices that were offline or "
        "whose clock is wrong send late. Past two weeks, a day shows its median hour."
    )
    coverage = overview.coverage
    hours = [hour for hour in overview.hours if hour.lag_p50_seconds is not None]
    if coverage is None or not hours:
        return Chart("lag", "No events, so no lag", note)
    groups = _grouped(coverage, hours)
    halves = [median(hour.lag_p50_seconds or 0 for hour in group) for group in groups.values()]
    tails = [median(hour.lag_p95_seconds or 0 for hour in group) for group in groups.values()]
    figure = go.Figure(
        [
            _lag_line("95% of events", list(groups), tails, ORANGE, "dash"),
            _lag_line("half of the events", list(groups), halves, BLUE, "solid"),
        ]
    )
    figure.update_layout(
        height=320,
        hovermode="x unified",
        xaxis=date_axis(coverage),
        yaxis={
            "type": "log", "tickvals": list(_LAG_TICKS),
            "ticktext": [duration(seconds) for seconds in _LAG_TICKS],
        },
    )  # fmt: skip
    return Chart(
        "lag",
        f"Half of the events arrive within {duration(median(halves))}, 95% within "
        f"{duration(median(tails))}",
        note,
        figure,
        Table(
            ("Date (UTC)", "Half within", "95% within"),
            [
                (
                    str(day),
                    duration(median(hour.lag_p50_seconds or 0 for hour in group)),
                    duration(median(hour.lag_p95_seconds or 0 for hour in group)),
                )
                for day, group in _by_date(hours).items()
            ],
        ),
    )


def _lag_line(name: str, x: list[str], seconds: list[float], colour: str, dash: str) -> go.Scatter:
    # A logarithmic axis has no place for zero or for events dated after their upload.
    return line(
        name,
        x,
        [max(value, 1.0) for value in seconds],
        colour,
        dash=dash,
        mode="lines",
        customdata=[duration(max(value, 0.0)) for value in seconds],
        hover="%{customdata}",
    )


def _grouped(coverage: Coverage, hours: list[Hour]) -> dict[str, list[Hour]]:
    """Group hours by what a point of a chart stands for: one hour, or one date in UTC."""
    if coverage.days <= _DAYS_TOLD_BY_HOUR:
        return {f"{hour.export_hour:%Y-%m-%dT%H:%M}": [hour] for hour in hours}
    return {day.isoformat(): group for day, group in _by_date(hours).items()}


def _by_date(hours: list[Hour]) -> dict[date, list[Hour]]:
    groups: defaultdict[date, list[Hour]] = defaultdict(list)
    for hour in hours:
        groups[hour.export_hour.date()].append(hour)
    return dict(groups)


def _drift(overview: Overview) -> Chart:
    note = (
        "Properties that need a look, from silver.property_catalog, of each kind the most frequent "
        "first. New and gone are told once two weeks are loaded."
    )
    totals = {row.kind: row.of_its_kind for row in overview.drift}
    if not totals:
        return Chart("drift", "No property has drifted", note, wide=True)
    said = [
        f"{count(totals[kind])} {words}" for kind, words in _DRIFT_KINDS.items() if kind in totals
    ]
    return Chart(
        "drift",
        f"Properties: {', '.join(said)}",
        note,
        table=Table(
            ("Property", "Of", "What", "Types", "First seen", "Last seen", "Times"),
            [_drift_row(row) for row in overview.drift],
            numbers_from=6,
        ),
        wide=True,
    )


def _drift_row(row: DriftRow) -> tuple[str, ...]:
    if row.scope != "event":
        owner = row.scope
    else:
        owner = row.event_type if row.event_types == 1 else f"{row.event_types} event types"
    return (
        row.key,
        owner,
        _DRIFT_OF_ONE[row.kind],
        ", ".join(row.types),
        format_hour(row.first_hour),
        format_hour(row.last_hour),
        count(row.occurrences),
    )
