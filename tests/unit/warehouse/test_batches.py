"""A load ends with a result or an error for each hour, whatever the warehouse returns."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from amplitude_assets.hours import HOUR, parse_hour
from amplitude_assets.lake.manifest import Manifest
from amplitude_assets.warehouse.batches import (
    BatchLimits,
    BronzeHours,
    HeldHour,
    LoadedMeanwhileError,
    check_no_hours_left,
    load_changed,
)
from tests.support.lake import manifest_of

HOUR_5 = parse_hour("2026-09-01T05")
_LIMITS = BatchLimits(lines=1000, objects=1000)


def test_an_hour_that_bronze_never_releases_fails_alone(tmp_path: Path) -> None:
    """As with two rows in the ledger, of which `held` returns the one that may be replaced."""
    held: dict[datetime, HeldHour] = {}
    replaced: list[datetime] = []

    def replace(batch: Sequence[Manifest]) -> None:
        hours = [manifest.export_hour for manifest in batch]
        check_no_hours_left([(HOUR_5.replace(tzinfo=None),)] if HOUR_5 in hours else [])
        replaced.extend(hours)

    bronze = BronzeHours(held=lambda: held, replace=replace, update_ledger=lambda _: None)
    hours = [HOUR_5 + n * HOUR for n in range(3)]
    manifests = [manifest_of(hour, [[b"{}"]], tmp_path)[0] for hour in hours]
    done: list[int] = []
    report = load_changed(manifests, bronze, _LIMITS, lambda hours, _: done.append(hours))
    assert report.replaced == replaced == hours[1:]
    assert [error.hour for error in report.errors] == [HOUR_5]
    assert "amplitude-assets run --from 2026-09-01T05" in str(report.errors[0])
    assert report.errors[0].retryable
    assert sum(done) == len(hours)


def test_a_load_that_is_overtaken_is_retried(tmp_path: Path) -> None:
    attempts: list[int] = []

    def replace(batch: Sequence[Manifest]) -> None:
        attempts.append(len(batch))
        if len(attempts) == 1:
            raise LoadedMeanwhileError

    bronze = BronzeHours(held=dict, replace=replace, update_ledger=lambda _: None)
    manifest, _ = manifest_of(HOUR_5, [[b"{}"]], tmp_path)
    report = load_changed([manifest], bronze, _LIMITS, lambda *_: None)
    assert (report.replaced, report.errors, attempts) == ([HOUR_5], [], [1, 1])
