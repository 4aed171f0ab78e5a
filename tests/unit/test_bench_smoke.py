"""The benchmark's command with a thousand events and no packages to install."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from amplitude_assets.hours import HourRange, parse_hour
from bench import contest
from bench.world import render

pytestmark = pytest.mark.integration

PROJECT = Path(__file__).parents[2]


def test_the_benchmark_verifies_and_stores_its_results(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "--no-peers", "--part=events", "--events=1000"]
    command += ["--rounds=1", "--only=lake", "--only=naive: API"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "artifacts" / "bench.json").read_text())["events"]["1000"]
    assert results["run"]["seed"] == 1
    assert results["run"]["machine"]["cores"] == os.cpu_count()
    reasons = {entry["name"]: entry.get("reason") for entry in results["contenders"]}
    # Without a reason an entry delivered every event: the benchmark counts them itself.
    assert reasons == {
        "ours: API to lake": None,
        "limit: API to lake": None,
        "naive: API to files": None,
        "ours: lake to bronze": None,
        "limit: lake to table": None,
    }
    for entry in results["contenders"]:
        assert entry["events_per_second"] > 0
        assert entry["peak_mb"] > 0
    assert "ours: API to lake" in done.stdout


def test_a_contender_that_loses_events_is_listed_with_the_reason(tmp_path: Path) -> None:
    hour = parse_hour("2026-09-01T12")
    world = render(tmp_path / "worlds", 1, 50, HourRange(hour, hour))
    more = replace(world, counts=replace(world.counts, lines=world.counts.lines + 1))
    naive = next(c for c in contest.CONTENDERS if c.name == contest.NAIVE_EXTRACT)

    (entry,) = contest.run_contest(tmp_path, more, [naive], 1, lambda _: None)

    lines = world.counts.lines
    assert lines > 0
    assert entry.figures(more.counts.lines) == {
        "name": naive.name,
        "part": naive.part,
        "reason": f"it loaded {lines:,} of {lines + 1:,} events",
    }
