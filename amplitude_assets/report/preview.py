"""Draw a small SVG preview of the report, for Dagster's UI."""

import base64
import html
from collections.abc import Sequence

from amplitude_assets.report.headline import Headline, headline_figures
from amplitude_assets.report.model import Overview
from amplitude_assets.report.theme import BLUE, LIGHT
from amplitude_assets.wording import short_day

_WIDTH, _HEIGHT = 720, 250
_LEFT, _TOP, _RIGHT, _BOTTOM = 24, 120, _WIDTH - 24, _HEIGHT - 34
_FIGURES_SHOWN = 6


def preview_data_uri(overview: Overview) -> str:
    """Return the preview as a `data:` URI for an image element."""
    encoded = base64.b64encode(preview_svg(overview).encode()).decode()
    return f"data:image/svg+xml;base64,{encoded}"


def preview_svg(overview: Overview) -> str:
    """Return an SVG of 720 by 250 with the headline figures and the line of daily active users."""
    figures = headline_figures(overview)[:_FIGURES_SHOWN]
    width = (_RIGHT - _LEFT) / max(len(figures), 1)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
            f'width="{_WIDTH}" height="{_HEIGHT}" font-family="system-ui, sans-serif">'
        ),
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" rx="10" fill="{LIGHT.card}"/>',
        *(_figure(figure, _LEFT + n * width) for n, figure in enumerate(figures)),
    ]
    if overview.active_days:
        parts += _line([day.dau for day in overview.active_days])
        first, last = overview.active_days[0].day, overview.active_days[-1].day
        parts.append(_text(_LEFT, _HEIGHT - 12, 12, LIGHT.muted, short_day(first)))
        parts.append(_text(_RIGHT, _HEIGHT - 12, 12, LIGHT.muted, short_day(last), anchor="end"))
        parts.append(_text(_LEFT, _TOP - 14, 12, LIGHT.muted, "Daily active users"))
    else:
        parts.append(_text(_LEFT, _TOP, 14, LIGHT.muted, "No events yet"))
    return "".join([*parts, "</svg>"])


def _figure(figure: Headline, x: float) -> str:
    return _text(x, 36, 12, LIGHT.muted, figure.name.replace(" active users", " active")) + _text(
        x, 66, 22, LIGHT.ink, figure.value, weight=650
    )


def _line(values: Sequence[int]) -> list[str]:
    """Return the SVG elements of a line over a baseline; a single value is a dot."""
    highest = max(*values, 1)
    step = (_RIGHT - _LEFT) / max(len(values) - 1, 1)
    points = [
        (_LEFT + n * step, _BOTTOM - value / highest * (_BOTTOM - _TOP))
        for n, value in enumerate(values)
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    return [
        f'<line x1="{_LEFT}" y1="{_BOTTOM}" x2="{_RIGHT}" y2="{_BOTTOM}" stroke="{LIGHT.line}"/>',
        (
            f'<polyline points="{path}" fill="none" stroke="{BLUE}" stroke-width="2.5" '
            'stroke-linejoin="round"/>'
        ),
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{BLUE}"/>',
    ]


def _text(
    x: float,
    y: float,
    size: int,
    colour: str,
    text: str,
    *,
    weight: int = 400,
    anchor: str = "start",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" '
        f'fill="{colour}" text-anchor="{anchor}">{html.escape(text)}</text>'
    )
