"""Run the parts of the benchmark, and store their figures in `bench.json`."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from amplitude_assets.hours import HOUR, HourRange
from bench import contest, environments, report, spans
from bench.history import measure_history
from bench.start import measure_start
from bench.world import day_before, mean_for, render

_PACKAGES = ("dagster", "dagster-dbt", "dbt-core", "dbt-duckdb", "duckdb", "pyarrow", "obstore")


@dataclass(frozen=True)
class Plan:
    """The parts to measure, and the folders for work files (`root`) and figures (`out`).

    `sizes` are events of one day, `hours` spans of near-empty hours, `history` events of a month.
    """

    root: Path
    out: Path
    seed: int
    until: date
    rounds: int
    parts: Sequence[str]
    sizes: Sequence[int]
    hours: Sequence[int]
    history: Sequence[int]
    only: Sequence[str]
    with_peers: bool


def run(plan: Plan) -> None:
    """Measure all parts, write each to `bench.json` as it finishes, and print the results."""
    console = Console()
    kept = _Kept(plan)
    for part in plan.parts:
        _PARTS[part](plan, kept, console)
    report.print_all(console, kept.figures)
    if plan.with_peers:  # the plot needs an environment too
        report.plot(plan.root, kept.path, console)


def _events(plan: Plan, kept: "_Kept", console: Console) -> None:
    chosen = [
        contender
        for contender in contest.CONTENDERS
        if (plan.with_peers or contender.peer is None)
        and (not plan.only or any(part in contender.name for part in plan.only))
    ]
    for size in plan.sizes:
        first = day_before(plan.until, days=1)
        day = HourRange(first, first + 23 * HOUR)
        world = render(plan.root / "worlds", plan.seed, mean_for(size, plan.seed, day), day)
        console.print(f"{world.counts.lines:,} events in one day, {plan.rounds} rounds")
        entries = contest.run_contest(plan.root, world, chosen, plan.rounds, console.print)
        figures = [entry.figures(world.counts.lines) for entry in entries]
        kept.put("events", str(size), {"world": vars(world.counts), "contenders": figures})


def _hours(plan: Plan, kept: "_Kept", console: Console) -> None:
    for hours in plan.hours:
        figures = spans.measure_span(plan.root, plan.seed, plan.until, hours, console.print)
        kept.put("hours", str(hours), figures)


def _history(plan: Plan, kept: "_Kept", console: Console) -> None:
    for events in plan.history:
        figures = measure_history(plan.root, plan.seed, plan.until, events, console.print)
        kept.put("models", str(events), figures)


def _start(plan: Plan, kept: "_Kept", console: Console) -> None:
    kept.put("start", "definitions", measure_start(plan.root, plan.rounds, console.print))


_PARTS = {"events": _events, "hours": _hours, "models": _history, "start": _start}


class _Kept:
    """The figures of this and earlier runs, in `bench.json`."""

    def __init__(self, plan: Plan) -> None:
        plan.out.mkdir(parents=True, exist_ok=True)
        self.path = plan.out / "bench.json"
        self.figures: dict[str, Any] = {}
        if self.path.exists():
            self.figures = json.loads(self.path.read_text())
        self._run = _about(plan)

    def put(self, part: str, name: str, figures: dict[str, Any]) -> None:
        self.figures.setdefault(part, {})[name] = {"run": self._run, **figures}
        self.path.write_text(json.dumps(self.figures, indent=2) + "\n")


def _about(plan: Plan) -> dict[str, Any]:
    """Return the conditions of a measurement: commit, plan, machine and versions."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    peers = (environments.AIRBYTE_SOURCE, environments.PYAIRBYTE, environments.DLT)
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "seed": plan.seed,
        "until": plan.until.isoformat(),
        "rounds": plan.rounds,
        "load_average": round(os.getloadavg()[0], 2),
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3),
        },
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _PACKAGES},
        "peers": [peer.requirement for peer in peers],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), "")
