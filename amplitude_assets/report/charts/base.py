"""The types of charts and tables, and helpers that charts share: date axes and markers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import plotly.graph_objects as go

from amplitude_assets.report.model import Coverage
from amplitude_assets.report.theme import BLUE
from amplitude_assets.wording import short_day

_MAX_DAYS_WITH_TICKS = 10
_MAX_DAYS_WITH_MARKERS = 45
_DAY_IN_MILLISECONDS = 86_400_000


@dataclass(frozen=True)
class Table:
    """A chart's figures as text. The first column is the row's name.

    Columns before the index `numbers_from` are words.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers_from: int = 1


@dataclass(frozen=True)
class Chart:
    """A figure with a title that states its result, a note on how it is counted, and a table.

    `figure` is None for a table only. Without data, there is only the title and the note. A `wide`
    chart spans all columns of the page.
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
    """Return an axis of the shown dates; up to ten dates have a tick each."""
    axis: dict[str, object] = {"type": "date", "tickformat": "%-d %b"}
    if coverage.days <= _MAX_DAYS_WITH_TICKS:
        axis |= {"dtick": _DAY_IN_MILLISECONDS, "tick0": coverage.first_date.isoformat()}
    elif coverage.days > 120:
        axis |= {"tickformat": "%b\n%Y", "dtick": "M1" if coverage.days < 240 else "M2"}
    return axis


def day_markers(coverage: Coverage, days: Sequence[date]) -> dict[str, object]:
    """Return markers that are hollow on dates with hours that are not loaded."""
    complete = [coverage.is_complete(day) for day in days]
    usual = 7 if coverage.days <= _MAX_DAYS_WITH_MARKERS else 0
    return {
        "symbol": ["circle" if is_complete else "circle-open" for is_complete in complete],
        "size": [usual if is_complete else 8 for is_complete in complete],
        "line": {"width": 2, "color": BLUE},
    }


def partial_note(coverage: Coverage, days: Sequence[date]) -> str:
    """Return a sentence that lists the incomplete dates, or an empty string without any."""
    partial = [short_day(day) for day in days if not coverage.is_complete(day)]
    if not partial:
        return ""
    return f" Not all hours of {' and '.join(partial)} are loaded."


def line(
    name: str, x: Sequence[object], y: Sequence[float | None], colour: str, **more: object
) -> go.Scatter:
    """Return a line trace that shows its values on hover.

    `more` may set `mode`, `dash` and the template `hover`; plotly gets the rest.
    """
    return go.Scatter(
        name=name,
        x=x,
        y=y,
        mode=more.pop("mode", "lines+markers"),
        line={"color": colour, "width": 2.5, "dash": more.pop("dash", "solid")},
        hovertemplate=more.pop("hover", "%{y:,}"),
        **more,
    )
