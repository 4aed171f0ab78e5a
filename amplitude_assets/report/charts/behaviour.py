"""Charts of behaviour: funnels, session lengths and the most frequent events."""

from itertools import groupby

import plotly.graph_objects as go

from amplitude_assets.report.charts.base import Chart, Section, Table
from amplitude_assets.report.model import FunnelStep, Overview
from amplitude_assets.report.theme import BLUE
from amplitude_assets.wording import count, duration, label, plural, share, short_day

_LENGTHS = {
    0: "under 10 s",
    10: "10 to 60 s",
    60: "1 to 3 min",
    180: "3 to 10 min",
    600: "10 to 30 min",
    1800: "30 to 60 min",
    3600: "1 h and more",
}
_ROW_HEIGHT = 34


def section(overview: Overview) -> Section:
    """Return the section of behaviour, with one chart for each funnel."""
    funnels = [
        _funnel(name, list(steps))
        for name, steps in groupby(overview.funnels, key=lambda step: step.funnel)
    ]
    return Section(
        "behaviour", "Behaviour", [*funnels, _session_lengths(overview), _top_events(overview)]
    )


def _funnel(name: str, steps: list[FunnelStep]) -> Chart:
    note = (
        "People by the longest path through the steps in this order, within the funnel's window. "
        "Steps and windows are in the seed funnels.csv."
    )
    key = f"funnel-{steps[0].funnel}"
    start, end = steps[0], steps[-1]
    if not start.users:
        return Chart(key, f"Funnel {name}: no user reached the first step", note)
    figure = _rows(
        [f"{step.step}. {label(step.event_type, 20)}" for step in steps],
        [step.users for step in steps],
        [f"{count(step.users)} · {share(step.from_start or 0)}" for step in steps],
        [_step_details(step) for step in steps],
    )
    return Chart(
        key,
        f"Funnel {name}: {share(end.from_start or 0)} of users at the first step reach "
        f"“{end.event_type}”",
        note,
        figure,
        Table(
            ("Step", "People", "Of first step", "Of previous step", "Median time from previous"),
            [
                (
                    f"{step.step}. {step.event_type}",
                    count(step.users),
                    share(step.from_start or 0),
                    "" if step.from_previous is None else share(step.from_previous),
                    "" if step.median_seconds is None else duration(step.median_seconds),
                )
                for step in steps
            ],
        ),
    )


def _step_details(step: FunnelStep) -> str:
    lines = [f"{label(step.event_type)}: {plural(step.users, 'person', 'people')}"]
    if step.from_previous is not None:
        lines.append(f"{share(step.from_previous)} of the previous step")
    if step.median_seconds is not None:
        lines.append(f"half of them within {duration(step.median_seconds)}")
    return "<br>".join(lines)


def _rows(names: list[str], numbers: list[int], texts: list[str], details: list[str]) -> go.Figure:
    """Return horizontal bars, the first on top. Shortened names may repeat."""
    figure = go.Figure(
        go.Bar(
            orientation="h",
            x=numbers,
            y=list(range(len(names))),
            marker={"color": BLUE},
            text=texts,
            textposition="auto",
            insidetextanchor="end",
            textangle=0,
            customdata=details,
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    figure.update_layout(
        height=20 + len(names) * _ROW_HEIGHT,
        bargap=0.3,
        xaxis={"visible": False},
        yaxis={
            "autorange": "reversed",
            "tickvals": list(range(len(names))),
            "ticktext": names,
            "showgrid": False,
        },
    )
    return figure


def _session_lengths(overview: Overview) -> Chart:
    note = (
        "From the first to the last active event of a session, by the device's clock, for "
        "sessions that began on the dates shown. Sessions of more than a day are left out."
    )
    sessions = overview.sessions
    if not sessions.count or sessions.median_seconds is None or sessions.mean_seconds is None:
        return Chart("session-length", "No sessions in these hours", note)
    numbers = [sessions.lengths.get(start, 0) for start in _LENGTHS]
    shares = [share(number / sessions.count) for number in numbers]
    figure = _rows(
        list(_LENGTHS.values()),
        numbers,
        shares,
        [
            f"{name}: {plural(number, 'session')} ({part})"
            for name, number, part in zip(_LENGTHS.values(), numbers, shares, strict=True)
        ],
    )
    return Chart(
        "session-length",
        f"Half of all {count(sessions.count)} sessions last {duration(sessions.median_seconds)} "
        f"or more, on average {duration(sessions.mean_seconds)}",
        f"{note} {share(sessions.bounces / sessions.count)} are bounces, with a single event.",
        figure,
        Table(
            ("Length", "Sessions", "Share"),
            list(zip(_LENGTHS.values(), map(count, numbers), shares, strict=True)),
        ),
    )


def _top_events(overview: Overview) -> Chart:
    note = "The event types with the most events on the dates shown, inactive types included."
    main, events = overview.main_day, overview.event_types
    if not events or main is None:
        return Chart("top-events", "No events in these hours", note)
    figure = _rows(
        [label(event.name, 22) for event in events],
        [event.events for event in events],
        [count(event.events) for event in events],
        [
            f"{label(event.name, 80)}: {plural(event.events, 'event')}<br>"
            f"{plural(event.users, 'person', 'people')} on {short_day(main.day)}"
            for event in events
        ],
    )
    return Chart(
        "top-events",
        f"“{events[0].name}” happens most: {count(events[0].events)} times",
        note,
        figure,
        Table(
            ("Event type", "Events", f"People on {short_day(main.day)}"),
            [(event.name, count(event.events), count(event.users)) for event in events],
        ),
    )
