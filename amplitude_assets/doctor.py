"""The doctor: tries every link of the pipeline with the real settings, and says what to fix.

It changes nothing that stays: one small object goes into the lake, is read back, and is removed.
"""

import gzip
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from uuid import uuid4

import click
from rich.console import Console

from amplitude_assets.config import Settings, SettingsError
from amplitude_assets.export.errors import CredentialsError, ExportError, UnreachableError
from amplitude_assets.hours import HourRange, last_exportable_hour
from amplitude_assets.lake.manifest import LakeObject
from amplitude_assets.lake.store import Lake, LakeError
from amplitude_assets.progress_display import progress_display
from amplitude_assets.resources import open_export_client, open_lake, open_warehouse
from amplitude_assets.warehouse.base import Warehouse, WarehouseError

_LOW_DISK_BYTES = 5 * 1024**3
_SET_UP = "amplitude-assets bootstrap snowflake shows what has to be there; --apply makes it"
_SNOWFLAKE_FIXES = {
    "login": "look at the setting that is named; the account, the user and its key are made for "
    "each other by amplitude-assets bootstrap snowflake --apply",
    "role": _SET_UP,
    "warehouse": f"write it as it is in Snowflake. {_SET_UP}",
    "schemas": f"write SNOWFLAKE_DATABASE as it is in Snowflake. {_SET_UP}",
    "stage": f"SNOWFLAKE_STAGE has to name a stage over LAKE_URL itself. {_SET_UP}",
    "integration": _SET_UP,
    "COPY": "the AWS role has to trust Snowflake and to read the bucket: run amplitude-assets "
    "bootstrap aws --apply, then bootstrap snowflake --apply, and wait a minute: AWS takes one",
}
_EXPORT_FIX = "AMPLITUDE_S3_EXPORT_URL is the bucket and prefix that Amplitude's own export writes"
_SETTING_FIX = "change it in .env, or in the environment"
_PROBE_LINES = b'{"doctor": true}\n'


@dataclass(frozen=True)
class Finding:
    """What came of one link: whether it holds, what was seen, and what to do if it does not."""

    link: str
    state: Literal["ok", "failed", "not tried"]
    seen: str
    fix: str = ""


class _FailedError(Exception):
    """A link does not hold."""

    def __init__(self, seen: str, fix: str) -> None:
        super().__init__(seen)
        self.seen = seen
        self.fix = fix


def examine(settings: Settings) -> Iterator[Finding]:
    """Try every link in the order of the flow, and yield each finding as it is made."""
    yield _tried("folder", lambda: _try_folder(settings))
    yield _tried("Amplitude", lambda: _try_amplitude(settings))
    with _Probe(settings) as probe:
        lake = _tried("lake", probe.into_the_lake)
        yield lake
        if settings.warehouse == "duckdb":
            yield _tried("warehouse", lambda: _try_duckdb(open_warehouse(settings)))
        else:
            yield from _try_snowflake(settings, probe if lake.state == "ok" else None)


def print_findings(findings: Iterator[Finding], *, as_json: bool) -> int:
    """Print findings as they come, or all as JSON; return the exit status."""
    seen = []
    with progress_display(Console(file=sys.stdout)):
        for finding in findings:
            seen.append(finding)
            if not as_json:
                click.echo(f"{finding.state:<10} {finding.link:<11} {finding.seen}")
                if finding.fix:
                    click.echo(f"{'':<22} -> {finding.fix}")
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in seen], indent=2))
    return 0 if all(finding.state == "ok" for finding in seen) else 1


def _tried(link: str, attempt: Callable[[], str], fix: str = "") -> Finding:
    try:
        return Finding(link, "ok", attempt())
    except _FailedError as failure:
        return Finding(link, "failed", failure.seen, failure.fix)
    except WarehouseError as error:
        return Finding(link, "failed", str(error), fix)
    except SettingsError as error:
        return Finding(link, "failed", str(error), _SETTING_FIX)


def _try_folder(settings: Settings) -> str:
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise _FailedError(
            f"cannot write in {folder}: {error.strerror}", "set DATA_DIR to a folder of yours"
        ) from None
    if free < _LOW_DISK_BYTES:
        raise _FailedError(
            f"{folder} has {free / 1024**3:.1f} GB left",
            "make room, or set DATA_DIR to a larger disk: a day of exports lands there first",
        )
    return f"{folder}, {free / 1024**3:.0f} GB free"


def _try_amplitude(settings: Settings) -> str:
    hour = last_exportable_hour(datetime.now(UTC), settings.amplitude_export_delay_hours)
    try:
        with open_export_client(settings, probing=True) as client:
            client.check_keys(HourRange(hour, hour))
    except ExportError as error:
        raise _FailedError(error.message, _amplitude_fix(settings, error)) from None
    except LakeError as error:  # of Amplitude's own S3 export
        raise _FailedError(error.seen, error.fix or _EXPORT_FIX) from None
    if settings.uses_emulator:
        return "the emulator answers; for your own events set AMPLITUDE_API_KEY and its secret"
    if settings.amplitude_s3_export_url is not None:
        return f"{settings.export_origin} has files of project {settings.project_id}"
    return f"{settings.export_origin} takes the keys of project {settings.project_id}"


def _amplitude_fix(settings: Settings, error: ExportError) -> str:
    if settings.amplitude_s3_export_url is not None:
        return _EXPORT_FIX
    if isinstance(error, CredentialsError):
        return (
            "copy both keys from Amplitude: Settings, Projects, your project; a project in the EU "
            "data center needs AMPLITUDE_REGION=eu, any other AMPLITUDE_REGION=us"
        )
    if isinstance(error, UnreachableError):
        return "look at the network of this machine; leave AMPLITUDE_BASE_URL unset if unsure"
    return "try again in some minutes; status.amplitude.com says whether Amplitude has a problem"


def _try_duckdb(warehouse: Warehouse) -> str:
    try:
        warehouse.query("select 1")
    except WarehouseError as error:
        raise _FailedError(
            str(error), "close what has the file open, or set DUCKDB_PATH to another"
        ) from None
    return f"DuckDB opens {warehouse.place}"


def _try_snowflake(settings: Settings, lake: "_Probe | None") -> Iterator[Finding]:
    """Try every link to the tables; after one that fails, the rest is told as not tried."""
    from amplitude_assets.snowflake_access import open_probe

    try:
        way = open_probe(settings)
    except SettingsError as error:
        yield Finding("settings", "failed", str(error), _SETTING_FIX)
        return
    with way:
        links = [*way.links(), ("COPY", lambda: way.copy(lake.key if lake else ""))]
        broken = ""
        for link, attempt in links:
            if not broken and link == "COPY" and lake is None:
                broken = "lake"
            if broken:
                yield Finding(link, "not tried", f"needs the {broken}")
                continue
            finding = _tried(link, attempt, _SNOWFLAKE_FIXES[link])
            broken = "" if finding.state == "ok" else link
            yield finding


class _Probe:
    """One small object: put into the lake, read, listed, left for Snowflake to copy, removed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._data = gzip.compress(_PROBE_LINES, mtime=0)
        self.key = f"doctor/{uuid4().hex}.json.gz"
        self._lake: Lake | None = None

    def __enter__(self) -> "_Probe":
        return self

    def __exit__(self, *_: object) -> None:
        if self._lake is not None:
            try:
                self._lake.delete(self.key)
            except LakeError:
                return  # told already, when the lake was tried

    def into_the_lake(self) -> str:
        """Put, get, list and delete; the object is put once more then, for Snowflake."""
        url = self._settings.resolved_lake_url
        try:
            lake = open_lake(self._settings, probing=True)
            self._put(lake)
            self._lake = lake
            if b"".join(lake.get_object(self.key)) != self._data:
                raise _FailedError(f"{url} gives back other bytes than it got", "look at the store")
            if self.key not in set(lake.list_keys("doctor/")):
                raise _FailedError(f"{url} does not list what is in it", "look at the store")
            lake.delete(self.key)
            self._put(lake)
        except LakeError as error:
            raise _FailedError(error.seen, error.fix or self._lake_fix()) from None
        return f"{url}: could put, get, list and delete"

    def _put(self, lake: Lake) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "probe"
            path.write_bytes(self._data)
            sha256 = hashlib.sha256(self._data).hexdigest()
            lake.put_object(
                LakeObject(key=self.key, member="", bytes=len(self._data), lines=1, sha256=sha256),
                path,
            )

    def _lake_fix(self) -> str:
        if self._settings.resolved_lake_url.startswith("s3://"):
            return (
                "is LAKE_URL the bucket's name, and AWS_REGION its region? The identity of this "
                "machine in AWS needs the policy amplitude-assets-writer: "
                "amplitude-assets bootstrap aws --apply makes both, docs/aws.md attaches it"
            )
        return "set LAKE_URL to a folder of yours, or leave it out"
