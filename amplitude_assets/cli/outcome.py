"""Print failed, missing and questioned hours to standard error, for several commands."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from amplitude_assets.cli.display import print_error
from amplitude_assets.hours import contiguous_ranges, format_hour
from amplitude_assets.wording import plural

if TYPE_CHECKING:
    from amplitude_assets.runs.in_process import MainRunOutcome
    from amplitude_assets.warehouse.base import LedgerRow

_SHOWN_REASONS = 10
_SHOWN_GAPS = 10


def print_failures(outcome: "MainRunOutcome") -> None:
    """Print what failed in a run, and which hours are missing in bronze."""
    for reason in outcome.reasons[:_SHOWN_REASONS]:
        print_error(reason)
    if len(outcome.reasons) > _SHOWN_REASONS:
        print_error(f"and {len(outcome.reasons) - _SHOWN_REASONS} more")
    if outcome.superseded:
        hours = ", ".join(str(part) for part in contiguous_ranges(outcome.superseded))
        print_error(f"kept: another run loaded a newer delivery of {hours} meanwhile")
    if outcome.missing:
        gaps = ", ".join(str(gap) for gap in outcome.missing[:_SHOWN_GAPS])
        more = len(outcome.missing) - _SHOWN_GAPS
        others = f" and {plural(more, 'other range')}: amplitude-assets status" if more > 0 else ""
        print_error(f"missing: {gaps}{others}")


def print_hours_in_question(ledger: "Mapping[datetime, LedgerRow]") -> None:
    """Print the hours for which Amplitude's last answer had fewer events than bronze has."""
    questioned = {hour: row for hour, row in ledger.items() if row.events_in_question}
    if not questioned:
        return
    for hour, row in [*questioned.items()][:_SHOWN_REASONS]:
        held = row.lines - row.rejected_lines
        print_error(
            f"in question  {format_hour(hour)}: Amplitude answered with "
            f"{held - row.events_in_question:,} events, {held:,} are in bronze "
            f"(since {row.in_question_since:%Y-%m-%d %H:%M} UTC)"
        )
    if len(questioned) > _SHOWN_REASONS:
        print_error(f"and {len(questioned) - _SHOWN_REASONS:,} more hours in question")
    first, last = format_hour(min(questioned)), format_hour(max(questioned))
    print_error(
        "They keep their events until the same answer comes again. To accept it now: "
        f"amplitude-assets run --from {first} --to {last} --accept-fewer"
    )
