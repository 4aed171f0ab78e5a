"""Print the benchmark's tables and targets, and plot its figures by size."""

import subprocess
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import contest, spans
from bench.environments import PLOTS, SetUpError, python_of

# The minimum ratio of events per second, ours to the other's, for `_TARGET_EVENTS` events.
_SPEED_TARGETS = (
    (contest.OURS_ASSETS, contest.AIRBYTE, 10.0),
    (contest.OURS_ASSETS, contest.PYAIRBYTE_DUCKDB, 15.0),
    (contest.OURS_ASSETS, contest.DLT_NESTED, 15.0),
    (contest.OURS_ASSETS, contest.DLT_LINES, 7.0),
    (contest.OURS_ASSETS, contest.LIMIT, 0.75),
    (contest.OURS_EXTRACT, contest.LIMIT_EXTRACT, 0.8),
)
_TARGET_EVENTS = 1_000_000
_EXTRACTION_MB = 300
_BOOKKEEPING_RATIO = 1.3
_START_RATIO = 1.5


def print_all(console: Console, figures: dict[str, Any]) -> None:
    """Print all measured parts, and the targets."""
    for _, measured in _by_number(figures.get("events", {})):
        console.print(_contest_table(measured))
        for entry in measured["contenders"]:
            if "reason" in entry:
                console.print(f"{entry['name']}: {entry['reason']}", highlight=False)
    if spans_measured := _by_number(figures.get("hours", {})):
        console.print(_span_table([measured for _, measured in spans_measured]))
    if histories := _by_number(figures.get("models", {})):
        console.print(_history_table([measured for _, measured in histories]))
    console.print(_target_table(figures))


def plot(root: Path, figures: Path, console: Console) -> None:
    """Plot the JSON file `figures` to `growth.png` next to it, in an environment of matplotlib."""
    picture = figures.with_name("growth.png")
    script = Path(__file__).parent / "peers" / "plot.py"
    try:
        python = python_of(root, PLOTS)
        subprocess.run([python, str(script), str(figures), str(picture)], check=True)  # noqa: S603
    except (SetUpError, subprocess.CalledProcessError) as error:
        console.print(f"no plot: {error}")
    else:
        console.print(f"{figures}  {picture}", soft_wrap=True)


def targets(figures: dict[str, Any]) -> list[tuple[str, float, str, float, bool]]:
    """Return each target: name, measured value, `at least` or `at most`, aim, whether reached."""
    rows: list[tuple[str, float, str, float, bool]] = []
    speeds = _speeds(figures.get("events", {}).get(str(_TARGET_EVENTS), {}))
    for ours, other, aim in _SPEED_TARGETS:
        if ours in speeds and other in speeds:
            ratio = speeds[ours] / speeds[other]
            rows.append((f"{ours} / {other}", ratio, "at least", aim, ratio >= aim))
    for size, measured in _by_number(figures.get("events", {})):
        for entry in measured["contenders"]:
            if entry["name"] == contest.OURS_EXTRACT and "peak_mb" in entry:
                peak = entry["peak_mb"]
                what = f"{contest.OURS_EXTRACT}, {size:,} events, MB"
                rows.append((what, peak, "at most", _EXTRACTION_MB, peak <= _EXTRACTION_MB))
    for hours, measured in _by_number(figures.get("hours", {})):
        seconds = {entry["name"]: entry.get("seconds") for entry in measured["contenders"]}
        if all(seconds.values()):
            ratio = seconds[contest.OURS_ASSETS] / seconds[spans.BOOKKEEPING]
            what = f"{hours:,} near-empty hours / {spans.BOOKKEEPING}"
            reached = ratio <= _BOOKKEEPING_RATIO
            rows.append((what, ratio, "at most", _BOOKKEEPING_RATIO, reached))
    for measured in figures.get("start", {}).values():
        ratio = measured["ratio"]
        what = "definitions / import of dagster and dagster-dbt"
        rows.append((what, ratio, "at most", _START_RATIO, ratio <= _START_RATIO))
    return rows


def _contest_table(measured: dict[str, Any]) -> Table:
    world, run = measured["world"], measured["run"]
    table = Table(
        title=f"{world['lines']:,} events in one day, {world['bytes'] / world['lines']:,.0f} bytes "
        f"a line, medians of up to {run['rounds']} rounds ({run['at']}, {run['commit']})",
        title_justify="left",
    )
    table.add_column("")
    for name in ("events/s", "s", "s with start", "CPU s", "peak MB", "file MB"):
        table.add_column(name, justify="right")
    for part in (contest.EXTRACT, contest.LOAD, contest.END_TO_END):
        table.add_section()
        for entry in measured["contenders"]:
            if entry["part"] == part:
                table.add_row(entry["name"], *_cells(entry))
    return table


def _cells(entry: dict[str, Any]) -> list[str]:
    if "reason" in entry:
        return ["see below"]
    database = entry["database_bytes"]
    return [
        f"{entry['events_per_second']:,}",
        f"{entry['seconds']:,.2f}",
        f"{entry['wall_seconds']:,.2f}",
        f"{entry['cpu_seconds']:,.1f}",
        f"{entry['peak_mb']:,}",
        f"{database / 1024**2:,.0f}" if database else "",
    ]


def _span_table(measured: list[dict[str, Any]]) -> Table:
    table = Table(
        title="near-empty hours through all four assets: seconds, ms a materialisation",
        title_justify="left",
    )
    for name in ("hours", "events", "ours", "Dagster alone", "times", "ours ms", "Dagster ms"):
        table.add_column(name, justify="right")
    for span in measured:
        seconds = {entry["name"]: entry.get("seconds") for entry in span["contenders"]}
        ours, alone = seconds[contest.OURS_ASSETS], seconds[spans.BOOKKEEPING]
        if ours and alone:
            each = 1000 / (4 * span["hours"])
            table.add_row(
                f"{span['hours']:,}",
                f"{span['events']:,}",
                f"{ours:,.1f}",
                f"{alone:,.1f}",
                f"{ours / alone:.2f}",
                f"{ours * each:.1f}",
                f"{alone * each:.1f}",
            )
    return table


def _history_table(measured: list[dict[str, Any]]) -> Table:
    table = Table(
        title="dbt build over a month: seconds of its nodes, with its start, peak MB",
        title_justify="left",
    )
    table.add_column("events", justify="right")
    steps = ("first_build", "one_new_hour", "small_new_hour", "nothing_new", "full_refresh")
    for step in steps:
        table.add_column(step.replace("_", " "), justify="right")
    for history in measured:
        cells = [
            f"{history[step]['seconds']:.1f} / {history[step]['wall_seconds']:.1f} / "
            f"{history[step]['peak_mb']:,}"
            for step in steps
        ]
        table.add_row(f"{history['events']:,}", *cells)
    return table


def _target_table(figures: dict[str, Any]) -> Table:
    table = Table(title="targets", title_justify="left")
    for name in ("", "measured", "aim", ""):
        table.add_column(name)
    for what, value, kind, aim, reached in targets(figures):
        table.add_row(what, f"{value:,.2f}", f"{kind} {aim:g}", "yes" if reached else "no")
    return table


def _speeds(measured: dict[str, Any]) -> dict[str, float]:
    return {
        entry["name"]: entry["events_per_second"]
        for entry in measured.get("contenders", [])
        if "events_per_second" in entry
    }


def _by_number(measured: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    return sorted((int(name), figures) for name, figures in measured.items())
