"""The asset `overview_report`: an HTML page built from gold."""

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
)

from amplitude_assets.assets.descriptions import OWNERS, description, link, tags
from amplitude_assets.assets.gold_state import holds_until
from amplitude_assets.assets.keys import OVERVIEW_REPORT
from amplitude_assets.config import Settings
from amplitude_assets.instance.pools import WAREHOUSE_POOL
from amplitude_assets.progress import ProgressSink, StepProgress
from amplitude_assets.time_zones import time_zone
from amplitude_assets.warehouse.base import Warehouse, WarehouseError

if TYPE_CHECKING:
    from amplitude_assets.report.model import Overview

_COSTS_OVER = timedelta(days=29)

READ_MODELS = (
    AssetKey(["gold", "agg_active_users_daily"]),
    AssetKey(["gold", "agg_event_daily"]),
    AssetKey(["gold", "agg_funnel"]),
    AssetKey(["gold", "agg_lifecycle"]),
    AssetKey(["gold", "agg_ltv"]),
    AssetKey(["gold", "agg_retention"]),
    AssetKey(["gold", "agg_stickiness"]),
    AssetKey(["gold", "fct_revenue"]),
    AssetKey(["gold", "fct_sessions"]),
    AssetKey(["gold", "rpt_data_quality"]),
    AssetKey(["silver", "property_catalog"]),
)


def overview_report_asset(settings: Settings) -> AssetsDefinition:
    """Return the asset, downstream of every model that the page reads, with a link if set."""

    @asset(
        key=OVERVIEW_REPORT,
        deps=READ_MODELS,
        group_name="report",
        kinds={"python", "plotly"},
        owners=OWNERS,
        tags=tags("after_loads", personal_data=False),
        metadata=link("open", settings.report_url),
        description=description(
            "One HTML page on users, retention, behaviour, revenue and the pipeline itself, over "
            "the last 365 days up to the newest loaded hour. It has no partitions.",
            "Rebuilt from gold after every run of the models.",
            "It lands in `DATA_DIR/reports/overview.html`, and opens without a network.",
        ),
        pool=WAREHOUSE_POOL,
        code_version="1",
    )
    def overview_report(
        context: AssetExecutionContext,
        settings: ResourceParam[Settings],
        warehouse: ResourceParam[Warehouse],
        progress: ResourceParam[ProgressSink],
    ) -> MaterializeResult[None]:
        counter = StepProgress(progress, "overview_report", 1, parts="page")
        # The charts take a second to import.
        from amplitude_assets.report.page import write_page
        from amplitude_assets.report.preview import preview_data_uri
        from amplitude_assets.report.read import read_overview

        overview = read_overview(
            warehouse.query, settings.project_id, time_zone(settings.project_timezone)
        )
        overview = replace(overview, **_costs(context, warehouse, overview))
        size = write_page(overview, settings.report_path)
        counter.add(1)
        context.log.info("wrote %s, %s bytes", settings.report_path, f"{size:,}")
        main = overview.main_day
        return MaterializeResult(
            metadata={
                "preview": MetadataValue.md(f"![Overview]({preview_data_uri(overview)})"),
                "page": MetadataValue.path(settings.report_path),
                "bytes": size,
                "daily_active_users": main.dau if main else 0,
                "weekly_active_users": main.wau if main else 0,
                "monthly_active_users": main.mau if main else 0,
                "new_users": main.new_users if main else 0,
                **holds_until(overview.coverage.ends_at if overview.coverage else None),
                "hours_loaded": len(overview.hours),
                "hours_missing": sum(len(gap) for gap in overview.gaps),
                "duplicates": sum(hour.duplicates for hour in overview.hours),
            }
        )

    return overview_report


def _costs(
    context: AssetExecutionContext, warehouse: Warehouse, overview: "Overview"
) -> dict[str, Any]:
    """Return the overview's fields on costs. The page is written without them if it must be."""
    try:
        return {"costs": warehouse.costs((overview.made_at - _COSTS_OVER).date())}
    except WarehouseError as error:
        context.log.info("the report has no costs: %s", error)
        return {"costs": [], "costs_note": str(error)}
