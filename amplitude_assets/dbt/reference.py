"""The model reference: dbt's documentation of every table and column as one HTML page."""

from pathlib import Path
from typing import TYPE_CHECKING

from amplitude_assets.config import Settings
from amplitude_assets.dbt.project import dbt_environment

if TYPE_CHECKING:
    from amplitude_assets.dbt.runner import DbtCliResource
    from amplitude_assets.warehouse.base import Warehouse

_PRINT = """
@media print {
  html, body, .app, .app * { overflow: visible !important; max-height: none !important; }
  html, body, .app, .app-row, .app-content, .app-body, .app-main, .app-scroll, .app-frame {
    display: block !important; position: static !important; height: auto !important;
    width: auto !important; min-width: 0 !important; margin: 0 !important; float: none !important;
  }
  .app-menu, .app-sticky, .nav-tabs, .hotlinks, [class*="launcher"] { display: none !important; }
  table { width: 100% !important; table-layout: auto !important; }
  th, td, code, pre {
    max-width: none !important; white-space: pre-wrap !important; overflow-wrap: anywhere;
  }
}
"""


def write_model_reference(
    settings: Settings, warehouse: "Warehouse", dbt: "DbtCliResource"
) -> Path:
    """Write `DATA_DIR/dbt-docs/static_index.html` and return its path.

    The page opens on `dbt_project/models/overview.md` and has the current column types of the
    warehouse. Raises DagsterDbtCliRuntimeError when dbt cannot read the project or the warehouse.
    """
    folder = settings.data_dir / "dbt-docs"
    with warehouse.exclusive(), dbt_environment(settings):
        dbt.cli(["docs", "generate", "--static"], target_path=folder).wait()
    page = folder / "static_index.html"
    make_printable(page)
    return page


def make_printable(page: Path) -> None:
    """Add print styles to dbt's page, which prints only the visible part and cuts wide tables."""
    html = page.read_text()
    whole = page.with_suffix(".part")
    whole.write_text(html.replace("</head>", f"<style>{_PRINT}</style></head>", 1))
    whole.replace(page)
