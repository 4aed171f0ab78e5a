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
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bars
from rich.table import Column
from rich.text import Text

from amplitude_assets.progress import Progress, ProgressSink, time_left

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
        working = bars.add_task("working", total=None)

        def show(step: Progress) -> None:
            if step.step not in tasks:
                tasks[step.step] = bars.add_task(step.step)
            left = step.seconds_left
            bars.update(
                tasks[step.step],
                total=step.total,
                completed=step.done,
                reached=step.reached,
                ends_at=None if left is None else bars.get_time() + left,
            )

        yield show
        bars.remove_task(working)


@contextmanager
def turning() -> Iterator[None]:
    """Show on a terminal that a command is going on, while what it needs is imported."""
    with progress_display(Console()):
        yield


class _Told(ProgressColumn):
    """What a step says of itself; its time left counts down until the step says more."""

    def __init__(self) -> None:
        super().__init__(table_column=Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        ends_at = task.fields.get("ends_at")
        left = None if ends_at is None else max(0.0, ends_at - task.get_time())
        return Text(task.fields.get("reached", "") + time_left(left))


def _columns(width: int) -> tuple[ProgressColumn, ...]:
    spinner = SpinnerColumn(finished_text="✓")
    name = TextColumn("{task.description:<17}")
    told = _Told()
    if width < _WIDTH_FOR_BARS:
        return (spinner, name, told)
    return (spinner, name, BarColumn(20), told, TimeElapsedColumn())
