"""The command `amplitude-assets instance`: prepare Dagster's home for a deployment."""

import click

from amplitude_assets.config import load_settings
from amplitude_assets.instance.home import open_instance


@click.command()
def instance() -> None:
    """Prepare Dagster's instance: its folder, `dagster.yaml`, and the limits of the pools.

    `run` and `dev` do this themselves. In a deployment, run it before the daemon starts.
    """
    settings = load_settings()
    open_instance(settings).dispose()
    click.echo(settings.dagster_home_path)
