"""Output of the commands: live progress on a terminal, lines for a log in a pipe."""

import sys
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

from amplitude_assets.progress import Progress, ProgressSink, about_left, time_left

# A step's name and text fit into 80 columns; with the bar and the elapsed time they do not.
_WIDTH_FOR_BARS = 110


def terminal(*, stderr: bool = False) -> Console:
    """Return a console over the current stream that wraps lines only on a terminal."""
    # Bound to the stream now, so that it still prints while `redirect_stdout` silences dbt.
    console = Console(file=sys.stderr if stderr else sys.stdout, highlight=False, markup=False)
    console.soft_wrap = not console.is_terminal
    return console


def print_error(message: object) -> None:
    """Print a message, such as an exception, on one line of standard error."""
    lines = (line.strip() for line in str(message).splitlines())
    terminal(stderr=True).print(" ".join(line for line in lines if line))


@contextmanager
def progress_display(console: Console) -> Iterator[ProgressSink]:
    """Yield a sink that shows the progress of a command's steps.

    A terminal gets a live display, whose first line is the progress of the whole command, or a
    spinner as long as there is none. A pipe gets a line for each quarter of a step.
    """
    if not console.is_terminal:
        yield _Lines(console).show
        return
    tasks: dict[str, TaskID] = {}
    with Bars(*_columns(console.width), console=console) as bars:
        # A task of its own, so that the spinner also turns between steps and before the first one.
        working = bars.add_task("working", total=None)

        def ends_at(seconds_left: float | None) -> float | None:
            return None if seconds_left is None else bars.get_time() + seconds_left

        def show(step: Progress) -> None:
            if step.step not in tasks:
                tasks[step.step] = bars.add_task(step.step, write_left=time_left)
            bars.update(
                tasks[step.step],
                total=step.total,
                completed=step.done,
                reached=step.reached,
                ends_at=ends_at(step.seconds_left),
            )
            if (overall := step.overall) is not None:
                bars.update(
                    working,
                    description=overall.name,
                    total=overall.total,
                    completed=overall.done,
                    reached=overall.reached,
                    write_left=about_left,
                    ends_at=ends_at(overall.seconds_left),
                )

        yield show
        if bars.tasks[0].total is None:
            bars.remove_task(working)


class _Lines:
    """Progress for a log: a line when a run begins, and a line at each quarter of each step."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._run = ""
        self._shown: dict[str, int] = {}

    def show(self, step: Progress) -> None:
        overall = step.overall
        if overall is not None and overall.name != self._run:
            self._run = overall.name
            self._shown.clear()
            self._console.print(str(overall))
        quarter = step.percent // 25
        if quarter > self._shown.get(step.step, -1):
            self._shown[step.step] = quarter
            left = time_left(step.seconds_left)
            self._console.print(f"{step.step}: {step.percent}%, {step.reached}{left}")


@contextmanager
def spinner() -> Iterator[None]:
    """Show a spinner on a terminal while the block, such as a slow import, runs."""
    with progress_display(Console()):
        yield


class _Reached(ProgressColumn):
    """The column of a step's progress; its time left counts down between two reports."""

    def __init__(self) -> None:
        super().__init__(table_column=Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        ends_at = task.fields.get("ends_at")
        write_left = task.fields.get("write_left", time_left)
        left = None if ends_at is None else max(0.0, ends_at - task.get_time())
        return Text(task.fields.get("reached", "") + write_left(left))


def _columns(width: int) -> tuple[ProgressColumn, ...]:
    turning = SpinnerColumn(finished_text="✓")
    name = TextColumn("{task.description:<17}")
    reached = _Reached()
    if width < _WIDTH_FOR_BARS:
        return (turning, name, reached)
    return (turning, name, BarColumn(20), reached, TimeElapsedColumn())
