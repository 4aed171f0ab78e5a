"""The asset `overview_report`: the page that a person opens, made from gold."""

from zoneinfo import ZoneInfo

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
)

from amplitude_assets.assets.about import OWNERS, description, tags
from amplitude_assets.config import Settings
from amplitude_assets.instance import WAREHOUSE_POOL
from amplitude_assets.progress import ProgressSink, StepProgress
from amplitude_assets.warehouse.base import Warehouse

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


def overview_report_asset() -> AssetsDefinition:
    """Return the asset, below every model that the page reads."""

    @asset(
        deps=READ_MODELS,
        group_name="report",
        kinds={"python", "plotly"},
        owners=OWNERS,
        tags=tags("after_loads", personal_data=False),
        description=description(
            "One HTML page: people, coming back, behaviour, revenue, and the pipeline itself, over "
            "the last 365 days up to the newest loaded hour. It has no partitions.",
            "Made anew from gold whenever the models run.",
            "It lands in `DATA_DIR/reports/overview.html`, and opens anywhere, without a network.",
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
        told = StepProgress(progress, "overview_report", 1, parts="page")
        # The charts take a second to import.
        from amplitude_assets.report.page import write_page
        from amplitude_assets.report.preview import preview_data_uri
        from amplitude_assets.report.read import read_overview

        overview = read_overview(
            warehouse.query, settings.project_id, ZoneInfo(settings.project_timezone)
        )
        size = write_page(overview, settings.report_path)
        told.add(1)
        context.log.info("wrote %s, %s bytes", settings.report_path, f"{size:,}")
        main = overview.main_day
        return MaterializeResult(
            metadata={
                "preview": MetadataValue.md(f"![Overview]({preview_data_uri(overview)})"),
                "page": MetadataValue.path(settings.report_path),
                "open": MetadataValue.url(settings.report_path.as_uri()),
                "bytes": size,
                "daily_active_users": main.dau if main else 0,
                "weekly_active_users": main.wau if main else 0,
                "monthly_active_users": main.mau if main else 0,
                "new_users": main.new_users if main else 0,
                "hours_loaded": len(overview.hours),
                "hours_missing": sum(len(gap) for gap in overview.gaps),
                "duplicates": sum(hour.duplicates for hour in overview.hours),
            }
        )

    return overview_report
