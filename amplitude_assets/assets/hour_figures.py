"""What is known of an hour only after the models ran: its duplicates and how late its events came.

It is told as an observation of the hour in bronze, so that Dagster plots it hour by hour.
"""

from importlib import resources

from dagster import AssetExecutionContext, AssetKey, AssetObservation

from amplitude_assets.hours import partition_of_hour
from amplitude_assets.warehouse.base import Warehouse

_BRONZE = AssetKey(["bronze", "raw_events"])
_MODEL = AssetKey(["gold", "rpt_data_quality"])


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
        context.log_event(
            AssetObservation(
                asset_key=_BRONZE,
                partition=partition_of_hour(hour),
                metadata={
                    "events": int(events),
                    "duplicates": int(duplicates),
                    "late_events": int(late),
                    "lag_p50_seconds": round(float(half or 0), 3),
                    "lag_p95_seconds": round(float(most or 0), 3),
                },
            )
        )
