"""The command `amplitude-assets`: dispatch to a command's module, and report invalid input.

Invalid input gives one line that says what is wrong and what would be right, with exit status 2.
"""

import sys
import warnings

import click

from amplitude_assets.bootstrap.steps import SetupError
from amplitude_assets.cli.display import print_error
from amplitude_assets.cli.lazy_group import LazyGroup
from amplitude_assets.config import SettingsError
from amplitude_assets.hours import HourError
from amplitude_assets.instance.integrity import DamagedHomeError
from amplitude_assets.runs.interrupts import INTERRUPTED

_COMMANDS = (
    "backfill", "bootstrap", "costs", "dev", "docs", "doctor", "emulate", "forget", "instance",
    "rebuild", "run", "status", "verify",
)  # fmt: skip


@click.group(
    cls=LazyGroup,
    package=__package__,
    names=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
def cli() -> None:
    """Load every Amplitude event, hour by hour, from the Export API to gold tables."""


def main() -> None:
    """Run the command line; report invalid input in one line and exit with status 2."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # libraries warn developers; the tests show these warnings
    try:
        cli(standalone_mode=False)
    except click.Abort:
        _exit("stopped", INTERRUPTED)
    except click.ClickException as error:
        _exit(error.format_message(), 2)
    except (HourError, SettingsError) as error:
        _exit(str(error), 2)
    except (DamagedHomeError, SetupError) as error:
        _exit(str(error), 1)


def _exit(message: str, status: int) -> None:
    print_error(f"amplitude-assets: {message}")
    sys.exit(status)
