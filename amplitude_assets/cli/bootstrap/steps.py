"""The options and the output that `bootstrap aws` and `bootstrap snowflake` share."""

import sys
from collections.abc import Iterable

import click
from rich.console import Console

from amplitude_assets.bootstrap.steps import Step, apply_all
from amplitude_assets.cli.display import progress_display


def apply_options(command: "click.decorators.FC") -> "click.decorators.FC":
    """Add the options as the parameters `applied`, `destroy` and `delete_data`."""
    for option in (
        click.option(
            "--delete-data",
            is_flag=True,
            help="With --destroy: delete the data too. This cannot be undone.",
        ),
        click.option("--destroy", is_flag=True, help="Remove what was created, except data."),
        click.option("--apply", "applied", is_flag=True, help="Apply it; otherwise only print it."),
    ):
        command = option(command)
    return command


def check_options(*, destroy: bool, delete_data: bool) -> None:
    """Raise click.UsageError for `--delete-data` without `--destroy`."""
    if delete_data and not destroy:
        raise click.UsageError("--delete-data needs --destroy")


def apply_steps(steps: Iterable[Step]) -> None:
    """Apply steps and print each one's outcome. Raises SetupError."""
    with progress_display(Console(file=sys.stdout)):
        for done in apply_all(steps):
            click.echo(f"{done.outcome:<10} {done.name}")


def print_note(text: str) -> None:
    """Print a note to standard error, so that standard output holds only JSON or SQL."""
    click.echo(text, err=True)
