"""Render an overview as one self-contained HTML file.

Data reaches the page in two ways, both escaped: as text through Jinja, and as JSON in which plotly
escapes `<`, `>` and `/`. A content security policy names the digests of the two scripts, so that
no other script runs and nothing is fetched.
"""

import base64
import hashlib
import os
import tempfile
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.io.json import to_json_plotly
from plotly.offline import get_plotlyjs

from amplitude_assets.report.charts import (
    behaviour,
    costs,
    people,
    pipeline,
    retention,
    revenue,
)
from amplitude_assets.report.charts.base import Section
from amplitude_assets.report.headline import headline_figures, subtitle
from amplitude_assets.report.model import Overview
from amplitude_assets.report.theme import DARK, LIGHT, plotly_template
from amplitude_assets.wording import moment

_TOPICS = (people, retention, behaviour, revenue, pipeline, costs)


def write_page(overview: Overview, path: Path) -> int:
    """Write the page to `path` atomically, and return its size in bytes.

    Raises OSError when the folder is not writable.
    """
    content = render_page(overview).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        file.write(content)
    temporary = Path(file.name)
    try:
        os.replace(temporary, path)  # noqa: PTH105 - atomic on all platforms
    finally:
        temporary.unlink(missing_ok=True)
    return len(content)


def render_page(overview: Overview) -> str:
    """Return the page as HTML."""
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made = [topic.section(overview) for topic in _TOPICS]
    sections = [section for section in made if section is not None]
    scripts = {"plotly": get_plotlyjs(), "ours": _template_text("overview.js")}
    return environment.get_template("overview.html.j2").render(
        overview=overview,
        subtitle=subtitle(overview),
        headlines=headline_figures(overview),
        sections=sections,
        light=LIGHT,
        dark=DARK,
        style=Markup(_template_text("overview.css")),  # noqa: S704 - a file of ours
        charts=Markup(_charts_json(sections)),  # noqa: S704 - escaped by plotly, see above
        scripts={name: Markup(script) for name, script in scripts.items()},  # noqa: S704
        digests=[_digest(script) for script in scripts.values()],
        made_at=moment(overview.made_at),
    )


def _charts_json(sections: list[Section]) -> str:
    """Return the figures by key and both templates, as JSON that is safe inside a script tag."""
    figures = {
        chart.key: chart.figure.to_plotly_json()
        for section in sections
        for chart in section.charts
        if chart.figure is not None
    }
    for figure in figures.values():
        # The page's script adds the template of the current colour scheme.
        figure["layout"].pop("template", None)
    templates = {
        name: plotly_template(scheme).to_plotly_json()
        for name, scheme in (("light", LIGHT), ("dark", DARK))
    }
    return str(to_json_plotly({"figures": figures, "templates": templates}))


def _template_text(name: str) -> str:
    return (resources.files(__package__) / "templates" / name).read_text()


def _digest(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
