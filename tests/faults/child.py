"""Runs of the pipeline in processes of their own, which a test can have killed at a point.

The processes are forked from a server that has imported everything once and started nothing, so
that each costs no more than its run.
"""

import os
import resource
import signal
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from pkgutil import resolve_name
from typing import Any
from unittest.mock import patch

from dagster import DagsterInstance

from amplitude_assets.hours import HourRange
from amplitude_assets.instance import open_instance
from amplitude_assets.progress import Progress
from tests.faults.place import Place
from tests.support.migrations import read_once

# An instance imports much, and reads Dagster's migrations: once for all that are forked.
read_once()
DagsterInstance.ephemeral().dispose()

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])


def start(work: Callable[..., None], *arguments: object) -> BaseProcess:
    """Start a function of a module in a process of its own."""
    process = _CONTEXT.Process(target=work, args=arguments)
    process.start()
    return process


def run_until_killed(place: Place, where: str, what: str, nth: int, after: bool) -> None:
    """Run the hours, and die at the `nth` call of a function: before it, or after it is done."""
    with patch_nth(where, what, nth, after, die):
        place.run()


def run_until_cut_off(place: Place, where: str, what: str, nth: int, limit: int) -> None:
    """Run the hours, and die in the middle of a write: the first past `limit` bytes of a file.

    It is armed at the `nth` call of a function. The system kills with SIGXFSZ, which leaves as
    little time for tidying up as SIGKILL does.
    """

    def arm() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with patch_nth(where, what, nth, False, arm):
        place.run()


def run_until_models_are_under_way(place: Place) -> None:
    """Run the main job whole, and die when dbt has told of the first models."""

    def tell(progress: Progress) -> None:
        if progress.step == "dbt":
            die()

    place.run(models=True, progress=tell)


def run_and_report(place: Place, hours: HourRange, models: bool, report: Path) -> None:
    """Run the main job, and write to a file why it failed, or that it succeeded."""
    outcome = place.run(hours, models=models)
    report.write_text("succeeded" if outcome.succeeded else "\n".join(outcome.reasons))


def ask_and_report(place: Place, hours: HourRange, report: Path) -> None:
    """Ask the server for hours, and write to a file whether all came."""
    report.write_text("all came" if place.ask(hours) else "not all came")


def open_dagster(place: Place) -> None:
    """Open Dagster's own state, which the first to do so makes."""
    with open_instance(place.settings) as instance:
        instance.get_runs()


def patch_nth(where: str, what: str, nth: int, after: bool, action: Callable[[], None]) -> Any:
    """Have the `nth` call of `what` in the module or class `where` do something besides."""
    calls = 0
    owner = _find(where)
    original = getattr(owner, what)

    def counted(*args: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls != nth:
            return original(*args, **named)
        if not after:
            action()
        result = original(*args, **named)
        if after:
            action()
        return result

    return patch.object(owner, what, counted)


def die() -> None:
    """Kill this process, as the system does when memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)


def _find(where: str) -> Any:
    return resolve_name(where)
