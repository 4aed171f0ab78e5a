"""The report's light and dark colour schemes, and their plotly templates.

Both schemes share the data colours: each has a contrast of at least 3 to 1 with both backgrounds
(WCAG 2.2, 1.4.11), and adjacent ones differ in lightness or dash as well as in hue.
"""

from dataclasses import dataclass

import plotly.graph_objects as go

BLUE = "#2a76b6"
ORANGE = "#d9730d"
GREEN = "#1a9a72"
PURPLE = "#a25fb8"
GREY = "#7a8594"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, GREY)

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


@dataclass(frozen=True)
class Scheme:
    """The colours of one scheme; `ramp` is a heat map's colours from lowest to highest."""

    page: str
    card: str
    ink: str
    muted: str
    line: str
    accent: str
    ramp: tuple[str, str, str]


LIGHT = Scheme(
    page="#f4f6f9",
    card="#ffffff",
    ink="#18202b",
    muted="#55606f",
    line="#dfe4eb",
    accent="#1f66a3",
    ramp=("#eef4fa", "#6aa6d6", "#0b3c66"),
)
DARK = Scheme(
    page="#0e131a",
    card="#171e28",
    ink="#e9eef5",
    muted="#a5b1c1",
    line="#2c3746",
    accent="#7fb8e8",
    ramp=("#1d2733", "#2a76b6", "#cfe6fa"),
)


def plotly_template(scheme: Scheme) -> go.layout.Template:
    """Return the plotly template of a scheme."""
    axis = {
        "gridcolor": scheme.line,
        "linecolor": scheme.line,
        "zeroline": False,
        "automargin": True,
        "fixedrange": True,
        "ticks": "",
        "ticklabelstandoff": 6,
        "separatethousands": True,
        "title": {"font": {"size": 12, "color": scheme.muted}},
        "tickfont": {"size": 12, "color": scheme.muted},
    }
    return go.layout.Template(
        layout={
            "paper_bgcolor": scheme.card,
            "plot_bgcolor": scheme.card,
            "colorway": list(SERIES),
            "font": {"family": _FONT, "size": 13, "color": scheme.ink},
            "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
            "xaxis": {**axis, "showgrid": False},
            "yaxis": {**axis, "rangemode": "tozero"},
            "legend": {
                "traceorder": "normal",
                "orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom",
                "font": {"color": scheme.ink},
            },
            "hoverlabel": {
                "bgcolor": scheme.page,
                "bordercolor": scheme.line,
                "font": {"family": _FONT, "size": 13, "color": scheme.ink},
            },
            "coloraxis": {
                "colorscale": [[n / 2, colour] for n, colour in enumerate(scheme.ramp)],
                "showscale": False,
            },
            "dragmode": False,
        }
    )  # fmt: skip
