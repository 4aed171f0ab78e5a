"""Run the pipeline in child processes that a test can kill at a given function call.

The processes are forked from a server that has imported all modules and started no thread, so that
each of them starts without import time.
"""

import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from pkgutil import resolve_name
from typing import Any
from unittest.mock import patch

from dagster import DagsterInstance

from amplitude_assets.hours import HourRange
from amplitude_assets.instance.home import open_instance
from amplitude_assets.progress import Progress
from tests.faults.place import Place
from tests.support.migrations import cache_migration_scripts

# An instance imports many modules and reads Dagster's migrations: do it once, before forking.
cache_migration_scripts()
DagsterInstance.ephemeral().dispose()

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])


def start(work: Callable[..., None], *arguments: object) -> BaseProcess:
    """Start a module-level function in a child process."""
    process = _CONTEXT.Process(target=work, args=arguments)
    process.start()
    return process


def run_until_killed(place: Place, where: str, what: str, nth: int, after: bool) -> None:
    """Run the hours, and kill this process before or after the `nth` call of a function."""
    with patch_nth(where, what, nth, after, die):
        place.run()


def run_until_killed_mid_write(place: Place, where: str, what: str, nth: int, limit: int) -> None:
    """Run the hours, and get killed in the first write beyond `limit` bytes of a file.

    The limit applies from the `nth` call of a function. The kernel sends SIGXFSZ, which runs no
    cleanup, like SIGKILL.
    """

    def arm() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it by default
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with patch_nth(where, what, nth, False, arm):
        place.run()


def run_until_killed_in_dbt(place: Place) -> None:
    """Run the whole main job, and kill this process when dbt reports its first progress."""

    def die_in_dbt(progress: Progress) -> None:
        if progress.step == "dbt":
            die()

    place.run(models=True, progress=die_in_dbt)


def run_and_report(place: Place, hours: HourRange, models: bool, report: Path) -> None:
    """Run the main job, and write "succeeded" or the reasons of its failure to `report`."""
    outcome = place.run(hours, models=models)
    report.write_text("succeeded" if outcome.succeeded else "\n".join(outcome.reasons))


def run_frozen_at(place: Place, where: str, what: str, report: Path) -> None:
    """Run the hours, stop this process at the first call of a function, and continue on SIGCONT.

    Write to `report` whether the run succeeded, and how many of its hours were superseded.
    """

    def freeze() -> None:
        # Signal this thread: another thread could receive a signal to the process.
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

    # One hour at a time: a second thread could be stopped while it holds the lake's lock.
    one_hour_at_a_time = patch("amplitude_assets.export.to_lake._HOURS_AT_ONCE", 1)
    with one_hour_at_a_time, patch_nth(where, what, 1, False, freeze):
        outcome = place.run()
    report.write_text(f"{outcome.succeeded}, {len(outcome.superseded)} superseded")


def run_with_a_pause(place: Place, step: str, paused: Path, go_on: Path, report: Path) -> None:
    """Run the hours, and pause after `step` until the file `go_on` exists."""

    def wait(progress: Progress) -> None:
        if progress.step == step and progress.done == progress.total:
            paused.touch()
            deadline = time.monotonic() + 120  # a failing test never creates the file
            while not go_on.exists() and time.monotonic() < deadline:
                time.sleep(0.05)

    outcome = place.run(progress=wait)
    report.write_text("succeeded" if outcome.succeeded else "\n".join(outcome.reasons))


def download_and_report(place: Place, hours: HourRange, report: Path) -> None:
    """Download hours, and write "complete" or "incomplete" to `report`."""
    report.write_text("complete" if place.download(hours) else "incomplete")


def open_dagster(place: Place) -> None:
    """Open the Dagster instance, which the first process creates."""
    with open_instance(place.settings) as instance:
        instance.get_runs()


def patch_nth(where: str, what: str, nth: int, after: bool, action: Callable[[], None]) -> Any:
    """Patch `what` in the module or class `where` to run `action` at its `nth` call."""
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
    """Kill this process, as the kernel does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def _find(where: str) -> Any:
    return resolve_name(where)
