"""The model reference: dbt's documentation of every table and column, as one page to open."""

from pathlib import Path
from typing import TYPE_CHECKING

from amplitude_assets.config import Settings, dbt_environment

if TYPE_CHECKING:
    from amplitude_assets.dbt_apart import Dbt
    from amplitude_assets.warehouse.base import Warehouse


def write_model_reference(settings: Settings, warehouse: "Warehouse", dbt: "Dbt") -> Path:
    """Write `DATA_DIR/dbt-docs/static_index.html` and return its path.

    It holds the columns' types too, as the warehouse has them by now. Raises
    DagsterDbtCliRuntimeError when dbt cannot read the project or the warehouse.
    """
    folder = settings.data_dir / "dbt-docs"
    with warehouse.exclusive(), dbt_environment(settings):
        dbt.cli(["docs", "generate", "--static"], target_path=folder).wait()
    return folder / "static_index.html"
