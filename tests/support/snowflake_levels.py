"""Print the results of the Snowflake tests by level, and write the report of a live account."""

import os
import re
from pathlib import Path
from typing import Any

from tests.support.live_report import FILE, LiveResult, render

_ROOT = Path(__file__).parents[2]

_FILE = re.compile(r"tests/snowflake/test_([abc])_\w+\.py")
_LONGEST_FAILURE = 2000
_LEVELS = {
    "a": "a  the syntax of every statement, by a grammar of Snowflake's SQL",
    "b": "b  through the real connector to an emulator, over HTTP",
    "c": "c  the same tables as DuckDB, row by row",
    "d": "d  on a live account",
}


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print a line for each level that was run; pytest calls this."""
    counted: dict[str, dict[str, int]] = {}
    live: list[LiveResult] = []
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            found = _FILE.search(report.nodeid)
            if found is not None and (report.when == "call" or outcome != "passed"):
                level = "d" if "[live" in report.nodeid else found[1]
                if level == "d" and outcome != "skipped":
                    live.append(
                        LiveResult(
                            report.nodeid.rpartition("/")[2],
                            outcome,
                            report.duration,
                            report.longreprtext[-_LONGEST_FAILURE:],
                        )
                    )
                counts = counted.setdefault(level, {})
                counts[outcome] = counts.get(outcome, 0) + 1
    if counted:
        terminalreporter.section("Snowflake tests by level")
    for level, counts in sorted(counted.items()):
        results = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
        if level == "d" and set(counts) == {"skipped"}:
            results += ": no account is set; see docs/snowflake.md"
        terminalreporter.line(f"{_LEVELS[level]}: {results}")
    if live:
        (_ROOT / FILE).parent.mkdir(exist_ok=True)
        (_ROOT / FILE).write_text(render(live, os.environ))
        terminalreporter.line(f"{FILE}: the results of the live account, to attach to an issue")
