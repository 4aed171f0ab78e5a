"""The command `amplitude-assets bootstrap`: set up AWS or Snowflake, or print what is missing."""

import click

from amplitude_assets.cli.lazy_group import LazyGroup


@click.group(cls=LazyGroup, package=__package__, names=("aws", "snowflake"))
def bootstrap() -> None:
    """Set up AWS or Snowflake: print what would be created, or create it with --apply."""
