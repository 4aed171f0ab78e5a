"""The report's asset links to REPORT_URL, which a browser follows from Dagster's UI."""

import pytest
from dagster import MetadataValue

from amplitude_assets.assets.keys import OVERVIEW_REPORT
from amplitude_assets.config import Settings
from amplitude_assets.definitions import build_definitions

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("url", ["https://reports.example/overview", None])
def test_the_report_opens_from_its_asset(url: str | None) -> None:
    graph = build_definitions(Settings(report_url=url))
    (metadata,) = (
        spec.metadata for spec in graph.resolve_all_asset_specs() if spec.key == OVERVIEW_REPORT
    )
    assert metadata.get("open") == (MetadataValue.url(url) if url else None)
