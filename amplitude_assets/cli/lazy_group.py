"""A click group that imports a command's module only when the command is used."""

from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """A group whose commands are modules of one package, each with a command of its own name.

    The pattern is click's: https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands.
    `--help` and completion import every command, so these modules import Dagster, dbt and the
    emulator, which take seconds, only in functions.
    """

    def __init__(self, *args: Any, package: str, names: tuple[str, ...], **kwargs: Any) -> None:
        """Take the commands `names` from the modules of `package`; the rest is `click.Group`'s."""
        super().__init__(*args, **kwargs)
        self._package = package
        self._names = names

    def list_commands(self, _context: click.Context) -> list[str]:
        """Return the names in alphabetical order, as click lists them."""
        return sorted(self._names)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """Import a command, or return None when the group has none of that name."""
        if name not in self._names:
            return None
        command: click.Command = getattr(import_module(f"{self._package}.{name}"), name)
        return command
