"""Publish hours to a lake from lists of lines."""

import gzip
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from amplitude_assets.lake.acceptance import ACCEPT_AT_ONCE
from amplitude_assets.lake.commit import publish_hour
from amplitude_assets.lake.layout import event_key
from amplitude_assets.lake.manifest import LakeObject, Manifest
from amplitude_assets.lake.store import Lake

PROJECT = 187520
FETCHED_AT = datetime(2026, 9, 2, 12, 30, tzinfo=UTC)


def manifest_of(
    hour: datetime, files: Sequence[Sequence[bytes]], folder: Path
) -> tuple[Manifest, list[tuple[LakeObject, Path]]]:
    """Write each file's lines, gzipped, to `folder`; return the hour's manifest and the files."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = []
    for number, lines in enumerate(files):
        data = gzip.compress(b"".join(line + b"\n" for line in lines), mtime=0)
        sha256 = hashlib.sha256(data).hexdigest()
        path = folder / f"{sha256}.json.gz"
        path.write_bytes(data)
        item = LakeObject(
            key=event_key(PROJECT, hour, sha256),
            member=f"{PROJECT}/{PROJECT}_{hour:%Y-%m-%d}_{hour.hour}#{number}.json.gz",
            bytes=len(data),
            lines=len(lines),
            sha256=sha256,
        )
        sources.append((item, path))
    digests = "\n".join(sorted(item.sha256 for item, _ in sources))
    manifest = Manifest(
        project_id=PROJECT,
        export_hour=hour,
        status="loaded" if files else "empty",
        objects=tuple(item for item, _ in sources),
        rejected=None,
        bytes=sum(item.bytes for item, _ in sources),
        lines=sum(item.lines for item, _ in sources),
        rejected_lines=0,
        digest=hashlib.sha256(digests.encode()).hexdigest(),
        fetched_at=FETCHED_AT,
    )
    return manifest, sources


def publish(lake: Lake, hour: datetime, files: Sequence[Sequence[bytes]], folder: Path) -> Manifest:
    """Publish an hour with these files' lines, and return its manifest from the lake.

    It is always accepted; the rules of acceptance are tested in `test_acceptance.py`.
    """
    manifest, sources = manifest_of(hour, files, folder)
    return publish_hour(lake, manifest, sources, confirm_after=ACCEPT_AT_ONCE).manifest
