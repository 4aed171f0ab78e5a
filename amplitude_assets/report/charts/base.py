"""What a chart of the report is, and what the charts share: time axes and whole dates."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import plotly.graph_objects as go

from amplitude_assets.report.model import Coverage
from amplitude_assets.report.theme import BLUE
from amplitude_assets.report.words import short_day

_DAYS_TICKED_ONE_BY_ONE = 10
_DAYS_WITH_MARKERS = 45
_DAY_IN_MILLISECONDS = 86_400_000


@dataclass(frozen=True)
class Table:
    """The same figures as text: column names, and a row a line. The first column names the row.

    Columns before `numbers_from` are words.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers_from: int = 1


@dataclass(frozen=True)
class Chart:
    """A picture with a title that says what is seen, a note on how it is counted, and a table.

    Without a figure the table stands alone; without rows, `title` is all there is to say.
    """

    key: str
    title: str
    note: str
    figure: go.Figure | None = None
    table: Table = field(default_factory=lambda: Table((), ()))
    wide: bool = False


@dataclass(frozen=True)
class Section:
    """Charts under one heading."""

    key: str
    title: str
    charts: Sequence[Chart]


def date_axis(coverage: Coverage) -> dict[str, object]:
    """Return an axis of the shown dates, each ticked while they are few."""
    axis: dict[str, object] = {"type": "date", "tickformat": "%-d %b"}
    if coverage.days <= _DAYS_TICKED_ONE_BY_ONE:
        axis |= {"dtick": _DAY_IN_MILLISECONDS, "tick0": coverage.first_date.isoformat()}
    elif coverage.days > 120:
        axis |= {"tickformat": "%b\n%Y", "dtick": "M1" if coverage.days < 240 else "M2"}
    return axis


def day_markers(coverage: Coverage, days: Sequence[date]) -> dict[str, object]:
    """Return markers that are open on dates of which not all hours are loaded."""
    whole = [coverage.is_whole(day) for day in days]
    usual = 7 if coverage.days <= _DAYS_WITH_MARKERS else 0
    return {
        "symbol": ["circle" if is_whole else "circle-open" for is_whole in whole],
        "size": [usual if is_whole else 8 for is_whole in whole],
        "line": {"width": 2, "color": BLUE},
    }


def partial_note(coverage: Coverage, days: Sequence[date]) -> str:
    """Say which of the dates shown are not whole, as one more sentence, if any is not."""
    partial = [short_day(day) for day in days if not coverage.is_whole(day)]
    if not partial:
        return ""
    return f" Not all hours of {' and '.join(partial)} are loaded."


def line(
    name: str, x: Sequence[object], y: Sequence[float | None], colour: str, **more: object
) -> go.Scatter:
    """Return a line with its name and its numbers on hover."""
    return go.Scatter(
        name=name,
        x=x,
        y=y,
        mode=more.pop("mode", "lines+markers"),
        line={"color": colour, "width": 2.5, "dash": more.pop("dash", "solid")},
        hovertemplate=more.pop("hover", "%{y:,}"),
        **more,
    )
