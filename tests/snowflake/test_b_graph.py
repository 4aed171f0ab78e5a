"""Rung b: the Dagster assets, dbt with its tests, the set-up and the doctor, over the wire.

One run of the main job, from the emulator to gold in Snowflake, as `amplitude-assets run` does it.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import boto3
import pytest
from click.testing import CliRunner
from dagster import AssetKey

from amplitude_assets.bootstrap.aws_access import READER_ROLE
from amplitude_assets.cli import cli
from amplitude_assets.config import Settings, load_settings
from amplitude_assets.definitions import build_definitions
from amplitude_assets.emulator import World, WorldSettings
from amplitude_assets.hours import HOUR, HourRange, parse_hour
from amplitude_assets.instance import open_instance
from amplitude_assets.main_run import MainRun, run_main_job
from amplitude_assets.report.read import read_overview
from amplitude_assets.resources import open_warehouse
from amplitude_assets.warehouse.base import Warehouse
from tests.oracle import Merge
from tests.pipeline.gold_world import PROJECT_ID, Load
from tests.snowflake.loads import publish_load
from tests.support.fakesnow_server import SNOWFLAKE_USER_ARN
from tests.support.s3 import S3Server
from tests.support.snowflake import SnowflakeUnderTest
from tests.support.snowflake_grammar import grammar_errors

# dbt builds everything over the wire here, which takes minutes on a busy machine.
pytestmark = pytest.mark.timeout(900)

_USERS = ("user FRESH_PIPELINE", "user AMPLITUDE_READER")
HOURS = HourRange(parse_hour("2026-09-01T05"), parse_hour("2026-09-01T05") + HOUR)
ALONE = HOURS.last + HOUR  # an hour of the forgotten person's only
WORLD = WorldSettings(events_per_hour=100, project_id=PROJECT_ID)
# Ids that merge files tell of: one becomes the forgotten person, the other somebody else.
ABSORBED, KEPT = 900_000_000_001, 900_000_000_002


def test_the_main_job_loads_and_builds_and_a_person_is_forgotten(
    empty_account: SnowflakeUnderTest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("AMPLITUDE_PROJECT_ID", str(PROJECT_ID))
    monkeypatch.setenv("EMULATOR_EVENTS_PER_HOUR", str(WORLD.events_per_hour))
    key = empty_account.environment.get("SNOWFLAKE_PRIVATE_KEY_PATH")
    if key is not None:  # relative, as the documentation writes it
        monkeypatch.setenv("SNOWFLAKE_PRIVATE_KEY_PATH", os.path.relpath(key))
    settings = load_settings()
    anna = _add_an_hour_of_one_person(empty_account, tmp_path / "files")
    _run_the_main_job(settings)
    # Such as that a test has no table to look at, which Snowflake takes for an error.
    assert "Traceback" not in caplog.text + capfd.readouterr().err
    assert Path.cwd() == tmp_path  # dagster-dbt's threads go to dbt's folder and back
    _look_at_what_is_built(settings)
    if empty_account.double is not None:
        empty_account.double.snowflake.statements.clear()
    _forget(anna, open_warehouse(settings))
    if empty_account.double is not None:  # warehouses keep the text of queries
        assert anna.user_id not in " ".join(empty_account.double.snowflake.statements)


def _run_the_main_job(settings: Settings) -> None:
    with open_instance(settings) as instance:
        outcome = run_main_job(settings, instance, HOURS, lambda _: None)
        loaded = instance.get_latest_materialization_event(AssetKey(["bronze", "raw_events"]))
    assert outcome.reasons == []
    assert outcome.succeeded
    assert loaded is not None
    assert loaded.asset_materialization is not None
    assert loaded.asset_materialization.metadata["query_id"].value


def _look_at_what_is_built(settings: Settings) -> None:
    warehouse = open_warehouse(settings)
    counts = warehouse.counts(settings.project_id, HOURS)
    assert sum(hour.bronze_rows for hour in counts) > 50
    assert [hour.bronze_rows for hour in counts] == [
        (hour.silver_events or 0) + (hour.duplicates or 0) for hour in counts
    ]
    ((users,),) = warehouse.query("select count(*) from gold.dim_users")
    assert users > 0
    overview = read_overview(warehouse.query, settings.project_id, ZoneInfo("UTC"))
    assert {hour.export_hour: hour.lines for hour in overview.hours}.items() >= {
        (hour.export_hour, hour.lines) for hour in counts
    }
    assert sum(day.day >= HOURS.first.date() for day in overview.active_days) == 1


@dataclass(frozen=True)
class Anna:
    """Who is forgotten: her ids, and how many lines have one of them."""

    user_id: str
    amplitude_id: int
    lines: int

    @property
    def mentions(self) -> re.Pattern[str]:
        """Return what finds one of her ids in a row."""
        ids = (self.user_id, str(self.amplitude_id), str(ABSORBED))
        return re.compile("|".join(map(re.escape, ids)))


def _add_an_hour_of_one_person(account: SnowflakeUnderTest, folder: Path) -> Anna:
    """Load an hour that has nothing but a line of somebody who is in the others too.

    It has an id that a merge file makes one of theirs; another merge is of somebody else.
    """
    lines = [json.loads(line) for hour in HOURS for line in World(WORLD).lines(hour)]
    ((user_id, count),) = Counter(filter(None, (one["user_id"] for one in lines))).most_common(1)
    theirs = next(line for line in lines if line["user_id"] == user_id)
    anna = Anna(user_id, theirs["amplitude_id"], count + 1)
    other = next(line["amplitude_id"] for line in lines if line["user_id"] is None)
    alone = {
        **theirs,
        "uuid": "of-nobody-else",
        "$insert_id": "of-nobody-else",
        "amplitude_id": ABSORBED,
        "user_id": None,
        "device_id": "of-nobody-else",
        "server_upload_time": f"{ALONE:%Y-%m-%d %H}:10:00.000000",
    }
    merges = [Merge(ABSORBED, anna.amplitude_id), Merge(KEPT, other)]
    load = Load({ALONE: [json.dumps(alone).encode()]}, merges=merges)
    account.warehouse().load(account.lake, publish_load(account.lake, load, folder), "load-1")
    return anna


def _forget(anna: Anna, warehouse: Warehouse) -> None:
    """Forget her by the command; see that she is nowhere, and that nobody else changes."""
    before = _tables(warehouse)
    theirs = {name for name, rows in before.items() if any(map(anna.mentions.search, rows))}
    assert theirs > {
        "bronze.raw_events", "bronze.events", "bronze.merge_ids", "silver.events",
        "silver.user_identities", "silver.merged_ids", "gold.dim_users", "gold.fct_sessions",
    }  # fmt: skip
    told = run("forget", "--user", anna.user_id, "--yes")
    ids = f"{', '.join(sorted((str(anna.amplitude_id), str(ABSORBED))))}, user:{anna.user_id}"
    assert f"ids     {ids}\nevents  {anna.lines} lines in bronze\nhours   3:" in told
    assert "Nothing is left of them here." in told
    after = _tables(warehouse)
    assert set(after) == set(before)
    assert not {name for name, rows in after.items() if any(map(anna.mentions.search, rows))}
    for name in sorted(theirs):
        left = Counter({row: n for row, n in before[name].items() if not anna.mentions.search(row)})
        assert (name, after[name]) == (name, left)
    gone = before["bronze.raw_events"] - after["bronze.raw_events"]
    assert gone.total() == anna.lines
    assert warehouse.query("select amplitude_id from bronze.merge_ids") == [(KEPT,)]
    assert sorted(warehouse.query("select status, lines > 0 from bronze.export_hours")) == [
        ("empty", False),
        ("loaded", True),
        ("loaded", True),
    ]


def _tables(warehouse: Warehouse) -> dict[str, Counter[str]]:
    """Return the rows of every table and view, as text and without what is of the load."""
    columns: dict[str, list[str]] = {}
    for table, column in warehouse.query(
        "select lower(table_schema) || '.' || lower(table_name), lower(column_name) "
        "from information_schema.columns "
        "where lower(table_schema) in ('bronze', 'silver', 'gold') order by 1, 2"
    ):
        if column not in ("load_id", "loaded_at", "source_object", "source_line"):
            columns.setdefault(table, []).append(column)
    return {
        table: Counter(map(str, warehouse.query(f"select {', '.join(names)} from {table}")))
        for table, names in columns.items()
    }


_LINKS = ("login", "role", "warehouse", "schemas", "stage", "integration", "COPY")


def test_the_doctor_is_green(empty_account: SnowflakeUnderTest) -> None:
    result = CliRunner().invoke(cli, ["doctor", "--json"])
    findings = {finding["link"]: finding for finding in json.loads(result.output)}
    assert {link: finding["state"] for link, finding in findings.items()} == dict.fromkeys(
        ("folder", "Amplitude", "lake", *_LINKS), "ok"
    )
    assert result.exit_code == 0
    assert list(empty_account.lake.list_keys("doctor/")) == []


@pytest.mark.parametrize(
    ("setting", "value", "link", "seen", "fix"),
    [
        ("LAKE_URL", "s3://amplitude-lake/else", "stage", "is over s3://", "over LAKE_URL"),
        ("SNOWFLAKE_STAGE", "bronze.nothing", "stage", "not exist", "SNOWFLAKE_STAGE"),
        ("SNOWFLAKE_DATABASE", "EMPTY", "schemas", "no schema bronze", "SNOWFLAKE_DATABASE"),
        ("SNOWFLAKE_ROLE", "", "settings", "needs SNOWFLAKE_ROLE", ".env"),
        ("SNOWFLAKE_PRIVATE_KEY_PATH", "no.p8", "settings", "snowflake --apply makes", ".env"),
        ("no warehouse", "", "warehouse", "SNOWFLAKE_WAREHOUSE", "bootstrap snowflake"),
    ],
)
def test_the_doctor_names_the_link_that_is_broken_and_leaves_what_hangs_on_it(
    fake_account: SnowflakeUnderTest,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    value: str,
    link: str,
    seen: str,
    fix: str,
) -> None:
    fake_account.empty()
    assert fake_account.double is not None
    if setting == "no warehouse":
        fake_account.double.snowflake.current["warehouse"] = None
    for name, usual in {**fake_account.environment, setting: value}.items():
        monkeypatch.setenv(name, usual)
    result = CliRunner().invoke(cli, ["doctor", "--json"])
    findings = {finding["link"]: finding for finding in json.loads(result.output)}
    assert result.exit_code == 1
    assert findings[link]["state"] == "failed"
    assert seen in findings[link]["seen"]
    assert fix in findings[link]["fix"]
    after = _LINKS[_LINKS.index(link) + 1 :] if link in _LINKS else ()
    assert [findings[name]["state"] for name in after] == ["not tried"] * len(after)


@pytest.fixture
def fresh(
    fake_account: SnowflakeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SnowflakeUnderTest]:
    """Return the fakes, with settings that name a lake and a database which are not there."""
    assert fake_account.double is not None
    environment = {
        **fake_account.environment,
        "AWS_ENDPOINT_URL": fake_account.double.s3.endpoint_url,
        "AWS_REGION": "eu-central-1",
        "LAKE_URL": "s3://a-fresh-lake/some/prefix",
        "SNOWFLAKE_DATABASE": "FRESH",
        "SNOWFLAKE_USER": "FRESH_PIPELINE",
        "SNOWFLAKE_ROLE": "FRESH_ROLE",
        "SNOWFLAKE_PRIVATE_KEY_PATH": "keys/pipeline.p8",
        "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": "a passphrase",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    fake_account.double.forget()
    yield fake_account
    fake_account.double.snowflake.account_objects.clear()


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def admin(account: SnowflakeUnderTest) -> tuple[str, ...]:
    key = account.environment["SNOWFLAKE_PRIVATE_KEY_PATH"]
    return ("--apply", "--admin-user", "SOMEONE", "--admin-key", key)


def trust(s3: S3Server) -> dict[str, Any]:
    iam = boto3.client("iam", endpoint_url=s3.endpoint_url, region_name="us-east-1")
    role: dict[str, Any] = iam.get_role(RoleName=READER_ROLE)["Role"]
    return dict(role["AssumeRolePolicyDocument"])


def test_two_commands_set_everything_up_for_hours_to_load_and_again_change_nothing(
    fresh: SnowflakeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    double = fresh.double
    assert double is not None
    run("bootstrap", "aws", "--apply")
    assert "made" in run("bootstrap", "snowflake", *admin(fresh))

    objects = json.dumps(double.snowflake.account_objects, sort_keys=True)
    integration = double.snowflake.account_objects["storage integration AMPLITUDE_LAKE"]
    (statement,) = trust(double.s3)["Statement"]
    assert statement["Principal"] == {"AWS": SNOWFLAKE_USER_ARN}
    assert statement["Condition"]["StringEquals"] == {
        "sts:ExternalId": integration["STORAGE_AWS_EXTERNAL_ID"]
    }
    before = trust(double.s3)

    again = run("bootstrap", "aws", "--apply") + run("bootstrap", "snowflake", *admin(fresh))
    assert {line.split()[0] for line in again.splitlines()} == {"unchanged"}
    assert json.dumps(double.snowflake.account_objects, sort_keys=True) == objects
    assert trust(double.s3) == before
    assert not [s for s in double.snowflake.statements if "or replace" in s.lower()]

    # The server here has no TLS, which the bucket's policy asks for.
    double.s3.resource.get_client().delete_bucket_policy(Bucket="a-fresh-lake")
    examined = {finding["link"]: finding["seen"] for finding in json.loads(run("doctor", "--json"))}
    role = f"arn:aws:iam::123456789012:role/{READER_ROLE}"
    assert examined["integration"] == f"AMPLITUDE_LAKE reads as {role}"
    assert examined["COPY"] == "copied a line from the lake"
    monkeypatch.setenv("EMULATOR_EVENTS_PER_HOUR", str(WORLD.events_per_hour))
    _load_hours_where_nothing_was()
    # Those that the code puts together by itself are in no file for rung a to read.
    passed = {*double.snowflake.statements, *double.snowflake.account_statements}
    assert len(passed) > 50
    wrong = {statement: grammar_errors(f"{statement.rstrip(';')};\n") for statement in passed}
    assert not {statement: found for statement, found in wrong.items() if found}


def _load_hours_where_nothing_was() -> None:
    """Take the hours to bronze, as `run` does; the models over it are seen in the main job."""
    settings = load_settings()
    with open_instance(settings) as instance:
        main_run = MainRun(build_definitions(settings), instance, len(HOURS), HOURS)
        main_run.load_hours()
    assert main_run.outcome.succeeded, main_run.outcome.reasons
    counts = open_warehouse(settings).counts(settings.project_id, HOURS)
    assert [hour.export_hour for hour in counts] == list(HOURS)
    assert sum(hour.bronze_rows for hour in counts) > 50


def test_a_lake_that_moved_is_followed_without_a_new_integration(
    fresh: SnowflakeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    double = fresh.double
    assert double is not None
    run("bootstrap", "aws", "--apply")
    run("bootstrap", "snowflake", *admin(fresh))
    before = dict(double.snowflake.account_objects["storage integration AMPLITUDE_LAKE"])
    monkeypatch.setenv("LAKE_URL", "s3://a-fresh-lake/another")
    told = run("bootstrap", "snowflake", *admin(fresh))
    after = double.snowflake.account_objects["storage integration AMPLITUDE_LAKE"]
    assert "changed    integration: role and location" in told
    assert after["STORAGE_ALLOWED_LOCATIONS"] == "s3://a-fresh-lake/another/"
    assert after["STORAGE_AWS_EXTERNAL_ID"] == before["STORAGE_AWS_EXTERNAL_ID"]


def test_a_new_key_and_another_quota_are_set_and_told(fresh: SnowflakeUnderTest) -> None:
    double = fresh.double
    assert double is not None
    run("bootstrap", "aws", "--apply")
    more = (*admin(fresh), "--reader-key", "keys/reader.p8")
    assert "made       the user for dashboards" in run("bootstrap", "snowflake", *more)
    users = {name: dict(double.snowflake.account_objects[name]) for name in _USERS}
    assert len({user["RSA_PUBLIC_KEY"] for user in users.values()}) == 2
    assert Path("keys/reader.p8").stat().st_mode & 0o777 == 0o600

    Path("keys/pipeline.p8").unlink()
    told = run("bootstrap", "snowflake", *more, "--credit-quota", "7")
    changed = [line.split(maxsplit=1)[1] for line in told.splitlines() if line[:7] == "changed"]
    assert changed == ["resource monitor: credits", "the pipeline's user, with its key"]
    pipeline, reader = (double.snowflake.account_objects[name] for name in _USERS)
    assert pipeline["RSA_PUBLIC_KEY"] != users[_USERS[0]]["RSA_PUBLIC_KEY"]
    assert reader["RSA_PUBLIC_KEY"] == users[_USERS[1]]["RSA_PUBLIC_KEY"]
    # Without the option the quota stays as it was set.
    again = run("bootstrap", "snowflake", *more)
    assert {line.split()[0] for line in again.splitlines()} == {"unchanged"}
    monitor = double.snowflake.account_objects["resource monitor AMPLITUDE_MONTHLY"]
    assert monitor["CREDIT_QUOTA"] == "7"


def test_a_role_of_snowflakes_own_is_not_taken_for_the_pipelines(
    fresh: SnowflakeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNOWFLAKE_ROLE", "SysAdmin")
    result = CliRunner().invoke(cli, ["bootstrap", "snowflake"])
    assert "SYSADMIN is a role of Snowflake's own" in str(result.exception) + result.output


def test_showing_changes_nothing_and_makes_no_key(fresh: SnowflakeUnderTest) -> None:
    double = fresh.double
    assert double is not None
    shown = run("bootstrap", "snowflake")
    assert "create storage integration if not exists AMPLITUDE_LAKE" in shown
    assert "FRESH_PIPELINE" in shown
    assert json.loads(run("bootstrap", "aws").rpartition("}")[0] + "}")["bucket"]["name"]
    assert double.snowflake.statements == []
    assert not Path("keys").exists()


def test_destroying_keeps_the_tables_without_its_own_flag(fresh: SnowflakeUnderTest) -> None:
    double = fresh.double
    assert double is not None
    run("bootstrap", "aws", "--apply")
    run("bootstrap", "snowflake", *admin(fresh))
    run("bootstrap", "snowflake", "--destroy", *admin(fresh))
    assert double.snowflake.account_objects == {}
    dropped = [s.lower() for s in double.snowflake.statements if s.lower().startswith("drop")]
    assert dropped
    assert not [s for s in dropped if "database" in s or "schema" in s or "table" in s]
    run("bootstrap", "snowflake", "--destroy", "--delete-data", *admin(fresh))
    assert double.snowflake.statements[-1].lower().startswith("drop database if exists fresh")
