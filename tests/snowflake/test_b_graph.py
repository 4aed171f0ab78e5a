"""Level b: the Dagster assets, dbt with its tests, the setup and the doctor, over HTTP.

One run of the main job, from the emulator to gold in Snowflake, as `amplitude-assets run` does it.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import boto3
import pytest
from click.testing import CliRunner
from dagster import AssetKey

from amplitude_assets.bootstrap.aws_access import READER_ROLE
from amplitude_assets.cli.main import cli
from amplitude_assets.config import Settings, load_settings
from amplitude_assets.connections.warehouse import open_warehouse
from amplitude_assets.definitions import build_definitions
from amplitude_assets.emulator import World, WorldSettings
from amplitude_assets.hours import HOUR, HourRange, parse_hour
from amplitude_assets.instance.home import open_instance
from amplitude_assets.report.read import read_overview
from amplitude_assets.runs.in_process import MainRun, run_main_job
from amplitude_assets.warehouse.base import Warehouse
from tests.oracle import Merge
from tests.pipeline.gold_world import PROJECT_ID, Load
from tests.snowflake.loads import publish_load
from tests.support.fakesnow_server import SNOWFLAKE_USER_ARN
from tests.support.query_tags import Tagged
from tests.support.s3 import S3Server
from tests.support.snowflake import SnowflakeUnderTest
from tests.support.snowflake_grammar import grammar_errors

# dbt builds all models over HTTP, which takes minutes on a busy machine.
pytestmark = pytest.mark.timeout(900)

_USERS = ("user FRESH_PIPELINE", "user AMPLITUDE_READER")
HOURS = HourRange(parse_hour("2026-09-01T05"), parse_hour("2026-09-01T05") + HOUR)
ALONE = HOURS.last + HOUR  # an hour with one line, of the forgotten person
WORLD = WorldSettings(events_per_hour=100, project_id=PROJECT_ID)
# Ids in merge files: one is merged into the forgotten person, the other into another user.
ABSORBED, KEPT = 900_000_000_001, 900_000_000_002


def test_the_main_job_loads_and_builds_and_forget_removes_a_person(
    empty_account: SnowflakeUnderTest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("AMPLITUDE_PROJECT_ID", str(PROJECT_ID))
    monkeypatch.setenv("EMULATOR_EVENTS_PER_HOUR", str(WORLD.events_per_hour))
    key = empty_account.environment.get("SNOWFLAKE_PRIVATE_KEY_PATH")
    if key is not None:  # relative, as in the documentation
        monkeypatch.setenv("SNOWFLAKE_PRIVATE_KEY_PATH", os.path.relpath(key))
    settings = load_settings()
    anna = _add_an_hour_of_one_person(empty_account, tmp_path / "files")
    _run_the_main_job(settings)
    # For example the error that Snowflake returns for a dbt test of a missing table.
    assert "Traceback" not in caplog.text + capfd.readouterr().err
    assert Path.cwd() == tmp_path  # dagster-dbt's threads change the working directory
    _assert_models_are_built(settings)
    if empty_account.fakes is not None:
        _assert_statements_are_tagged(empty_account.fakes.snowflake.recorder.statements)
        empty_account.fakes.snowflake.statements.clear()
    _forget(anna, open_warehouse(settings))
    if empty_account.fakes is not None:  # warehouses store the text of queries
        assert anna.user_id not in " ".join(empty_account.fakes.snowflake.statements)


def _run_the_main_job(settings: Settings) -> None:
    with open_instance(settings) as instance:
        outcome = run_main_job(settings, instance, HOURS, lambda _: None)
        loaded = instance.get_latest_materialization_event(AssetKey(["bronze", "raw_events"]))
    assert outcome.reasons == []
    assert outcome.succeeded
    assert loaded is not None
    assert loaded.asset_materialization is not None
    assert loaded.asset_materialization.metadata["query_id"].value


def _assert_statements_are_tagged(statements: Sequence[Tagged]) -> None:
    """Assert that the tag of each statement names its run, its asset or model, and its hours."""
    assert {one.tag.get("application") for one in statements} == {"amplitude-assets"}
    of_runs = [one for one in statements if "run_id" in one.tag]
    assert {one.tag["hours"] for one in of_runs} == {str(HOURS)}
    assert {one.tag["asset"] for one in of_runs} == {
        "bronze/raw_events", "dbt_models", "overview_report", "gold/rpt_data_quality",
        "silver/events", "silver/property_catalog",
    }  # fmt: skip
    for one in of_runs:
        match = re.match(r"create or replace\s+(transient table|view)\s+\w+\.(\w+)\.(\w+)", one.sql)
        if match:
            layer, _, model = one.tag["model"].partition("/")
            assert (match[2], match[3].removesuffix("__dbt_tmp")) == (layer, model)
    # dbt's lookups before the first model of a session, and statements of this test.
    others = [one for one in statements if one not in of_runs and "asset" in one.tag]
    assert not [
        o.sql for o in others if not re.match(r"\s*(show|describe|select|alter session)", o.sql)
    ]
    assert not [one for one in statements if "rsa_key" in str(one.tag)]


def _assert_models_are_built(settings: Settings) -> None:
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
    """The forgotten person: her ids, and the number of lines with one of them."""

    user_id: str
    amplitude_id: int
    lines: int

    @property
    def mentions(self) -> re.Pattern[str]:
        """Return a pattern that finds her ids in a row."""
        ids = (self.user_id, str(self.amplitude_id), str(ABSORBED))
        return re.compile("|".join(map(re.escape, ids)))


def _add_an_hour_of_one_person(account: SnowflakeUnderTest, folder: Path) -> Anna:
    """Load an hour with one line, of the person with most events in the other hours.

    Its id is merged into that person by a merge file; the file has a merge of another user too.
    """
    lines = [json.loads(line) for hour in HOURS for line in World(WORLD).lines(hour)]
    ((user_id, count),) = Counter(filter(None, (one["user_id"] for one in lines))).most_common(1)
    example = next(line for line in lines if line["user_id"] == user_id)
    anna = Anna(user_id, example["amplitude_id"], count + 1)
    other = next(line["amplitude_id"] for line in lines if line["user_id"] is None)
    alone = {
        **example,
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
    """Forget her with the command; assert that no table has her ids, and no other row changes."""
    before = _tables(warehouse)
    tables_with_anna = {
        name for name, rows in before.items() if any(map(anna.mentions.search, rows))
    }
    assert tables_with_anna > {
        "bronze.raw_events", "bronze.events", "bronze.merge_ids", "silver.events",
        "silver.user_identities", "silver.merged_ids", "gold.dim_users", "gold.fct_sessions",
    }  # fmt: skip
    printed = run("forget", "--user", anna.user_id, "--yes")
    ids = f"{', '.join(sorted((str(anna.amplitude_id), str(ABSORBED))))}, user:{anna.user_id}"
    assert f"ids     {ids}\nevents  {anna.lines} lines in bronze\nhours   3:" in printed
    assert "Nothing of the person is left here." in printed
    after = _tables(warehouse)
    assert set(after) == set(before)
    assert not {name for name, rows in after.items() if any(map(anna.mentions.search, rows))}
    for name in sorted(tables_with_anna):
        remaining = Counter(
            {row: n for row, n in before[name].items() if not anna.mentions.search(row)}
        )
        assert (name, after[name]) == (name, remaining)
    removed = before["bronze.raw_events"] - after["bronze.raw_events"]
    assert removed.total() == anna.lines
    assert warehouse.query("select amplitude_id from bronze.merge_ids") == [(KEPT,)]
    assert sorted(warehouse.query("select status, lines > 0 from bronze.export_hours")) == [
        ("empty", False),
        ("loaded", True),
        ("loaded", True),
    ]


def _tables(warehouse: Warehouse) -> dict[str, Counter[str]]:
    """Return the rows of every table and view as text, without the columns of the load."""
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


def test_the_doctor_finds_every_link_ok(empty_account: SnowflakeUnderTest) -> None:
    result = CliRunner().invoke(cli, ["doctor", "--json"])
    findings = {finding["link"]: finding for finding in json.loads(result.output)}
    assert {link: finding["state"] for link, finding in findings.items()} == dict.fromkeys(
        ("folder", "Amplitude", "lake", "Dagster", *_LINKS), "ok"
    )
    assert result.exit_code == 0
    assert list(empty_account.lake.list_keys("doctor/")) == []


@pytest.mark.parametrize(
    ("setting", "value", "link", "seen", "fix"),
    [
        ("LAKE_URL", "s3://amplitude-lake/else", "stage", "is s3://", "over LAKE_URL"),
        ("SNOWFLAKE_STAGE", "bronze.nothing", "stage", "not exist", "SNOWFLAKE_STAGE"),
        ("SNOWFLAKE_DATABASE", "EMPTY", "schemas", "no schema bronze", "SNOWFLAKE_DATABASE"),
        ("SNOWFLAKE_ROLE", "", "settings", "needs SNOWFLAKE_ROLE", ".env"),
        ("SNOWFLAKE_PRIVATE_KEY_PATH", "no.p8", "settings", "snowflake --apply creates", ".env"),
        ("no warehouse", "", "warehouse", "SNOWFLAKE_WAREHOUSE", "bootstrap snowflake"),
    ],
)
def test_the_doctor_names_the_broken_link_and_skips_dependent_links(
    fake_account: SnowflakeUnderTest,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    value: str,
    link: str,
    seen: str,
    fix: str,
) -> None:
    fake_account.empty()
    assert fake_account.fakes is not None
    if setting == "no warehouse":
        fake_account.fakes.snowflake.current["warehouse"] = None
    for name, setting_value in {**fake_account.environment, setting: value}.items():
        monkeypatch.setenv(name, setting_value)
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
    """Return the fakes with settings for a lake and a database that do not exist."""
    assert fake_account.fakes is not None
    environment = {
        **fake_account.environment,
        "AWS_ENDPOINT_URL": fake_account.fakes.s3.endpoint_url,
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
    fake_account.fakes.reset()
    yield fake_account
    fake_account.fakes.snowflake.account_objects.clear()


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


def test_two_bootstrap_commands_set_up_the_load_and_are_idempotent(
    fresh: SnowflakeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes = fresh.fakes
    assert fakes is not None
    run("bootstrap", "aws", "--apply")
    assert "created" in run("bootstrap", "snowflake", *admin(fresh))

    objects = json.dumps(fakes.snowflake.account_objects, sort_keys=True)
    integration = fakes.snowflake.account_objects["storage integration AMPLITUDE_LAKE"]
    (statement,) = trust(fakes.s3)["Statement"]
    assert statement["Principal"] == {"AWS": SNOWFLAKE_USER_ARN}
    assert statement["Condition"]["StringEquals"] == {
        "sts:ExternalId": integration["STORAGE_AWS_EXTERNAL_ID"]
    }
    before = trust(fakes.s3)

    again = run("bootstrap", "aws", "--apply") + run("bootstrap", "snowflake", *admin(fresh))
    assert {line.split()[0] for line in again.splitlines()} == {"unchanged"}
    assert json.dumps(fakes.snowflake.account_objects, sort_keys=True) == objects
    assert trust(fakes.s3) == before
    assert not [s for s in fakes.snowflake.statements if "or replace" in s.lower()]

    # The test server has no TLS, which the bucket's policy requires.
    fakes.s3.resource.get_client().delete_bucket_policy(Bucket="a-fresh-lake")
    seen_by_link = {
        finding["link"]: finding["seen"] for finding in json.loads(run("doctor", "--json"))
    }
    role = f"arn:aws:iam::123456789012:role/{READER_ROLE}"
    assert seen_by_link["integration"] == f"AMPLITUDE_LAKE reads as {role}"
    assert seen_by_link["COPY"] == "copied a line from the lake"
    monkeypatch.setenv("EMULATOR_EVENTS_PER_HOUR", str(WORLD.events_per_hour))
    _load_hours_into_the_new_database()
    # Generated statements are in no file, so level a does not check them.
    executed = {*fakes.snowflake.statements, *fakes.snowflake.account_statements}
    assert len(executed) > 50
    wrong = {statement: grammar_errors(f"{statement.rstrip(';')};\n") for statement in executed}
    assert not {statement: found for statement, found in wrong.items() if found}


def _load_hours_into_the_new_database() -> None:
    """Load the hours into bronze, as `run` does; the main job's test covers the models."""
    settings = load_settings()
    with open_instance(settings) as instance:
        main_run = MainRun(build_definitions(settings), instance, len(HOURS), HOURS)
        main_run.load_hours()
    assert main_run.outcome.succeeded, main_run.outcome.reasons
    counts = open_warehouse(settings).counts(settings.project_id, HOURS)
    assert [hour.export_hour for hour in counts] == list(HOURS)
    assert sum(hour.bronze_rows for hour in counts) > 50


def test_a_changed_lake_url_updates_the_integration_in_place(
    fresh: SnowflakeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes = fresh.fakes
    assert fakes is not None
    run("bootstrap", "aws", "--apply")
    run("bootstrap", "snowflake", *admin(fresh))
    before = dict(fakes.snowflake.account_objects["storage integration AMPLITUDE_LAKE"])
    monkeypatch.setenv("LAKE_URL", "s3://a-fresh-lake/another")
    printed = run("bootstrap", "snowflake", *admin(fresh))
    after = fakes.snowflake.account_objects["storage integration AMPLITUDE_LAKE"]
    assert "changed    integration: role and location" in printed
    assert after["STORAGE_ALLOWED_LOCATIONS"] == "s3://a-fresh-lake/another/"
    assert after["STORAGE_AWS_EXTERNAL_ID"] == before["STORAGE_AWS_EXTERNAL_ID"]


def test_a_new_key_and_another_quota_are_set_and_reported(fresh: SnowflakeUnderTest) -> None:
    fakes = fresh.fakes
    assert fakes is not None
    run("bootstrap", "aws", "--apply")
    arguments_with_reader = (*admin(fresh), "--reader-key", "keys/reader.p8")
    assert "created    the user for dashboards" in run(
        "bootstrap", "snowflake", *arguments_with_reader
    )
    users = {name: dict(fakes.snowflake.account_objects[name]) for name in _USERS}
    assert len({user["RSA_PUBLIC_KEY"] for user in users.values()}) == 2
    assert Path("keys/reader.p8").stat().st_mode & 0o777 == 0o600

    Path("keys/pipeline.p8").unlink()
    printed = run("bootstrap", "snowflake", *arguments_with_reader, "--credit-quota", "7")
    changed = [line.split(maxsplit=1)[1] for line in printed.splitlines() if line[:7] == "changed"]
    assert changed == ["resource monitor: pipeline's credits", "the pipeline's user, with its key"]
    pipeline, reader = (fakes.snowflake.account_objects[name] for name in _USERS)
    assert pipeline["RSA_PUBLIC_KEY"] != users[_USERS[0]]["RSA_PUBLIC_KEY"]
    assert reader["RSA_PUBLIC_KEY"] == users[_USERS[1]]["RSA_PUBLIC_KEY"]
    # Without the option the quota does not change.
    again = run("bootstrap", "snowflake", *arguments_with_reader)
    assert {line.split()[0] for line in again.splitlines()} == {"unchanged"}
    monitor = fakes.snowflake.account_objects["resource monitor AMPLITUDE_MONTHLY"]
    assert monitor["CREDIT_QUOTA"] == "7"
    monitor = fakes.snowflake.account_objects["resource monitor AMPLITUDE_READER_MONTHLY"]
    assert monitor["CREDIT_QUOTA"] == "30"


def test_a_pipeline_that_runs_as_another_aws_role_is_followed(
    fresh: SnowflakeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes = fresh.fakes
    assert fakes is not None
    monkeypatch.delenv("SNOWFLAKE_PRIVATE_KEY_PATH")
    run("bootstrap", "aws", "--apply")

    def outcomes(role: str) -> list[str]:
        arn = f"arn:aws:iam::123456789012:role/{role}"
        printed = run("bootstrap", "snowflake", *admin(fresh), "--identity-arn", arn)
        assert fakes.snowflake.account_objects["user FRESH_PIPELINE"]["ARN"] == arn
        return [line for line in printed.splitlines() if "its AWS role" in line]

    step = "the pipeline's user, with its AWS role"
    assert outcomes("one") == [f"created    {step}"]
    assert outcomes("path/other") == [f"changed    {step}"]
    assert outcomes("path/other") == [f"unchanged  {step}"]


def test_the_warehouse_of_rebuilds_is_created_and_dropped_where_it_is_set(
    fresh: SnowflakeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes = fresh.fakes
    assert fakes is not None
    monkeypatch.setenv("SNOWFLAKE_REBUILD_WAREHOUSE", "REBUILD_WH")
    run("bootstrap", "aws", "--apply")
    printed = run("bootstrap", "snowflake", *admin(fresh))
    assert "created    warehouse of full rebuilds" in printed
    assert "warehouse REBUILD_WH" in fakes.snowflake.account_objects
    assert "drop warehouse if exists REBUILD_WH" in run("bootstrap", "snowflake", "--destroy")
    run("bootstrap", "snowflake", "--destroy", *admin(fresh))
    assert "warehouse REBUILD_WH" not in fakes.snowflake.account_objects


def test_a_system_role_is_rejected(
    fresh: SnowflakeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNOWFLAKE_ROLE", "SysAdmin")
    result = CliRunner().invoke(cli, ["bootstrap", "snowflake"])
    assert "SYSADMIN is a system role of Snowflake" in str(result.exception) + result.output


def test_bootstrap_without_apply_changes_nothing_and_creates_no_key(
    fresh: SnowflakeUnderTest,
) -> None:
    fakes = fresh.fakes
    assert fakes is not None
    shown = run("bootstrap", "snowflake")
    assert "create storage integration if not exists AMPLITUDE_LAKE" in shown
    assert "FRESH_PIPELINE" in shown
    assert json.loads(run("bootstrap", "aws").rpartition("}")[0] + "}")["bucket"]["name"]
    assert fakes.snowflake.statements == []
    assert not Path("keys").exists()


def test_destroy_keeps_the_tables_without_delete_data(fresh: SnowflakeUnderTest) -> None:
    fakes = fresh.fakes
    assert fakes is not None
    run("bootstrap", "aws", "--apply")
    run("bootstrap", "snowflake", *admin(fresh))
    run("bootstrap", "snowflake", "--destroy", *admin(fresh))
    assert fakes.snowflake.account_objects == {}
    dropped = [s.lower() for s in fakes.snowflake.statements if s.lower().startswith("drop")]
    assert dropped
    assert not [s for s in dropped if "database" in s or "schema" in s or "table" in s]
    run("bootstrap", "snowflake", "--destroy", "--delete-data", *admin(fresh))
    assert fakes.snowflake.statements[-1].lower().startswith("drop database if exists fresh")
