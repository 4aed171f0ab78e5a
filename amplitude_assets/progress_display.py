"""Progress on a terminal: a line for each step, with a bar where there is room for one.

Where the output is no terminal it is silent: what is piped holds results and nothing else.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bars

from amplitude_assets.progress import Progress, ProgressSink

# What a step says fits into 80 signs beside its name; the bar and the clock need more.
_WIDTH_FOR_BARS = 110


@contextmanager
def progress_display(console: Console) -> Iterator[ProgressSink]:
    """Show the steps that the sink is told of, and above them that something is going on."""
    if not console.is_terminal:
        yield lambda _: None
        return
    tasks: dict[str, TaskID] = {}
    with Bars(*_columns(console.width), console=console) as bars:
        # Its spinner turns between two steps and before the first one too.
        working = bars.add_task("working", total=None, told="")

        def show(step: Progress) -> None:
            if step.step not in tasks:
                tasks[step.step] = bars.add_task(step.step, told="")
            told = str(step).partition(": ")[2]
            bars.update(tasks[step.step], total=step.total, completed=step.done, told=told)

        yield show
        bars.remove_task(working)


@contextmanager
def turning() -> Iterator[None]:
    """Show on a terminal that a command is going on, while what it needs is imported."""
    with progress_display(Console()):
        yield


def _columns(width: int) -> tuple[ProgressColumn, ...]:
    spinner = SpinnerColumn(finished_text="✓")
    name = TextColumn("{task.description:<17}")
    told = TextColumn("{task.fields[told]}")
    if width < _WIDTH_FOR_BARS:
        return (spinner, name, told)
    return (spinner, name, BarColumn(20), told, TimeElapsedColumn())
