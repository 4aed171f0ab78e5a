"""Settings: their defaults, what is refused, and that secrets are not shown."""

import os
from pathlib import Path

import pytest

from amplitude_assets.config import SettingsError, dbt_environment, load_settings
from amplitude_assets.emulator import PROJECT_ID
from amplitude_assets.hours import format_hour


def test_with_no_settings_everything_is_embedded(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.uses_emulator
    assert settings.project_id == PROJECT_ID
    assert settings.warehouse == "duckdb"
    assert settings.resolved_lake_url == (tmp_path / "data" / "lake").as_uri()
    assert settings.resolved_duckdb_path == tmp_path / "data" / "warehouse.duckdb"
    assert settings.amplitude_export_delay_hours == 2
    assert settings.project_timezone == "UTC"


def test_the_start_hour_is_read_as_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMPLITUDE_START_HOUR", "2025-03-04T05")
    assert format_hour(load_settings().amplitude_start_hour) == "2025-03-04T05"


@pytest.mark.parametrize(
    ("region", "origin"),
    [("us", "https://amplitude.com"), ("eu", "https://analytics.eu.amplitude.com")],
)
def test_the_region_gives_the_origin(
    monkeypatch: pytest.MonkeyPatch, region: str, origin: str
) -> None:
    monkeypatch.setenv("AMPLITUDE_REGION", region)
    assert load_settings().export_origin == origin


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"WAREHOUSE": "bigquery"}, "WAREHOUSE: .*'duckdb' or 'snowflake'"),
        ({"AMPLITUDE_REGION": "asia"}, "AMPLITUDE_REGION"),
        ({"AMPLITUDE_START_HOUR": "2026-09-01"}, "AMPLITUDE_START_HOUR: .*YYYY-MM-DDTHH"),
        ({"AMPLITUDE_EXPORT_DELAY_HOURS": "-1"}, "AMPLITUDE_EXPORT_DELAY_HOURS"),
        ({"AMPLITUDE_API_KEY": "k"}, "AMPLITUDE_SECRET_KEY"),
        ({"AMPLITUDE_API_KEY": "k", "AMPLITUDE_SECRET_KEY": "s"}, "AMPLITUDE_PROJECT_ID"),
        ({"AMPLITUDE_PROJECT_ID": "my project"}, "AMPLITUDE_PROJECT_ID"),
        ({"AMPLITUDE_BASE_URL": "http://localhost:1"}, "AMPLITUDE_API_KEY"),
        ({"AMPLITUDE_BASE_URL": "localhost"}, "AMPLITUDE_BASE_URL"),
        ({"LAKE_URL": "ftp://host/folder"}, "LAKE_URL: .*file:///folder or s3://bucket/prefix"),
        ({"LAKE_URL": "s3:///prefix"}, "LAKE_URL"),
        ({"DUCKDB_PATH": "somewhere/gold.duckdb"}, "DUCKDB_PATH: .*name of a schema"),
        ({"ARCHIVE_MAX_RATIO": "0"}, "ARCHIVE_MAX_RATIO"),
        ({"PROJECT_TIMEZONE": "Middle/Earth"}, "PROJECT_TIMEZONE: .*IANA"),
        ({"WEEK_START": "friday"}, "WEEK_START"),
        ({"PRIVACY_DROP": "ip_address, uuid"}, "PRIVACY_DROP: uuid cannot be masked"),
        ({"PRIVACY_HASH": "user_id"}, "PRIVACY_HASH_KEY: .*16 signs"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=said) as refused:
        load_settings()
    assert "\n" not in str(refused.value)


def test_a_variable_set_to_nothing_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMPLITUDE_API_KEY", "")
    monkeypatch.setenv("WAREHOUSE", "")
    assert load_settings().uses_emulator


def test_dotenv_is_read_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("WEEK_START=sunday\nPROJECT_TIMEZONE=Asia/Kolkata\n")
    monkeypatch.setenv("PROJECT_TIMEZONE", "Europe/Berlin")
    settings = load_settings()
    assert (settings.week_start, settings.project_timezone) == ("sunday", "Europe/Berlin")


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "AMPLITUDE_API_KEY": "the-api-key",
        "AMPLITUDE_SECRET_KEY": "the-secret-key",
        "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": "the-passphrase",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AMPLITUDE_PROJECT_ID", "1")
    settings = load_settings()
    shown = repr(settings) + str(settings) + settings.model_dump_json()
    assert not any(secret in shown for secret in secrets.values())
    monkeypatch.setenv("AMPLITUDE_PROJECT_ID", "the-api-key")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert "the-api-key" not in str(refused.value)


def test_dbt_sees_the_settings_and_the_next_reader_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEEK_START", "sunday")
    monkeypatch.setenv("SNOWFLAKE_PRIVATE_KEY_PATH", "keys/pipeline.p8")
    before = dict(os.environ)
    with dbt_environment(load_settings()):
        assert os.environ["DUCKDB_PATH"] == str(tmp_path / "data" / "warehouse.duckdb")
        assert (os.environ["WEEK_START"], os.environ["PROJECT_TIMEZONE"]) == ("sunday", "UTC")
        assert os.environ["SNOWFLAKE_PRIVATE_KEY_PATH"] == str(tmp_path / "keys" / "pipeline.p8")
    assert dict(os.environ) == before


def test_relative_paths_are_of_the_folder_that_the_settings_were_read_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATA_DIR")
    embedded = load_settings()
    for name, path in {
        "DATA_DIR": "somewhere",
        "DUCKDB_PATH": "w/events.duckdb",
        "DAGSTER_HOME": "home",
        "SNOWFLAKE_PRIVATE_KEY_PATH": "keys/pipeline.p8",
    }.items():
        monkeypatch.setenv(name, path)
    settings = load_settings()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)  # as dbt does
    assert embedded.resolved_duckdb_path == tmp_path / "data" / "warehouse.duckdb"
    assert embedded.resolved_lake_url == (tmp_path / "data" / "lake").as_uri()
    assert embedded.dagster_home_path == tmp_path / "data" / "dagster"
    assert settings.resolved_duckdb_path == tmp_path / "w" / "events.duckdb"
    assert settings.resolved_lake_url == (tmp_path / "somewhere" / "lake").as_uri()
    assert settings.report_path.is_relative_to(tmp_path / "somewhere")
    assert settings.dagster_home_path == tmp_path / "home"
    assert settings.snowflake_private_key_path == tmp_path / "keys" / "pipeline.p8"


def test_masks_are_read_from_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIVACY_DROP", "ip_address, user_properties.e.mail")
    monkeypatch.setenv("PRIVACY_HASH", "user_id")
    monkeypatch.setenv("PRIVACY_HASH_KEY", "a secret of many signs")
    settings = load_settings()
    assert set(map(str, settings.masks.dropped)) == {"ip_address", "user_properties.e.mail"}
    assert set(map(str, settings.masks.hashed)) == {"user_id"}
    assert "a secret of many signs" not in repr(settings) + repr(settings.masks)
