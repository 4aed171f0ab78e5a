"""What is known of an hour only after the models ran: its duplicates and how late its events came.

It is told twice. As an observation of the hour in bronze it stands on the hour's page. Dagster
plots by the hour only what is materialised, so it is a materialisation of `hour_figures` too.
"""

from importlib import resources

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetObservation,
    AssetSpec,
    PartitionsDefinition,
)

from amplitude_assets.assets.about import OWNERS, description, tags
from amplitude_assets.hours import partition_of_hour
from amplitude_assets.warehouse.base import Warehouse

_BRONZE = AssetKey(["bronze", "raw_events"])
_MODEL = AssetKey(["gold", "rpt_data_quality"])
_FIGURES = AssetKey(["hour_figures"])


def hour_figures_asset(partitions: PartitionsDefinition[str]) -> AssetSpec:
    """Return the asset that the step of the models materialises: it has no step of its own."""
    return AssetSpec(
        _FIGURES,
        deps=[_MODEL],
        group_name="report",
        kinds={"python"},
        owners=OWNERS,
        tags=tags("after_loads", personal_data=False),
        partitions_def=partitions,
        description=description(
            "What became of the hour: its events, duplicates and late events, and the lag from an "
            "event to its upload. A partition is one upload hour; *Plots* shows them side by side.",
            "Told anew whenever the models have taken an hour in; it has no step of its own.",
            "It lands in Dagster only; the table is `gold.rpt_data_quality`.",
        ),
    )


def tell_hour_figures(
    context: AssetExecutionContext, warehouse: Warehouse, project_id: int
) -> None:
    """Log the figures of the hours that this run's models took in, the newest thousand at most.

    Does nothing in a run without the model that holds them.
    """
    if _MODEL not in context.selected_asset_keys:
        return
    sql = (resources.files(__package__) / "hour_figures.sql").read_text()
    for hour, events, duplicates, late, half, most in warehouse.query(
        sql.format(project_id=project_id)
    ):
        figures: dict[str, int | float] = {
            "events": int(events),
            "duplicates": int(duplicates),
            "late_events": int(late),
            "lag_p50_seconds": round(float(half or 0), 3),
            "lag_p95_seconds": round(float(most or 0), 3),
        }
        key = partition_of_hour(hour)
        context.log_event(AssetObservation(_BRONZE, partition=key, metadata=figures))
        context.log_event(AssetMaterialization(_FIGURES, partition=key, metadata=figures))
