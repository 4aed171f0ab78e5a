"""The chart of stickiness, as Amplitude defines it."""

from datetime import date

import plotly.graph_objects as go

from amplitude_assets.report.charts.base import Chart, Table, line
from amplitude_assets.report.model import DAY, Coverage, Overview, StickinessRow
from amplitude_assets.report.theme import SERIES
from amplitude_assets.wording import share, short_day

_WEEKS_SHOWN = 4
_DASHES = ("solid", "dash", "dot", "dashdot")


def stickiness(overview: Overview) -> Chart:
    """Return the share of a week's users who were active on at least one to seven days."""
    note = (
        "The share of a week's active users who were active on at least n of its days. Amplitude "
        "calls this cumulative stickiness."
    )
    weeks = sorted({row.week for row in overview.stickiness})[-_WEEKS_SHOWN:]
    if not weeks or overview.coverage is None:
        return Chart("stickiness", "No week with active users yet", note)
    by_week = {week: [row for row in overview.stickiness if row.week == week] for week in weeks}
    figure = go.Figure(
        [
            line(
                f"Week of {short_day(week)}",
                [row.active_days for row in by_week[week]],
                [row.share_at_least for row in by_week[week]],
                colour,
                dash=dash,
                hover="%{y:.1%}",
            )
            for week, colour, dash in zip(reversed(weeks), SERIES, _DASHES, strict=False)
        ]
    )
    figure.update_layout(
        height=340,
        hovermode="x unified",
        xaxis={"dtick": 1, "title": {"text": "days active in the week, at least"}},
        yaxis={"tickformat": ".0%", "range": [0, 1.05]},
    )
    newest, remark = _week_for_title(overview.coverage, weeks)
    return Chart(
        "stickiness",
        f"{share(_at_least(by_week[newest], 2))} of the people active in the week of "
        f"{short_day(newest)} were active on two days or more{remark}",
        note,
        figure,
        Table(
            ("Days, at least", *(f"Week of {week}" for week in weeks)),
            [
                (str(days), *(share(_at_least(by_week[week], days)) for week in weeks))
                for days in range(1, 8)
            ],
        ),
    )


def _at_least(rows: list[StickinessRow], days: int) -> float:
    return next((row.share_at_least for row in rows if row.active_days == days), 0.0)


def _week_for_title(coverage: Coverage, weeks: list[date]) -> tuple[date, str]:
    """Return the newest complete week, or the newest week and a remark that it is incomplete."""
    complete = [
        week for week in weeks if all(coverage.is_complete(week + n * DAY) for n in range(7))
    ]
    return (complete[-1], "") if complete else (weeks[-1], ", so far")
