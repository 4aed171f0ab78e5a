"""The page: its texts, its structure, and the escaping of text from data."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import pytest

from amplitude_assets.report.model import Overview
from amplitude_assets.report.page import render_page, write_page
from amplitude_assets.report.preview import preview_svg
from amplitude_assets.report.theme import DARK, LIGHT, SERIES, Scheme
from tests.support.gold import PROJECT_ID
from tests.unit.report.conftest import read

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}"


class _Outline(HTMLParser):
    """The page's headings, element ids and attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.attributes += [(name, value or "") for name, value in attrs]


def charts_of(page: str) -> dict[str, dict[str, dict[str, object]]]:
    found = re.search(r'<script type="application/json" id="charts">(.*?)</script>', page, re.S)
    assert found is not None
    charts: dict[str, dict[str, dict[str, object]]] = json.loads(found[1])
    return charts


@pytest.fixture
def overview(history: duckdb.DuckDBPyConnection) -> Overview:
    return read(history)


def test_every_figure_has_its_place_and_a_table(overview: Overview) -> None:
    page = render_page(overview)
    charts = charts_of(page)
    assert set(charts["figures"]) == {
        "active-users", "new-users", "lifecycle", "retention-curves", "stickiness",
        "retention-cohorts", "funnel-purchase", "session-length", "top-events", "revenue",
        "lifetime-value", "hours", "lines", "lag",
    }  # fmt: skip
    outline = _Outline(page)
    places = {value for name, value in outline.attributes if name == "data-chart"}
    assert places == set(charts["figures"])
    # The chart of hours has a table only if there are problems. Drift has only a table.
    assert outline.tags.count("table") == len(places)
    assert set(charts["templates"]) == {"light", "dark"}


def test_titles_state_the_result(overview: Overview) -> None:
    page = render_page(overview)
    for title in (
        "people were active on 22 November 2026",
        "Funnel purchase: 6.0% of users at the first step reach “Order Completed”",
        "“Event 0” happens most",
        "All 1,272 hours are loaded and reconciled",
    ):
        assert title in page


def test_headings_are_in_order_and_ids_are_unique(overview: Overview) -> None:
    outline = _Outline(render_page(overview))
    levels = [int(tag[1]) for tag in outline.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    assert len(outline.ids) == len(set(outline.ids))


def test_text_from_data_is_escaped(history: duckdb.DuckDBPyConnection) -> None:
    values = {"name": HOSTILE}
    history.execute("update gold.agg_event_daily set event_type = $name", values)
    history.execute("update gold.agg_funnel set event_type = $name, funnel = $name", values)
    history.execute("update gold.fct_revenue set currency = $name", values)
    history.execute("update silver.property_catalog set event_type = $name, key = $name", values)
    page = render_page(read(history))
    outline = _Outline(page)
    assert outline.tags.count("script") == 3
    assert "img" not in outline.tags
    assert not [name for name, _ in outline.attributes if name.startswith("on")]
    assert "<script>alert" not in page
    assert "onerror=alert(2)&gt;" in page
    assert "{{ 7 * 7 }}" in page


def test_a_thousand_html_event_types_are_escaped_and_limited(
    history: duckdb.DuckDBPyConnection,
) -> None:
    plain = len(render_page(read(history)))
    history.execute(
        "insert into gold.agg_event_daily"
        " select $project, date '2026-11-20', n || $markup, 10000 + n, 9, 9 from range(1080) t(n)",
        {"project": PROJECT_ID, "markup": HOSTILE},
    )
    page = render_page(read(history))
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "1079&lt;/script&gt;" in page
    assert len(page) < plain + 100_000


def test_labels_of_charts_are_escaped_twice(history: duckdb.DuckDBPyConnection) -> None:
    """Plotly interprets some HTML in labels, such as links."""
    history.execute("update gold.agg_event_daily set event_type = '<a href=\"//x\">click</a>'")
    figure = charts_of(render_page(read(history)))["figures"]["top-events"]
    assert "<a" not in json.dumps(figure)
    assert "&lt;a href" in json.dumps(figure)


def test_nothing_is_fetched_and_no_other_script_runs(overview: Overview) -> None:
    page = render_page(overview)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert len(re.findall(r"'sha256-[A-Za-z0-9+/]{43}='", policy[1])) == 2
    assert "unsafe-inline" not in policy[1].partition("script-src")[2]
    links = [value for name, value in _Outline(page).attributes if name in ("href", "src")]
    assert all(link.startswith(("#", "data:")) for link in links)


def test_a_project_without_events_still_gives_a_page(gold: duckdb.DuckDBPyConnection) -> None:
    page = render_page(read(gold))
    assert "No export hour is loaded yet" in page
    assert charts_of(page)["figures"] == {}


def test_hours_that_are_all_empty_give_a_page(gold: duckdb.DuckDBPyConnection) -> None:
    gold.execute(
        "insert into gold.rpt_data_quality select 100011, h, 'empty', 0, 0, 0, 0, 0, true, null, "
        "null from range(timestamp '2026-11-20', timestamp '2026-11-22', interval 1 hour) t(h)"
    )
    page = render_page(read(gold))
    assert "No active users in these hours" in page
    assert "All 48 hours are loaded and reconciled" in page
    assert set(charts_of(page)["figures"]) == {"hours"}
    assert "No events yet" in preview_svg(read(gold))


def test_problems_are_named_in_the_title_and_listed(history: duckdb.DuckDBPyConnection) -> None:
    history.execute("delete from gold.rpt_data_quality where export_hour = '2026-11-10 03:00'")
    history.execute(
        "update gold.rpt_data_quality set is_reconciled = false "
        "where export_hour = '2026-11-12 07:00'"
    )
    page = render_page(read(history))
    assert "1 of 1,272 hours missing: 2026-11-10T03; 1 hour with a mismatch: 2026-11-12T07" in page
    assert '<th scope="row" class="words">2026-11-10T03</th>' in page


def test_a_page_replaces_the_previous_one_atomically(overview: Overview, tmp_path: Path) -> None:
    path = tmp_path / "reports" / "overview.html"
    size = write_page(overview, path)
    before = path.stat().st_ino
    assert path.stat().st_size == size
    write_page(overview, path)
    assert path.stat().st_ino != before
    assert [file.name for file in path.parent.iterdir()] == ["overview.html"]


def _luminance(colour: str) -> float:
    """Return the relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _pairs() -> Iterator[tuple[str, str, float]]:
    scheme: Scheme
    for scheme in (LIGHT, DARK):
        for back in (scheme.page, scheme.card):
            for text in (scheme.ink, scheme.muted, scheme.accent):
                yield text, back, 4.5
        for series in SERIES:
            yield series, scheme.card, 3.0


@pytest.mark.parametrize(("colour", "back", "least"), list(_pairs()))
def test_colours_have_the_contrast_of_wcag_aa(colour: str, back: str, least: float) -> None:
    assert _contrast(colour, back) >= least


def test_the_preview_shows_the_same_figures(overview: Overview) -> None:
    picture = ElementTree.fromstring(preview_svg(overview))
    texts = [node.text for node in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert overview.main_day is not None
    assert str(overview.main_day.dau) in texts
    (line,) = picture.iter("{http://www.w3.org/2000/svg}polyline")
    assert len(line.attrib["points"].split()) == len(overview.active_days)
