"""Which delivery of an hour the lake keeps: smaller ones wait, older ones are ignored."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest

from amplitude_assets.config import Settings
from amplitude_assets.connections.lake import open_lake
from amplitude_assets.hours import HOUR, parse_hour
from amplitude_assets.lake.acceptance import ACCEPT_AT_ONCE, CONFIRM_AFTER, Verdict
from amplitude_assets.lake.commit import Published, publish_hour, remove_superseded
from amplitude_assets.lake.manifest import Manifest, objects_of
from amplitude_assets.lake.store import Lake
from tests.support.lake import FETCHED_AT, PROJECT, manifest_of
from tests.support.s3 import BUCKET, S3Server, s3_server

pytestmark = pytest.mark.integration

HOUR_5 = parse_hour("2026-09-01T05")
WHOLE = [b'{"uuid": "a"}', b'{"uuid": "b"}', b'{"uuid": "c"}', b'{"uuid": "d"}']
OTHER = [line.replace(b"uuid", b"uuid\\u0000") for line in WHOLE]


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


@pytest.fixture(params=["folder", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    if request.param == "folder":
        return Lake((tmp_path / "lake").as_uri())
    settings = Settings(lake_url=f"s3://{BUCKET}/{tmp_path.name}")
    return open_lake(settings, request.getfixturevalue("server").resource)


class Amplitude:
    """Publishes deliveries of one hour, each at a number of hours after the first."""

    def __init__(self, lake: Lake, folder: Path) -> None:
        self.lake = lake
        self.folder = folder

    def deliver(
        self,
        lines: list[bytes],
        after: float = 0,
        confirm_after: timedelta = CONFIRM_AFTER,
        **changes: object,
    ) -> Published:
        manifest, files = manifest_of(HOUR_5, [lines] if lines else [], self.folder)
        changes["fetched_at"] = FETCHED_AT + after * HOUR
        manifest = manifest.model_copy(update=changes)
        return publish_hour(self.lake, manifest, files, confirm_after=confirm_after)

    def held(self) -> Manifest:
        manifest = self.lake.read_manifest(PROJECT, HOUR_5)
        assert manifest is not None
        return manifest


@pytest.fixture
def amplitude(lake: Lake, tmp_path: Path) -> Amplitude:
    return Amplitude(lake, tmp_path / "files")


@pytest.mark.parametrize("smaller", [[], WHOLE[:2]], ids=["404", "half"])
def test_a_smaller_delivery_waits_until_it_is_confirmed_a_day_later(
    amplitude: Amplitude, smaller: list[bytes]
) -> None:
    amplitude.deliver(WHOLE)
    for after in (1, 2, 24):
        published = amplitude.deliver(smaller, after)
        assert (published.verdict, published.changed) == (Verdict.FEWER, False)
        held = amplitude.held()
        assert held.lines == len(WHOLE)
        assert held.events_in_question == len(WHOLE) - len(smaller)
        assert held.pending is not None
        assert held.pending.seen_since == FETCHED_AT + HOUR
    assert amplitude.deliver(smaller, 25).changed
    held = amplitude.held()
    assert (held.lines, held.is_confirmed, held.pending) == (len(smaller), True, None)


def test_a_delivery_of_the_old_size_clears_the_pending_one(amplitude: Amplitude) -> None:
    amplitude.deliver(WHOLE)
    for larger, after in ((WHOLE, 2), (OTHER, 30)):
        amplitude.deliver([], after - 1)
        assert amplitude.held().pending is not None
        amplitude.deliver(larger, after)
        held = amplitude.held()
        assert (held.lines, held.pending) == (len(WHOLE), None)
    # The waiting period restarts, although this delivery was first seen more than a day ago.
    assert amplitude.deliver([], 31).verdict is Verdict.FEWER


def test_another_smaller_delivery_restarts_the_waiting_period(amplitude: Amplitude) -> None:
    amplitude.deliver(WHOLE)
    amplitude.deliver([], 1)
    amplitude.deliver(WHOLE[:2], 2)
    assert amplitude.deliver([], 26).verdict is Verdict.FEWER
    assert amplitude.held().lines == len(WHOLE)


@pytest.mark.parametrize("was_pending", [False, True])
def test_a_smaller_delivery_is_accepted_at_once_on_request(
    amplitude: Amplitude, was_pending: bool
) -> None:
    amplitude.deliver(WHOLE)
    if was_pending:
        amplitude.deliver([], 1)
    assert amplitude.deliver([], 2, ACCEPT_AT_ONCE).changed
    assert (amplitude.held().status, amplitude.held().pending) == ("empty", None)


def test_events_are_compared_not_bytes_and_forgotten_lines_count(
    amplitude: Amplitude,
) -> None:
    amplitude.deliver(WHOLE)
    fewer_bytes = [b"{}" for _ in WHOLE]
    assert amplitude.deliver(fewer_bytes, 1).changed, "as with changed PRIVACY_* settings"
    assert amplitude.deliver(WHOLE[:3], 2, forgotten_lines=1).changed
    assert not amplitude.deliver(WHOLE, 3, rejected_lines=1).changed, "no event is lost"


def test_the_objects_of_both_deliveries_stay_while_one_is_pending(amplitude: Amplitude) -> None:
    lake = amplitude.lake
    larger = amplitude.deliver(WHOLE).manifest
    published = amplitude.deliver(WHOLE[:2], 1)
    assert published.manifest.pending is not None
    assert remove_superseded(lake, published.manifest) == 0
    for item in (*objects_of(larger), *objects_of(published.manifest.pending)):
        assert b"".join(lake.get_object(item.key))
    assert remove_superseded(lake, amplitude.deliver(WHOLE[:2], 25).manifest) == 1


@pytest.mark.parametrize("stale", [WHOLE, OTHER, [*WHOLE, b"{}"], []])
def test_an_older_delivery_never_replaces_a_newer_one(
    amplitude: Amplitude, stale: list[bytes]
) -> None:
    amplitude.deliver(WHOLE[:3], 0)
    amplitude.deliver([*WHOLE, b'{"uuid": "e"}'], 2)
    newer = amplitude.held()
    assert amplitude.deliver(stale, 1, ACCEPT_AT_ONCE).verdict is Verdict.SUPERSEDED
    assert amplitude.held() == newer


def test_a_repeated_delivery_counts_as_newer(amplitude: Amplitude) -> None:
    amplitude.deliver(WHOLE, 0)
    assert amplitude.deliver(WHOLE, 2).verdict is Verdict.SAME
    assert amplitude.deliver(OTHER, 1).verdict is Verdict.SUPERSEDED
    assert amplitude.held().fetched_at == FETCHED_AT + 2 * HOUR


def test_an_older_smaller_delivery_does_not_replace_the_pending_one(
    amplitude: Amplitude,
) -> None:
    amplitude.deliver(WHOLE, 0)
    amplitude.deliver([], 2)
    assert amplitude.deliver(WHOLE[:1], 1).verdict is Verdict.SUPERSEDED
    pending = amplitude.held().pending
    assert pending is not None
    assert pending.status == "empty"


def test_a_commit_between_comparison_and_write_is_detected(
    amplitude: Amplitude,
) -> None:
    amplitude.deliver(WHOLE, 0)
    write, newer = Lake.write_manifest, [*WHOLE, b'{"uuid": "e"}']

    def write_after_another_commit(lake: Lake, manifest: Manifest, *, over: str | None) -> bool:
        with patch.object(Lake, "write_manifest", write):
            amplitude.deliver(newer, 2)
        return write(lake, manifest, over=over)

    with patch.object(Lake, "write_manifest", write_after_another_commit):
        assert amplitude.deliver(OTHER, 1).verdict is Verdict.SUPERSEDED
    assert amplitude.held().lines == len(newer)


def test_of_concurrent_writers_the_newest_delivery_wins(amplitude: Amplitude) -> None:
    deliveries = [[*WHOLE, b'{"uuid": "%d"}' % number] for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(amplitude.deliver, deliveries, [3, 1, 7, 5, 0, 6, 2, 4]))
    (item,) = amplitude.held().objects
    assert b"".join(amplitude.lake.get_object(item.key))
    assert amplitude.held().fetched_at == FETCHED_AT + 7 * HOUR
