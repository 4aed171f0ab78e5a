"""The command `amplitude-assets doctor`: try every connection and permission, and say what to fix.

It leaves nothing behind: it writes one small object to the lake, reads it back and deletes it.
"""

import gzip
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal
from uuid import uuid4

import click
from rich.console import Console

from amplitude_assets.cli.display import progress_display
from amplitude_assets.config import Settings, SettingsError, load_settings, unread_settings
from amplitude_assets.connections.amplitude import open_hour_source
from amplitude_assets.connections.lake import open_lake
from amplitude_assets.export.api.status_codes import CLOCK_TOLERANCE, format_span
from amplitude_assets.export.errors import (
    CredentialsError,
    ExportError,
    ProjectError,
    TooLargeError,
    UnreachableError,
)
from amplitude_assets.hours import HOUR, HourRange, last_exportable_hour, utc_now
from amplitude_assets.instance.integrity import REBUILD_FIX, damaged_files, describe_damage
from amplitude_assets.lake.manifest import LakeObject
from amplitude_assets.lake.store import Lake, LakeError
from amplitude_assets.warehouse.base import RebuildNeededError, WarehouseError

_LOW_DISK_BYTES = 5 * 1024**3
_SET_UP = "amplitude-assets bootstrap snowflake prints the required objects; --apply creates them"
_SNOWFLAKE_FIXES = {
    "login": "correct the named setting; amplitude-assets bootstrap snowflake --apply creates the "
    "user with its key in the account",
    "role": _SET_UP,
    "warehouse": f"spell it as in Snowflake. {_SET_UP}",
    "schemas": f"spell SNOWFLAKE_DATABASE as in Snowflake. {_SET_UP}",
    "stage": f"SNOWFLAKE_STAGE must name a stage over LAKE_URL itself. {_SET_UP}",
    "integration": _SET_UP,
    "COPY": "the AWS role must trust Snowflake and be allowed to read the bucket: run "
    "amplitude-assets bootstrap aws --apply, then bootstrap snowflake --apply, and wait a minute "
    "until AWS applies the change",
}
_EXPORT_FIX = "set AMPLITUDE_S3_EXPORT_URL to the bucket and prefix that Amplitude exports to"
_SETTING_FIX = "change it in .env, or in the environment"
_STORE_FIX = "check the object store"
_CLOCKS_AGREE = timedelta(seconds=2)  # the Date header has whole seconds
_PROBE_LINES = b'{"doctor": true}\n'


@dataclass(frozen=True)
class Finding:
    """The result for one link: its state, what was seen, and how to fix it.

    With a warning the pipeline works.
    """

    link: str
    state: Literal["ok", "warning", "failed", "not tried"]
    seen: str
    fix: str = ""


class _FailedError(Exception):
    """A link does not work."""

    state: Literal["warning", "failed"] = "failed"

    def __init__(self, seen: str, fix: str) -> None:
        super().__init__(seen)
        self.seen = seen
        self.fix = fix


class _WarningError(_FailedError):
    """A link works, but something about it needs attention."""

    state = "warning"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> None:
    """Try every connection and permission, and say what to fix. Exit 0 when all work, else 1."""
    settings = load_settings()
    sys.exit(print_findings(examine(settings), as_json=as_json))


def examine(settings: Settings) -> Iterator[Finding]:
    """Try every link in the order of the flow, and yield each finding as it is made."""
    for variable in unread_settings():
        yield Finding(
            "settings", "warning", str(variable), "correct the name, or remove the variable"
        )
    yield _tried("folder", lambda: _try_folder(settings))
    yield from _examine_amplitude(settings)
    with _Probe(settings) as probe:
        lake = _tried("lake", probe.write)
        yield lake
        if settings.warehouse == "duckdb":
            yield _tried("warehouse", lambda: _try_duckdb(settings))
        else:
            yield from _try_snowflake(settings, probe if lake.state == "ok" else None)
    yield _tried("Dagster", lambda: _try_dagster(settings))


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
    return 0 if all(finding.state in ("ok", "warning") for finding in seen) else 1


def _tried(link: str, attempt: Callable[[], str], fix: str = "") -> Finding:
    try:
        return Finding(link, "ok", attempt())
    except _FailedError as failure:
        return Finding(link, failure.state, failure.seen, failure.fix)
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
            f"cannot write in {folder}: {error.strerror}", "set DATA_DIR to a writable folder"
        ) from None
    if free < _LOW_DISK_BYTES:
        raise _FailedError(
            f"{folder} has {free / 1024**3:.1f} GB left",
            "free some space, or set DATA_DIR to a larger disk: exports are downloaded there",
        )
    return f"{folder}, {free / 1024**3:.0f} GB free"


def _examine_amplitude(settings: Settings) -> Iterator[Finding]:
    """Try the keys, and compare the clocks if Amplitude reports its time."""
    seen: list[timedelta] = []
    yield _tried("Amplitude", lambda: _try_amplitude(settings, seen.append))
    if seen and not settings.uses_emulator:
        yield _tried("clock", lambda: _compare_clocks(seen[0]))


def _try_amplitude(settings: Settings, on_clock: Callable[[timedelta], None]) -> str:
    """Request the newest hour, and the newest day if it is empty: events name their project."""
    newest = last_exportable_hour(utc_now(), settings.amplitude_export_delay_hours)
    requested = HourRange(newest, newest)
    try:
        with open_hour_source(settings, probing=True) as source:
            probe = source.probe(requested)
            if probe.clock_ahead is not None:
                on_clock(probe.clock_ahead)
            if not probe.has_data:
                with suppress(TooLargeError):
                    day = HourRange(newest - 23 * HOUR, newest)
                    probe, requested = source.probe(day), day
    except ExportError as error:
        raise _FailedError(error.message, _amplitude_fix(settings, error)) from None
    except LakeError as error:  # of Amplitude's own S3 export
        raise _FailedError(error.seen, error.fix or _EXPORT_FIX) from None
    if settings.uses_emulator:
        return "the emulator answers; for your own events set AMPLITUDE_API_KEY and its secret"
    if settings.amplitude_s3_export_url is not None:
        return f"{settings.export_origin} has files of project {settings.project_id}"
    if not probe.has_data:
        raise _WarningError(
            f"{settings.export_origin} accepts the keys and has no events for {requested}, so "
            f"AMPLITUDE_PROJECT_ID {settings.project_id} could not be verified",
            "compare it with the project ID in Amplitude: Settings, Projects, your project",
        )
    return f"{settings.export_origin} accepts the keys of project {settings.project_id}"


def _compare_clocks(ahead: timedelta) -> str:
    if abs(ahead) < _CLOCKS_AGREE:
        return "the clock of this machine agrees with Amplitude's"
    if ahead > CLOCK_TOLERANCE:
        raise _FailedError(
            f"the clock of this machine is {format_span(ahead)} ahead of Amplitude's",
            "synchronize it, for example by NTP: hours are requested too early and refused",
        )
    direction = "ahead of" if ahead > timedelta() else "behind"
    seen = f"the clock of this machine is {format_span(ahead)} {direction} Amplitude's"
    if ahead < -CLOCK_TOLERANCE:
        raise _WarningError(
            seen, "synchronize it, for example by NTP: new hours are loaded that much later"
        )
    return seen


def _amplitude_fix(settings: Settings, error: ExportError) -> str:
    if settings.amplitude_s3_export_url is not None:
        return _EXPORT_FIX
    if isinstance(error, CredentialsError):
        return (
            "copy both keys from Amplitude: Settings, Projects, your project; a project in the EU "
            "data center needs AMPLITUDE_REGION=eu, any other AMPLITUDE_REGION=us"
        )
    if isinstance(error, ProjectError):
        return "correct AMPLITUDE_PROJECT_ID, or copy the keys of that project from Amplitude"
    if isinstance(error, UnreachableError):
        return "check the network of this machine; unset AMPLITUDE_BASE_URL if unsure"
    return "try again in some minutes; status.amplitude.com reports outages of Amplitude"


def _try_duckdb(settings: Settings) -> str:
    from amplitude_assets.warehouse.duckdb.warehouse import DuckDBWarehouse

    warehouse = DuckDBWarehouse(settings.resolved_duckdb_path)
    try:
        warehouse.query("select 1")
        warehouse.check()
    except RebuildNeededError as error:
        fix = "if DUCKDB_PATH names the right file, run amplitude-assets rebuild"
        raise _FailedError(str(error), fix) from None
    except WarehouseError as error:
        raise _FailedError(
            str(error), "close the program that has the file open, or set DUCKDB_PATH to another"
        ) from None
    return f"DuckDB opens {warehouse.place}"


def _try_dagster(settings: Settings) -> str:
    damaged = damaged_files(settings.dagster_home_path)
    if damaged:
        raise _FailedError(describe_damage(damaged), REBUILD_FIX)
    return f"{settings.dagster_home_path}: its files are readable"


def _try_snowflake(settings: Settings, lake: "_Probe | None") -> Iterator[Finding]:
    """Try every link to the tables; after a failed one, yield the others as not tried."""
    from amplitude_assets.connections.snowflake import open_probe

    try:
        snowflake = open_probe(settings)
    except SettingsError as error:
        yield Finding("settings", "failed", str(error), _SETTING_FIX)
        return
    with snowflake:
        links = [*snowflake.links(), ("COPY", lambda: snowflake.copy(lake.key if lake else ""))]
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
    """One small object in the lake, which Snowflake copies, and which is deleted on exit."""

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
                return  # the finding on the lake reports it already

    def write(self) -> str:
        """Put, get, list and delete the object, then put it again for Snowflake."""
        url = self._settings.resolved_lake_url
        try:
            lake = open_lake(self._settings, probing=True)
            self._put(lake)
            self._lake = lake
            if b"".join(lake.get_object(self.key)) != self._data:
                raise _FailedError(f"{url} returned different bytes than were written", _STORE_FIX)
            if self.key not in set(lake.list_keys("doctor/")):
                raise _FailedError(f"{url} does not list an object that was written", _STORE_FIX)
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
                "check the bucket's name in LAKE_URL and its region in AWS_REGION. This machine's "
                "AWS identity needs the policy amplitude-assets-writer: amplitude-assets "
                "bootstrap aws --apply creates bucket and policy, docs/aws.md attaches the policy"
            )
        return "set LAKE_URL to a writable folder, or unset it"
