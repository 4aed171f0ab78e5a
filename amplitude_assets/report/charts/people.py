"""Charts of active users, new users and the user lifecycle."""

from datetime import date

import plotly.graph_objects as go

from amplitude_assets.report.charts.base import (
    Chart,
    Section,
    Table,
    date_axis,
    day_markers,
    line,
    partial_note,
)
from amplitude_assets.report.model import (
    DAY,
    ActiveDay,
    Coverage,
    LifecyclePeriod,
    Overview,
)
from amplitude_assets.report.theme import BLUE, GREEN, GREY, ORANGE, PURPLE
from amplitude_assets.wording import count, long_day, plural, short_day


def section(overview: Overview) -> Section:
    """Return the section of users."""
    return Section(
        "people",
        "People",
        [_active_users(overview), _new_users(overview), _lifecycle(overview)],
    )


def _active_users(overview: Overview) -> Chart:
    note = (
        "People with at least one active event on a date, in the 7 days that end with it, and in "
        "the 30 days that end with it."
    )
    main, coverage, days = overview.main_day, overview.coverage, overview.active_days
    if main is None or coverage is None:
        return Chart("active-users", "No active users in these hours", note, wide=True)
    if coverage.days < 30:
        note += (
            f" Only {plural(coverage.days, 'day is', 'days are')} loaded, so the 30-day figure "
            "is still growing."
        )
    x = [day.day.isoformat() for day in days]
    figure = go.Figure(
        [
            line("30 days", x, [day.mau for day in days], PURPLE, dash="dot", mode="lines"),
            line("7 days", x, [day.wau for day in days], ORANGE, dash="dash", mode="lines"),
            line(
                "1 day",
                x,
                [day.dau for day in days],
                BLUE,
                marker=day_markers(coverage, [day.day for day in days]),
            ),
        ]
    )
    figure.update_layout(height=340, hovermode="x unified", xaxis=date_axis(coverage))
    return Chart(
        "active-users",
        f"{plural(main.dau, 'person was', 'people were')} active on {long_day(main.day)}, "
        f"{count(main.wau)} in the 7 days up to it",
        note + partial_note(coverage, [day.day for day in days]),
        figure,
        Table(
            ("Date", "1 day", "7 days", "30 days"),
            [(str(day.day), count(day.dau), count(day.wau), count(day.mau)) for day in days],
        ),
        wide=True,
    )


def _new_users(overview: Overview) -> Chart:
    note = (
        "People by the date of their earliest event. In the first weeks of a history all users "
        "count as new, including long-standing ones."
    )
    main, coverage, days = overview.main_day, overview.coverage, overview.active_days
    if main is None or coverage is None:
        return Chart("new-users", "No new users in these hours", note)
    figure = go.Figure(
        go.Bar(
            x=[day.day.isoformat() for day in days],
            y=[day.new_users for day in days],
            name="New users",
            marker={"color": BLUE, "opacity": _fainter_when_partial(coverage, days)},
            hovertemplate="%{x|%-d %B %Y}: %{y:,} new<extra></extra>",
        )
    )
    figure.update_layout(height=300, bargap=0.25, xaxis=date_axis(coverage))
    total = sum(day.new_users for day in days)
    return Chart(
        "new-users",
        f"{plural(main.new_users, 'new user')} on {short_day(main.day)}, {count(total)} in "
        f"{plural(coverage.days, 'day')}",
        note + partial_note(coverage, [day.day for day in days]),
        figure,
        Table(
            ("Date", "New users"),
            [(str(day.day), count(day.new_users)) for day in days],
        ),
    )


def _fainter_when_partial(coverage: Coverage, days: list[ActiveDay]) -> list[float]:
    return [1.0 if coverage.is_complete(day.day) else 0.55 for day in days]


def _lifecycle(overview: Overview) -> Chart:
    period, periods = overview.lifecycle_period, overview.lifecycle
    note = (
        f"Everyone active in a {period} is new, current (also active in the {period} before) or "
        f"resurrected (active earlier, not in the {period} before). Dormant: active in the "
        f"{period} before and not in this one."
    )
    if not periods or overview.coverage is None:
        return Chart("lifecycle", "No active users in these hours", note)
    newest = _newest_complete(overview.coverage, period, periods)
    return Chart(
        "lifecycle",
        f"{_named(period, newest.start)}: {count(newest.new)} new, {count(newest.current)} "
        f"current, {count(newest.resurrected)} resurrected, {count(newest.dormant)} dormant",
        note,
        _lifecycle_figure(periods, overview.coverage),
        Table(
            (period.capitalize(), "New", "Current", "Resurrected", "Dormant"),
            [
                (str(row.start), *map(count, (row.new, row.current, row.resurrected, row.dormant)))
                for row in periods
            ],
        ),
    )


def _lifecycle_figure(periods: list[LifecyclePeriod], coverage: Coverage) -> go.Figure:
    x = [period.start.isoformat() for period in periods]
    series = (
        ("Current", [period.current for period in periods], BLUE, ""),
        ("Resurrected", [period.resurrected for period in periods], PURPLE, "/"),
        ("New", [period.new for period in periods], GREEN, ""),
        ("Dormant", [-period.dormant for period in periods], GREY, ""),
    )
    figure = go.Figure(
        [
            go.Bar(
                name=name,
                x=x,
                y=y,
                marker={"color": colour, "pattern": {"shape": pattern, "fillmode": "replace"}},
                customdata=[abs(value) for value in y],
                hovertemplate="%{customdata:,}",
            )
            for name, y, colour, pattern in series
        ]
    )
    figure.update_layout(
        height=340,
        barmode="relative",
        bargap=0.25,
        hovermode="x unified",
        xaxis=date_axis(coverage),
    )
    return figure


def _newest_complete(
    coverage: Coverage, period: str, periods: list[LifecyclePeriod]
) -> LifecyclePeriod:
    """Return the newest period with only complete dates, or the newest while there is none."""
    days = 1 if period == "day" else 7
    whole = [
        row
        for row in periods
        if all(coverage.is_complete(row.start + n * DAY) for n in range(days))
    ]
    return (whole or periods)[-1]


def _named(period: str, start: date) -> str:
    return short_day(start) if period == "day" else f"Week of {short_day(start)}"
