"""Measure the load time of the definitions, compared with importing Dagster and dagster-dbt."""

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from bench.processes import measure
from bench.task import RESULT

_IMPORTS = "import dagster, dagster_dbt"
_DEFINITIONS = (
    "from amplitude_assets.definitions import build_definitions, load_settings\n"
    "build_definitions(load_settings())"
)


def measure_start(root: Path, rounds: int, log: Callable[[str], None]) -> dict[str, Any]:
    """Return the median seconds of both over `rounds` rounds, and their ratio.

    Both run in turn in new processes. A first round, which fills the caches, is not counted.
    """
    scripts = {"imports": _IMPORTS, "definitions": _DEFINITIONS}
    seconds: dict[str, list[float]] = {name: [] for name in scripts}
    environment = {"DATA_DIR": str(root / "start")}
    for number in range(rounds + 1):
        for name, script in scripts.items():
            command = [sys.executable, "-c", f"{script}\nprint('{RESULT}{{}}')"]
            measured = measure(command, root / "start.log", environment, timeout=300)
            if number:  # the first round fills the caches
                seconds[name].append(measured.wall)
    figures = {name: round(median(walls), 2) for name, walls in seconds.items()}
    ratio = round(figures["definitions"] / figures["imports"], 2)
    log(f"start: {figures} s, ratio {ratio}")
    return {**figures, "ratio": ratio}
