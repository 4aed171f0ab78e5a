"""Tells at the end of a test run how far Snowflake is proven: what passed on each of four rungs."""

import re
from typing import Any

_FILE = re.compile(r"tests/snowflake/test_([abc])_\w+\.py")
_WHAT = {
    "a": "a  every statement is Snowflake's SQL, by a grammar of it",
    "b": "b  through the real connector to an emulator, over HTTP",
    "c": "c  the same tables as DuckDB, row by row",
    "d": "d  on a live account",
}


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print a line for each rung that was run; pytest calls this."""
    counted: dict[str, dict[str, int]] = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            found = _FILE.search(report.nodeid)
            if found is not None and (report.when == "call" or outcome != "passed"):
                rung = "d" if "[live" in report.nodeid else found[1]
                counts = counted.setdefault(rung, {})
                counts[outcome] = counts.get(outcome, 0) + 1
    if counted:
        terminalreporter.section("Snowflake, rung by rung")
    for rung, counts in sorted(counted.items()):
        told = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
        if rung == "d" and set(counts) == {"skipped"}:
            told += ": no account is set; see docs/snowflake.md"
        terminalreporter.line(f"{_WHAT[rung]}: {told}")
