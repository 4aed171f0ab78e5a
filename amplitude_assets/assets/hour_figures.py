"""Figures of an hour that only the models know: its duplicates, late events and lags.

They are logged twice: as an observation of the hour in bronze, which the hour's page shows, and as
a materialization of `hour_figures`, because Dagster plots only materializations by partition. A
page hides observations older than the hour's newest materialization, so an hour that is
materialized again without a change gets its figures copied to the new materialization.
"""

from collections.abc import Mapping
from datetime import datetime
from importlib import resources

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetObservation,
    AssetRecordsFilter,
    AssetSpec,
    DagsterInstance,
    MetadataValue,
    PartitionsDefinition,
)

from amplitude_assets.assets.descriptions import OWNERS, description, tags
from amplitude_assets.assets.keys import RAW_EVENTS
from amplitude_assets.hours import hour_of_partition, partition_of_hour
from amplitude_assets.warehouse.base import Warehouse

_MODEL = AssetKey(["gold", "rpt_data_quality"])
_FIGURES = AssetKey(["hour_figures"])
_NAMES = ("events", "duplicates", "late_events", "lag_p50_seconds", "lag_p95_seconds")
_PAGE = 500


def hour_figures_asset(partitions: PartitionsDefinition[str]) -> AssetSpec:
    """Return the asset, which has no step: the step of the models materializes it."""
    return AssetSpec(
        _FIGURES,
        deps=[_MODEL],
        group_name="report",
        kinds={"python"},
        owners=OWNERS,
        tags=tags("after_loads", personal_data=False),
        partitions_def=partitions,
        description=description(
            "An hour's events, duplicates and late events, and the lag from an event to its "
            "upload. A partition is one upload hour; *Plots* shows the hours side by side.",
            "Logged again whenever the models consume the hour; it has no step of its own.",
            "It lands in Dagster only; the table is `gold.rpt_data_quality`.",
        ),
    )


def log_hour_figures(context: AssetExecutionContext, warehouse: Warehouse, project_id: int) -> None:
    """Log the figures of the hours that this run's models consumed, the newest thousand at most.

    Do nothing in a run without the model `gold/rpt_data_quality`, which has them.
    """
    if _MODEL not in context.selected_asset_keys:
        return
    sql = (resources.files(__package__) / "hour_figures.sql").read_text()
    for hour, events, duplicates, late, half, most in warehouse.query(
        sql.format(project_id=project_id)
    ):
        lags = (round(float(lag or 0), 3) for lag in (half, most))
        figures = dict(zip(_NAMES, (int(events), int(duplicates), int(late), *lags), strict=True))
        key = partition_of_hour(hour)
        context.log_event(AssetObservation(RAW_EVENTS, partition=key, metadata=figures))
        context.log_event(AssetMaterialization(_FIGURES, partition=key, metadata=figures))


def known_figures(
    instance: DagsterInstance, loaded_at: Mapping[datetime, datetime]
) -> dict[datetime, dict[str, MetadataValue]]:
    """Return the newest figures of each hour.

    `loaded_at` is when bronze loaded each hour (aware). Older figures describe other events and are
    left out.
    """
    figures: dict[datetime, dict[str, MetadataValue]] = {}
    wanted = AssetRecordsFilter(
        _FIGURES, asset_partitions=[partition_of_hour(hour) for hour in loaded_at]
    )
    page = None
    while loaded_at and (page is None or page.has_more):
        page = instance.fetch_materializations(
            wanted, limit=_PAGE, cursor=page.cursor if page else None
        )
        for record in page.records:
            found = record.asset_materialization
            if found is None or found.partition is None:
                continue
            hour = hour_of_partition(found.partition)
            if hour not in figures and record.timestamp >= loaded_at[hour].timestamp():
                figures[hour] = {name: found.metadata[name] for name in _NAMES}
    return figures
