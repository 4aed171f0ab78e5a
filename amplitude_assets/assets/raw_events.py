"""The asset `bronze/raw_events`: every exported line as a row, replaced hour by hour."""

from datetime import UTC, datetime

from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    TableColumn,
    TableSchema,
    asset,
)

from amplitude_assets.assets.descriptions import description, link
from amplitude_assets.assets.hour_figures import known_figures
from amplitude_assets.assets.hourly import (
    SUPERSEDED,
    HourlyOutcome,
    HourlyRules,
    Metadata,
    confirm_after,
    hours_of,
    no_retry_on_permanent_errors,
    step_progress,
)
from amplitude_assets.assets.keys import RAW_EVENTS, S3_EVENT_OBJECTS
from amplitude_assets.config import Settings
from amplitude_assets.connections.snowsight import query_page, table_page
from amplitude_assets.hours import HourRange, format_hour
from amplitude_assets.instance.pools import WAREHOUSE_POOL
from amplitude_assets.lake.acceptance import ACCEPT_AT_ONCE
from amplitude_assets.lake.manifest import Manifest
from amplitude_assets.lake.store import Lake, LakeError
from amplitude_assets.progress import ProgressSink
from amplitude_assets.warehouse.base import LedgerRow, Warehouse, WarehouseError

_COLUMNS = TableSchema(
    columns=[
        TableColumn("project_id", "bigint", "The Amplitude project that was exported."),
        TableColumn(
            "export_hour", "timestamp", "The UTC hour in which Amplitude received the line."
        ),
        TableColumn("source_object", "varchar", "The lake object that holds the line."),
        TableColumn("source_line", "bigint", "The number of the line in that object, from 1."),
        TableColumn("load_id", "varchar", "The load that wrote the row."),
        TableColumn("loaded_at", "timestamp", "When that load wrote it, UTC."),
        TableColumn("event", "json", "The line, as received (VARIANT on Snowflake)."),
    ]
)


def raw_events_asset(rules: HourlyRules, settings: Settings) -> AssetsDefinition:
    """Return the asset with the rules that all hourly assets share."""

    @asset(
        key=RAW_EVENTS,
        deps=[S3_EVENT_OBJECTS],
        group_name="bronze",
        kinds={settings.warehouse, "table", "bronze"},
        description=description(
            "Every exported line as one JSON row, with the object and line it came from. A "
            "partition is one upload hour.",
            "Materializing again replaces the hour with the objects of its manifest, in one "
            "transaction with its ledger row. An unchanged hour is skipped, and so is an answer "
            "with fewer events until it is confirmed.",
            "It lands in the table `bronze.raw_events`, and the ledger is `bronze.export_hours`.",
        ),
        metadata={
            "dagster/column_schema": _COLUMNS,
            "dagster/table_name": f"{settings.database}.bronze.raw_events",
            **link("table", table_page(settings, "bronze", "raw_events")),
        },
        pool=WAREHOUSE_POOL,
        code_version="1",
        **rules.arguments(),
    )
    @no_retry_on_permanent_errors
    def raw_events(
        context: AssetExecutionContext,
        settings: ResourceParam[Settings],
        lake: ResourceParam[Lake],
        warehouse: ResourceParam[Warehouse],
        progress: ResourceParam[ProgressSink],
    ) -> MaterializeResult[None]:
        outcome = HourlyOutcome(context)
        hours = hours_of(context)
        counter = step_progress(context, progress, len(hours), units="lines")
        manifests = _read_manifests(outcome, lake, settings.project_id, hours)
        if confirm_after(context, settings) == ACCEPT_AT_ONCE:
            manifests = [one.model_copy(update={"is_confirmed": True}) for one in manifests]
        report = warehouse.load(lake, manifests, _load_id(context), counter.add)
        for hour in report.superseded:
            context.log.info(
                f"{format_hour(hour)}: bronze already has a newer delivery and keeps it"
            )
        for error in report.errors:
            outcome.fail([error.hour], error.message, retryable=error.retryable)
        try:
            warehouse.load_merges(lake, settings.project_id)
        except WarehouseError as error:
            context.log.error(str(error))  # the hours are loaded all the same
        ledger = warehouse.ledger(settings.project_id, HourRange(min(hours), max(hours)))
        replaced = set(report.replaced)
        unchanged = {hour: ledger[hour].loaded_at for hour in report.unchanged}
        figures = known_figures(context.instance, unchanged)
        for hour in hours:
            if hour not in outcome.failed:
                outcome.done[hour] = {
                    **_metadata(ledger[hour], hour in replaced),
                    **figures.get(hour, {}),
                    SUPERSEDED: hour in report.superseded,
                }
                if query_id := report.query_ids.get(hour):
                    query = {"query_id": _query_link(settings, query_id)}
                    outcome.done[hour] = {**outcome.done[hour], **query}
        return outcome.result()

    return raw_events


def _read_manifests(
    outcome: HourlyOutcome, lake: Lake, project_id: int, hours: list[datetime]
) -> list[Manifest]:
    manifests = []
    for hour in hours:
        try:
            manifest = lake.read_manifest(project_id, hour)
        except LakeError as error:
            outcome.fail([hour], str(error), retryable=error.retryable)
            continue
        if manifest is None:
            outcome.fail(
                [hour],
                f"the lake has no manifest of it; materialize s3_event_objects for "
                f"{format_hour(hour)} first",
            )
        else:
            manifests.append(manifest)
    return manifests


def _load_id(context: AssetExecutionContext) -> str:
    """Return an id of this load that sorts by time and names its run."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{context.run.run_id[:8]}"


def _query_link(settings: Settings, query_id: str) -> MetadataValue:
    page = query_page(settings, query_id)
    return MetadataValue.text(query_id) if page is None else MetadataValue.url(page)


def _metadata(row: LedgerRow, replaced: bool) -> Metadata:
    return {
        "dagster/partition_row_count": row.lines - row.rejected_lines,
        "status": row.status,
        "lines": row.lines,
        "rejected_lines": row.rejected_lines,
        "bytes": row.bytes,
        "objects": row.objects,
        "changed": replaced,
        "events_in_question": row.events_in_question,
        "load_id": row.load_id,
    }
