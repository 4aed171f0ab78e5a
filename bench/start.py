"""The start: loading the definitions, beside importing Dagster and dagster-dbt alone."""

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


def measure_start(root: Path, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure both as processes, in turn; the dbt manifest is there already."""
    scripts = {"imports": _IMPORTS, "definitions": _DEFINITIONS}
    seconds: dict[str, list[float]] = {name: [] for name in scripts}
    environment = {"DATA_DIR": str(root / "start")}
    for number in range(rounds + 1):
        for name, script in scripts.items():
            command = [sys.executable, "-c", f"{script}\nprint('{RESULT}{{}}')"]
            measured = measure(command, root / "start.log", environment, patience=300)
            if number:  # the first fills the caches
                seconds[name].append(measured.wall)
    figures = {name: round(median(walls), 2) for name, walls in seconds.items()}
    ratio = round(figures["definitions"] / figures["imports"], 2)
    say(f"start: {figures} s, {ratio} times")
    return {**figures, "ratio": ratio}
