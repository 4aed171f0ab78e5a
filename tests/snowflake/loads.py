"""Loads for a lake: hours of exported lines as files and manifests, and merges as merge files."""

import gzip
import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from amplitude_assets.lake.acceptance import ACCEPT_AT_ONCE
from amplitude_assets.lake.commit import publish_hour
from amplitude_assets.lake.layout import event_key, merge_prefix, rejected_key
from amplitude_assets.lake.manifest import LakeObject, Manifest
from amplitude_assets.lake.store import Lake
from tests.oracle import Merge
from tests.pipeline.gold_world import PROJECT_ID, Load, loads

_FETCHED_AT = datetime(2026, 9, 2, 12, 30, tzinfo=UTC)


def world_in_three_loads() -> list[Load]:
    """Return three loads of the gold world; the last has its corrections and merges."""
    # fakesnow stores nanoseconds, whose range is 1677 to 2262.
    first, second, corrections, merges = loads(seed=7, wrong_years=(1700, 1970, 2011, 2250))
    hour = min(first.hours)
    first.hours[hour] = [*first.hours[hour], *_oversized_events()]
    return [first, second, Load(hours=corrections.hours, merges=merges.merges)]


def _oversized_events() -> list[bytes]:
    """Return an event beyond the limits of keys and groups, and one with long properties."""
    keys = {f"key {n}": n for n in range(1001)}
    names = [f"group {n}" for n in range(10)]
    long = {name: {"size": "x" * 500} for name in names}
    return [
        json.dumps(event).encode()
        for event in (
            {"uuid": "many", "event_properties": keys, "groups": {"org": list(keys)}},
            {"uuid": "long", "groups": {"org": names}, "group_properties": {"org": long}},
        )
    ]


def publish_load(lake: Lake, load: Load, folder: Path) -> list[Manifest]:
    """Publish every hour of a load, and its merges; return the hours' manifests."""
    if load.merges:
        _publish_merges(lake, load.merges, folder)
    with ThreadPoolExecutor(8) as pool:
        hours = load.hours.items()
        return list(pool.map(lambda hour: publish_lines(lake, *hour, folder), hours))


def publish_lines(lake: Lake, hour: datetime, lines: Sequence[bytes], folder: Path) -> Manifest:
    """Publish an hour: one file of JSON objects, and one of rejected lines."""
    hour = hour.replace(tzinfo=UTC)
    good = [line for line in lines if _is_object(line)]
    bad = [
        {
            "member": f"{PROJECT_ID}/part.json.gz",
            "line_number": number,
            "reason": "not a JSON object",
            "line": line.decode(),
        }
        for number, line in enumerate(lines, start=1)
        if not _is_object(line)
    ]
    sources = [_file(event_key, hour, good, folder)] if good else []
    rejected = [json.dumps(record).encode() for record in bad]
    if rejected:
        sources.append(_file(rejected_key, hour, rejected, folder))
    items = [item for item, _ in sources]
    manifest = Manifest(
        project_id=PROJECT_ID,
        export_hour=hour,
        status="loaded" if sources else "empty",
        objects=tuple(items[: bool(good)]),
        rejected=items[-1] if rejected else None,
        bytes=sum(item.bytes for item in items[: bool(good)]),
        lines=len(lines),
        rejected_lines=len(bad),
        digest=hashlib.sha256("".join(item.sha256 for item in items).encode()).hexdigest(),
        fetched_at=_FETCHED_AT,
    )
    return publish_hour(lake, manifest, sources, confirm_after=ACCEPT_AT_ONCE).manifest


def _file(
    key: Callable[[int, datetime, str], str], hour: datetime, lines: Sequence[bytes], folder: Path
) -> tuple[LakeObject, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    data = gzip.compress(b"".join(line + b"\n" for line in lines), mtime=0)
    sha256 = hashlib.sha256(data).hexdigest()
    path = folder / sha256
    path.write_bytes(data)
    item = LakeObject(
        key=key(PROJECT_ID, hour, sha256),
        member=f"{PROJECT_ID}/part.json.gz",
        bytes=len(data),
        lines=len(lines),
        sha256=sha256,
    )
    return item, path


def _publish_merges(lake: Lake, merges: Sequence[Merge], folder: Path) -> None:
    lines = [
        json.dumps(
            {
                "scope": 1,
                "merge_time": _milliseconds(merge.merge_time),
                "merge_server_time": _milliseconds(merge.merge_time),
                "amplitude_id": merge.absorbed,
                "merged_amplitude_id": merge.surviving,
            }
        ).encode()
        for merge in merges
    ]
    item, path = _file(event_key, _FETCHED_AT, lines, folder)
    key = f"{merge_prefix(PROJECT_ID)}{item.sha256}.json.gz"
    lake.put_object(item.model_copy(update={"key": key}), path)


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.replace(tzinfo=UTC).timestamp() * 1000)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
