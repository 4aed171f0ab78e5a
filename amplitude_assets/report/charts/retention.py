"""Charts of retention: curves over all cohorts, and a heat map with a row for each cohort."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import plotly.graph_objects as go

from amplitude_assets.report.charts.base import Chart, Section, Table, line
from amplitude_assets.report.charts.stickiness import stickiness
from amplitude_assets.report.model import DAY, Overview, RetentionRow
from amplitude_assets.report.theme import BLUE, ORANGE
from amplitude_assets.wording import count, plural, share, short_day

# For more cohort dates than this, a row of the heat map is a week of cohorts.
_MAX_COHORTS_BY_DAY = 35
_MAX_CELLS_WITH_TEXT = 80

_CLOCK = (
    "New users by the date of their first event. As in Amplitude's retention chart, days are 24 "
    "hours of each user, and day 0 begins with the first event."
)


@dataclass
class _Cell:
    """Users of one or more cohorts on day n: all, and those who returned.

    `is_complete` is true when the day is over for all cohorts.
    """

    users: int = 0
    returned: int = 0
    is_complete: bool = True

    @property
    def share(self) -> float:
        return self.returned / self.users if self.users else 0.0

    def add(self, row: RetentionRow) -> None:
        self.users += row.cohort_users
        self.returned += row.returned_users
        self.is_complete = self.is_complete and row.is_complete


def section(overview: Overview) -> Section:
    """Return the section of retention, which includes stickiness."""
    return Section(
        "retention", "Retention", [_curves(overview), stickiness(overview), _heat_map(overview)]
    )


def _curves(overview: Overview) -> Chart:
    note = f"{_CLOCK} Only cohorts whose day is over are counted."
    exact = _over_all(row for row in overview.retention if row.mode == "on")
    later = _over_all(row for row in overview.retention if row.mode == "on_or_after")
    if not exact:
        return Chart("retention-curves", "No cohort has a complete day yet", note)
    figure = go.Figure(
        [
            _curve("on the day or later", later, ORANGE, "dash"),
            _curve("on the day", exact, BLUE, "solid"),
        ]
    )
    figure.update_layout(
        height=340,
        hovermode="x unified",
        xaxis={"dtick": 1 if len(exact) <= 10 else 5, "title": {"text": "days since new"}},
        yaxis={"tickformat": ".0%", "range": [0, 1.05]},
    )
    return Chart(
        "retention-curves",
        _curve_title(exact),
        note,
        figure,
        Table(
            ("Day", "New users", "Returned on the day", "On the day or later"),
            [
                (str(day), count(cell.users), share(cell.share),
                 share(later[day].share) if day in later else "")
                for day, cell in exact.items()
            ],
        ),
    )  # fmt: skip


def _curve(name: str, cells: dict[int, _Cell], colour: str, dash: str) -> go.Scatter:
    return line(
        name,
        list(cells),
        [cell.share for cell in cells.values()],
        colour,
        dash=dash,
        customdata=[(cell.returned, cell.users) for cell in cells.values()],
        hover="%{y:.1%} (%{customdata[0]:,} of %{customdata[1]:,})",
    )


def _curve_title(exact: dict[int, _Cell]) -> str:
    days = [day for day in (1, 7, 30) if day in exact] or [max(exact)]
    parts = [f"{share(exact[day].share)} on day {day}" for day in days]
    return f"New users who returned: {', '.join(parts)}"


def _over_all(rows: Iterable[RetentionRow]) -> dict[int, _Cell]:
    """Sum the complete cohorts of each day, ordered by day."""
    cells: defaultdict[int, _Cell] = defaultdict(_Cell)
    for row in rows:
        if row.is_complete:
            cells[row.day_number].add(row)
    return dict(sorted(cells.items()))


def _heat_map(overview: Overview) -> Chart:
    rows = [row for row in overview.retention if row.mode == "on"]
    by_week = len({row.cohort_date for row in rows}) > _MAX_COHORTS_BY_DAY
    note = f"{_CLOCK} Each row is {'a week' if by_week else 'a day'} of new users. * not complete."
    cohorts = _by_cohort(rows, by_week)
    if not cohorts:
        return Chart("retention-cohorts", "No new users in these hours", note, wide=True)
    last = max(max(cells) for cells in cohorts.values())
    return Chart(
        "retention-cohorts",
        _cohorts_title(cohorts, by_week),
        note,
        _heat_map_figure(cohorts, last),
        _cohort_table(cohorts, last, by_week),
        wide=True,
    )


def _heat_map_figure(cohorts: dict[date, dict[int, _Cell]], last: int) -> go.Figure:
    names = [short_day(start) for start in cohorts]
    grid = [[cells.get(day) for day in range(last + 1)] for cells in cohorts.values()]
    returns = [cell.share for row in grid for cell in row[1:] if cell]
    figure = go.Figure(
        go.Heatmap(
            x=list(range(last + 1)),
            y=list(range(len(names))),
            z=[[cell.share if cell else None for cell in row] for row in grid],
            text=[[_cell_text(cell) for cell in row] for row in grid],
            customdata=[
                [(name, cell.returned, cell.users) if cell else None for cell in row]
                for name, row in zip(names, grid, strict=True)
            ],
            texttemplate="%{text}" if len(grid) * (last + 1) <= _MAX_CELLS_WITH_TEXT else None,
            hovertemplate=(
                "%{customdata[0]}, day %{x}: %{text} returned<br>"
                "%{customdata[1]:,} of %{customdata[2]:,}<extra></extra>"
            ),
            hoverongaps=False,
            coloraxis="coloraxis",
            xgap=2,
            ygap=2,
        )
    )
    figure.update_layout(
        height=110 + len(names) * max(12, min(36, 700 // len(names))),
        # Day 0 is near 100% by definition, so the colour scale covers the days after it.
        coloraxis={"cmin": 0, "cmax": max([*returns, 0.05])},
        xaxis={
            "side": "top", "title": {"text": "days since new"},
            "dtick": 1 if last <= 10 else 5,
        },
        yaxis={
            "autorange": "reversed", "showgrid": False,
            "tickvals": _thinned(len(names)), "ticktext": [names[n] for n in _thinned(len(names))],
        },
    )  # fmt: skip
    return figure


def _cohorts_title(cohorts: dict[date, dict[int, _Cell]], by_week: bool) -> str:
    """Return the range of the cohorts' retention on day 7, or on day 1 if no day 7 is complete."""
    number = plural(len(cohorts), "weekly cohort" if by_week else "daily cohort")
    for day in (7, 1):
        shares = sorted(
            cells[day].share
            for cells in cohorts.values()
            if day in cells and cells[day].is_complete
        )
        if shares:
            low, high = share(shares[0]), share(shares[-1])
            between = low if low == high else f"{low} to {high}"
            return f"{number} of new users: {between} returned on day {day}"
    return f"{number} of new users, not complete yet"


def _by_cohort(rows: list[RetentionRow], by_week: bool) -> dict[date, dict[int, _Cell]]:
    """Group rows by cohort date, or by the Monday of its week; weeks count only complete days."""
    cohorts: defaultdict[date, defaultdict[int, _Cell]] = defaultdict(lambda: defaultdict(_Cell))
    for row in rows:
        if not by_week:
            cohorts[row.cohort_date][row.day_number].add(row)
        elif row.is_complete:
            cohorts[row.cohort_date - row.cohort_date.weekday() * DAY][row.day_number].add(row)
    return {start: dict(cells) for start, cells in sorted(cohorts.items())}


def _cell_text(cell: _Cell | None) -> str:
    if cell is None:
        return ""
    return share(cell.share) if cell.is_complete else f"{share(cell.share)}*"


def _thinned(names: int) -> list[int]:
    """Return the indexes of at most 20 evenly spread names."""
    return list(range(0, names, -(-names // 20)))


def _cohort_table(cohorts: dict[date, dict[int, _Cell]], last: int, by_week: bool) -> Table:
    days = range(last + 1)
    return Table(
        ("Week of" if by_week else "New on", "Users", *(f"Day {day}" for day in days)),
        [
            (
                str(start),
                count(max(cell.users for cell in cells.values())),
                *(_cell_text(cells.get(day)) for day in days),
            )
            for start, cells in cohorts.items()
        ],
    )
