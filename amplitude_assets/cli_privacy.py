"""The command that forgets a person: `amplitude-assets forget`."""

import sys

import click

from amplitude_assets.config import load_settings
from amplitude_assets.progress_display import turning


def register(cli: click.Group) -> None:
    """Add the command of this module to the command line."""
    cli.add_command(forget)


@click.command()
@click.option("--user", "user_ids", multiple=True, help="A user id, as the sender wrote it.")
@click.option(
    "--amplitude-id", "amplitude_ids", multiple=True, type=click.IntRange(min=1), help="An id."
)
@click.option("--yes", "confirmed", is_flag=True, help="Do not ask.")
def forget(user_ids: tuple[str, ...], amplitude_ids: tuple[int, ...], confirmed: bool) -> None:
    """Remove a person from lake, bronze, silver and gold, keep them out, and prove it.

    Each option can be given several times; all ids found with one of them go. There is no way
    back. Exit 0 when nothing is left of them, 1 when something is: then do it again.
    """
    settings = load_settings()
    if not user_ids and not amplitude_ids:
        raise click.UsageError("say who: --user USER_ID, or --amplitude-id N")
    if not all(user_ids):
        raise click.UsageError("--user needs a user id that is not empty")
    if not confirmed and not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on; give --yes, or run it on one")
    with turning():
        from amplitude_assets.forget_run import forget_on_terminal

    sys.exit(forget_on_terminal(settings, user_ids, amplitude_ids, confirmed=confirmed))
