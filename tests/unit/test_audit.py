"""The report of `make audit`: without an audited package it does not claim success."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "audit.py"


def verdict(*dependencies: dict[str, Any]) -> tuple[list[str], int]:
    result: tuple[list[str], int] = script().verdict(json.dumps({"dependencies": dependencies}), "")
    return result


def script() -> Any:
    spec = importlib.util.spec_from_file_location("audit", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CLEAN = {"name": "click", "version": "8.1.8", "vulns": []}
SKIPPED = {"name": "colorama", "skip_reason": "Dependency not found"}
VULNERABLE = {
    "name": "requests",
    "version": "2.19.0",
    "vulns": [{"id": "PYSEC-2018-28", "fix_versions": ["2.20.0"], "aliases": []}],
}


@pytest.mark.parametrize(
    ("dependencies", "status", "expected"),
    [
        ([CLEAN], 0, "1 of 1 dependencies audited"),
        ([CLEAN, SKIPPED], 0, "not audited: colorama"),
        ([CLEAN, VULNERABLE], 1, "requests 2.19.0: PYSEC-2018-28, fixed in 2.20.0"),
        ([SKIPPED], 0, "NOT AUDITED"),
    ],
)
def test_the_report_states_what_was_audited(
    dependencies: list[dict[str, Any]], status: int, expected: str
) -> None:
    lines, code = verdict(*dependencies)
    assert code == status
    assert expected in "\n".join(lines)
    assert ("dependencies audited" in lines[-1]) == (expected != "NOT AUDITED")


def test_an_unreachable_index_is_reported() -> None:
    assert script().verdict("", "WARNING: x\nno connection\n") == (
        ["NOT AUDITED: pip-audit could not query the package index: no connection"],
        0,
    )
