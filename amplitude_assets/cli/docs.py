"""The command `amplitude-assets docs`: write the model reference."""

from contextlib import redirect_stdout
from io import StringIO

import click

from amplitude_assets.cli.display import spinner, terminal
from amplitude_assets.config import load_settings
from amplitude_assets.connections.warehouse import open_warehouse


@click.command()
def docs() -> None:
    """Write the model reference: one HTML page with every table and column."""
    settings = load_settings()
    console = terminal()
    warehouse = open_warehouse(settings)
    with spinner():
        from amplitude_assets.dbt.project import dbt_resource
        from amplitude_assets.dbt.reference import write_model_reference

        with redirect_stdout(StringIO()):
            page = write_model_reference(settings, warehouse, dbt_resource(settings))
    console.print(page.as_uri())
