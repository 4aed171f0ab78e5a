"""Charts of the pipeline: hours and gaps, lines by outcome, upload lag, and property drift."""

from collections import defaultdict
from collections.abc import Callable
from datetime import date
from statistics import median

import plotly.graph_objects as go

from amplitude_assets.hours import format_hour
from amplitude_assets.report.charts.base import Chart, Section, Table, date_axis, line
from amplitude_assets.report.charts.hours import hours_chart
from amplitude_assets.report.model import Coverage, DriftRow, Hour, Overview
from amplitude_assets.report.theme import BLUE, ORANGE, PURPLE
from amplitude_assets.wording import count, duration, share

_MAX_DAYS_BY_HOUR = 14
_LAG_TICKS = (1, 10, 60, 600, 3600, 21600, 172800, 2592000)
_DRIFT_OF_ONE = {
    "types": "has several types",
    "case": "differs from another only by case",
    "new": "new in the last 7 days",
    "gone": "not seen in the last 7 days",
}
_DRIFT_KINDS = {
    "types": "with several types",
    "case": "that differ only by case",
    "new": "new in the last 7 days",
    "gone": "not seen in the last 7 days",
}


def section(overview: Overview) -> Section:
    """Return the section of the pipeline."""
    return Section(
        "pipeline",
        "The pipeline",
        [hours_chart(overview), _lines(overview), _lag(overview), _drift(overview)],
    )


def _lines(overview: Overview) -> Chart:
    note = (
        "Lines by export hour and outcome. Duplicates are in silver.event_duplicates, with the "
        "reason."
    )
    coverage, hours = overview.coverage, overview.hours
    lines = sum(hour.lines for hour in hours)
    if coverage is None or not lines:
        return Chart("lines", "No lines exported", note)
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
        "From an event to its upload to Amplitude, by export hour. Lag comes from devices that "
        "were offline or have a wrong clock. For more than two weeks, a day shows its median hour."
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
    # A logarithmic axis cannot show zero, nor the negative lag of events dated after their upload.
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
    """Group hours by the points of a chart: single hours, or dates in UTC."""
    if coverage.days <= _MAX_DAYS_BY_HOUR:
        return {f"{hour.export_hour:%Y-%m-%dT%H:%M}": [hour] for hour in hours}
    return {day.isoformat(): group for day, group in _by_date(hours).items()}


def _by_date(hours: list[Hour]) -> dict[date, list[Hour]]:
    groups: defaultdict[date, list[Hour]] = defaultdict(list)
    for hour in hours:
        groups[hour.export_hour.date()].append(hour)
    return dict(groups)


def _drift(overview: Overview) -> Chart:
    note = (
        "Properties that changed, from silver.property_catalog, the most frequent of each kind "
        "first. New and gone properties are listed once two weeks are loaded."
    )
    totals = {row.kind: row.of_its_kind for row in overview.drift}
    if not totals:
        return Chart("drift", "No property has drifted", note, wide=True)
    parts = [
        f"{count(totals[kind])} {words}" for kind, words in _DRIFT_KINDS.items() if kind in totals
    ]
    return Chart(
        "drift",
        f"Properties: {', '.join(parts)}",
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
