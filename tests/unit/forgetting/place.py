"""A lake and a DuckDB file with two people in every place that may have a person's data."""

import gzip
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from amplitude_assets.export.landing import Landing
from amplitude_assets.forgetting.lake import LakeContents
from amplitude_assets.forgetting.person import Person, find_person
from amplitude_assets.forgetting.proof import count_remaining
from amplitude_assets.forgetting.removal import Places, Removal, find_hours, put_on_list, remove
from amplitude_assets.hours import HOUR, parse_hour
from amplitude_assets.lake.commit import publish_hour
from amplitude_assets.lake.forgotten import read_requests
from amplitude_assets.lake.layout import merge_prefix, rejected_key
from amplitude_assets.lake.store import Lake
from amplitude_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.faults.child import die, patch_nth
from tests.support.lake import PROJECT, manifest_of, publish

FIRST = parse_hour("2026-09-01T05")
ANNA = {"amplitude_id": 77_001, "user_id": "anna@example.com"}
ANNA_BEFORE = {"amplitude_id": 77_002, "user_id": None}
BOB = {"amplitude_id": 77_003, "user_id": "bob@example.com"}


def line(who: dict[str, object], number: int, **fields: object) -> bytes:
    """Return a line of a person, unique by its number."""
    return json.dumps({"uuid": f"u-{number}", **who, **fields}).encode()


@dataclass(frozen=True)
class ForgettingPlace:
    """A project in a folder."""

    folder: Path

    @property
    def lake(self) -> Lake:
        return Lake((self.folder / "lake").as_uri())

    @property
    def places(self) -> Places:
        return Places(
            PROJECT,
            Landing(self.folder / "landing", PROJECT),
            self.lake,
            DuckDBWarehouse(self.folder / "warehouse.duckdb"),
        )

    def fill(self) -> None:
        """Load hours of both: some lines, all, none, an older delivery, bad lines, merges."""
        files = self.folder / "files"
        publish(self.lake, FIRST, [[line(ANNA, 0)], [line(BOB, 1)]], files)  # delivered again
        self.publish_first_hour()
        merged = line(ANNA_BEFORE, 5, data={"merged_amplitude_id": 77_001})
        self._publish(FIRST + HOUR, [[merged]], files)
        bad = ["{half of anna@example.com", "{half of bob@example.com"]
        self._publish(FIRST + 2 * HOUR, [[line(BOB, 6)]], files, bad)
        merges = [(77_002, 77_001), (77_009, 77_003)]
        text = "".join(
            json.dumps({"amplitude_id": one, "merged_amplitude_id": other}) + "\n"
            for one, other in merges
        )
        self.lake.write(f"{merge_prefix(PROJECT)}m_2026.json.gz", gzip.compress(text.encode()))
        self.places.warehouse.load_merges(self.lake, PROJECT)
        # In the lake, and not loaded yet.
        publish(self.lake, FIRST + 3 * HOUR, [[line(ANNA, 7), line(BOB, 8)]], files)
        (self.folder / "landing" / str(PROJECT) / "zips").mkdir(parents=True)
        (self.folder / "landing" / str(PROJECT) / "zips" / "of-anna.zip").touch()

    def publish_first_hour(self) -> None:
        """Publish the first hour with today's data of Amplitude."""
        lines = [[line(ANNA, 2), line(BOB, 3)], [line(BOB, 4)]]
        self._publish(FIRST, lines, self.folder / "files")

    def _publish(
        self, hour: datetime, lines: list[list[bytes]], files: Path, bad: list[str] | None = None
    ) -> None:
        manifest, sources = manifest_of(hour, lines, files)
        if bad:
            records = [
                json.dumps({"member": "m", "line_number": n, "reason": "not JSON", "line": text})
                for n, text in enumerate(bad, start=9)
            ]
            _, [(item, path)] = manifest_of(hour, [[r.encode() for r in records]], files)
            item = item.model_copy(update={"key": rejected_key(PROJECT, hour, item.sha256)})
            sources.append((item, path))
            counts = {"lines": manifest.lines + len(bad), "rejected_lines": len(bad)}
            manifest = manifest.model_copy(update={"rejected": item, **counts})
        published = publish_hour(self.lake, manifest, sources).manifest
        self.places.warehouse.load(self.lake, [published], "load-1")

    def find(self) -> Person:
        """Find Anna by her user id."""
        requests = read_requests(self.lake, PROJECT)
        return find_person(self.places.warehouse, PROJECT, ["anna@example.com"], [], requests)

    def forget(self) -> int:
        """Forget Anna in lake and bronze."""
        person = self.find()
        contents = find_hours(self.places, person)
        put_on_list(self.places, person)
        return self.remove(person, contents).lines

    def remove(self, person: Person, contents: LakeContents) -> Removal:
        """Remove Anna from landing area, lake and bronze."""
        return remove(self.places, person, contents, lambda _hours, _lines: None)

    def left(self) -> dict[str, int]:
        """Return the places that still have data of Anna."""
        found = self.find()
        find_hours(self.places, found)
        return {one.place: one.rows for one in count_remaining(self.places, found) if one.rows}

    def state(self) -> dict[str, object]:
        """Return the contents of lake and bronze, without times."""
        objects = {
            path.relative_to(self.folder).as_posix(): gzip.decompress(path.read_bytes())
            for path in (self.folder / "lake").rglob("*.gz")
        }
        hours = [FIRST + n * HOUR for n in range(4)]
        with duckdb.connect(str(self.folder / "warehouse.duckdb"), read_only=True) as con:
            rows = {
                table: con.execute(
                    "select columns(lambda c: c not in ('load_id', 'loaded_at', 'fetched_at')) "
                    f"from bronze.{table} order by all"
                ).fetchall()
                for table in ("raw_events", "export_hours", "rejected_lines", "merge_ids")
            }
        return {
            "objects": objects,
            "manifests": [self.lake.read_manifest(PROJECT, hour) for hour in hours],
            "landing": [path for path in (self.folder / "landing").rglob("*") if path.is_file()],
            **rows,
        }


def forget_until_killed(folder: Path, where: str, what: str, nth: int, after: bool) -> None:
    """Forget, and exit at the `nth` call of a function, before or after it runs."""
    with patch_nth(where, what, nth, after, die):
        ForgettingPlace(folder).forget()
