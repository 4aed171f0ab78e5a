"""The settings: defaults, validation, and hidden secrets."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from amplitude_assets.config import (
    Settings,
    SettingsError,
    load_settings,
    public_api_only,
    unread_settings,
)
from amplitude_assets.connections.amplitude import emulated_world
from amplitude_assets.dbt.project import dbt_environment
from amplitude_assets.emulator import WorldSettings
from amplitude_assets.hours import format_hour

KEYS = {
    "AMPLITUDE_API_KEY": "k",
    "AMPLITUDE_SECRET_KEY": "s",
    "AMPLITUDE_PROJECT_ID": "1",
}


def test_without_settings_everything_is_embedded(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.uses_emulator
    assert emulated_world(settings).settings == WorldSettings()
    assert settings.warehouse == "duckdb"
    assert settings.resolved_lake_url == (tmp_path / "data" / "lake").as_uri()
    assert settings.resolved_duckdb_path == tmp_path / "data" / "warehouse.duckdb"
    assert settings.amplitude_export_delay_hours == 2
    assert settings.project_timezone == "UTC"


def test_the_start_hour_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMPLITUDE_START_HOUR", "2025-03-04T05")
    assert format_hour(load_settings().amplitude_start_hour) == "2025-03-04T05"


def test_the_loader_and_dbt_get_the_account_as_host_names_spell_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SNOWFLAKE_ACCOUNT", "MYORG-MY_ACCOUNT")
    settings = load_settings()
    assert settings.snowflake_account_in_host == "MYORG-MY-ACCOUNT"
    with dbt_environment(settings):
        assert os.environ["SNOWFLAKE_ACCOUNT"] == "MYORG-MY-ACCOUNT"
    assert os.environ["SNOWFLAKE_ACCOUNT"] == "MYORG-MY_ACCOUNT"


@pytest.mark.parametrize(
    ("region", "origin"),
    [("us", "https://amplitude.com"), ("eu", "https://analytics.eu.amplitude.com")],
)
def test_the_region_selects_the_origin(
    monkeypatch: pytest.MonkeyPatch, region: str, origin: str
) -> None:
    monkeypatch.setenv("AMPLITUDE_REGION", region)
    assert load_settings().export_origin == origin


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"WAREHOUSE": "bigquery"}, "WAREHOUSE: .*'duckdb' or 'snowflake'"),
        ({"AMPLITUDE_REGION": "asia"}, "AMPLITUDE_REGION"),
        ({"DAGSTER_PUBLIC_API_ONLY": "perhaps"}, "DAGSTER_PUBLIC_API_ONLY: .*boolean"),
        ({"AMPLITUDE_START_HOUR": "2026-09-01"}, "AMPLITUDE_START_HOUR: .*YYYY-MM-DDTHH"),
        ({"AMPLITUDE_EXPORT_DELAY_HOURS": "-1"}, "AMPLITUDE_EXPORT_DELAY_HOURS"),
        ({"AMPLITUDE_API_KEY": "k"}, "AMPLITUDE_SECRET_KEY"),
        ({"AMPLITUDE_API_KEY": "k", "AMPLITUDE_SECRET_KEY": "s"}, "AMPLITUDE_PROJECT_ID"),
        ({"AMPLITUDE_PROJECT_ID": "my project"}, "AMPLITUDE_PROJECT_ID"),
        ({"AMPLITUDE_BASE_URL": "http://localhost:1"}, "AMPLITUDE_API_KEY"),
        ({"AMPLITUDE_BASE_URL": "localhost"}, "AMPLITUDE_BASE_URL"),
        (
            KEYS | {"AMPLITUDE_BASE_URL": "http://amplitude.com"},
            "unencrypted to amplitude.com",
        ),
        (KEYS | {"AMPLITUDE_BASE_URL": "http://10.0.0.7:80"}, "AMPLITUDE_ALLOW_HTTP=true"),
        (KEYS | {"AMPLITUDE_BASE_URL": "http://127.0.0.1.example"}, "unencrypted"),
        (KEYS | {"AMPLITUDE_BASE_URL": "http://localhost.example"}, "unencrypted"),
        (KEYS | {"AMPLITUDE_BASE_URL": "http://[2001:db8::1]"}, "unencrypted to 2001:db8::1"),
        ({"SNOWFLAKE_PROTOCOL": "http"}, "SNOWFLAKE_HOST"),
        ({"DATA_DIR": "a#b"}, "DATA_DIR: .*a#b contains the character #"),
        ({"DATA_DIR": "what?"}, "DATA_DIR: .*the character \\?"),
        ({"DATA_DIR": "a\\b/data"}, r"DATA_DIR: .*the character \\"),
        ({"DATA_DIR": "a%20b"}, "DATA_DIR: .*the character %"),
        ({"DUCKDB_PATH": "a?b.duckdb"}, "DUCKDB_PATH: .*the character \\?"),
        ({"DAGSTER_HOME": "a#b"}, "DAGSTER_HOME: .*the character #"),
        ({"LAKE_URL": "file:///a#b"}, "LAKE_URL: .*%23"),
        ({"LAKE_URL": "s3://bucket/a?b"}, "LAKE_URL: .*%3F"),
        ({"LAKE_URL": "ftp://host/folder"}, "LAKE_URL: .*file:///folder or s3://bucket/prefix"),
        ({"LAKE_URL": "s3:///prefix"}, "LAKE_URL"),
        ({"DUCKDB_PATH": "somewhere/gold.duckdb"}, "DUCKDB_PATH: .*name of a schema"),
        ({"ARCHIVE_MAX_RATIO": "0"}, "ARCHIVE_MAX_RATIO"),
        ({"PROJECT_TIMEZONE": "Middle/Earth"}, "PROJECT_TIMEZONE: .*IANA"),
        ({"WEEK_START": "friday"}, "WEEK_START"),
        ({"PRIVACY_DROP": "ip_address, uuid"}, "PRIVACY_DROP: uuid cannot be masked"),
        ({"PRIVACY_HASH": "user_id"}, "PRIVACY_HASH_KEY of at least 16 characters"),
    ],
)
def test_an_invalid_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=message) as raised:
        load_settings()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://127.0.0.1:8642", ""),
        ("http://127.8.9.10", ""),
        ("http://localhost:8642", ""),
        ("http://[::1]:8642", ""),
        ("https://proxy.example.com", ""),
        ("http://proxy.example.com", "true"),
    ],
)
def test_http_is_accepted_on_loopback_and_where_it_is_allowed(
    monkeypatch: pytest.MonkeyPatch, origin: str, allowed: str
) -> None:
    settings = KEYS | {"AMPLITUDE_BASE_URL": origin, "AMPLITUDE_ALLOW_HTTP": allowed}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert load_settings().export_origin == origin


def test_misspelled_variables_are_reported_with_the_most_similar_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(
        "PROJECT_SIZE=9\nWEEK_START=sunday\nCOMPOSE_FILE=a\nSNOWFLAKE_ROL=\n"
    )
    monkeypatch.setenv("AMPLITUDE_REGON", "eu")
    monkeypatch.setenv("PROJECT_ROOT", "/srv")
    load_settings()  # loads .env into the environment
    assert [str(variable) for variable in unread_settings()] == [
        "AMPLITUDE_REGON in the environment is not a setting; did you mean AMPLITUDE_REGION?",
        "PROJECT_SIZE in .env is not a setting; .env.example lists them all",
        "SNOWFLAKE_ROL in .env is not a setting; did you mean SNOWFLAKE_ROLE?",
    ]


def test_an_empty_variable_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMPLITUDE_API_KEY", "")
    monkeypatch.setenv("WAREHOUSE", "")
    assert load_settings().uses_emulator


def test_dotenv_is_loaded_and_the_environment_takes_precedence(
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
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert "the-api-key" not in str(raised.value)


def test_the_environment_of_dbt_is_restored(
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


def test_relative_paths_are_resolved_when_the_settings_load(
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


def test_masks_are_parsed_from_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIVACY_DROP", "ip_address, user_properties.e.mail")
    monkeypatch.setenv("PRIVACY_HASH", "user_id")
    monkeypatch.setenv("PRIVACY_HASH_KEY", "a secret of many characters")
    settings = load_settings()
    assert set(map(str, settings.masks.dropped)) == {"ip_address", "user_properties.e.mail"}
    assert set(map(str, settings.masks.hashed)) == {"user_id"}
    assert "a secret of many characters" not in repr(settings) + repr(settings.masks)


def test_public_api_only_is_read_from_dotenv_before_the_settings_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not public_api_only()
    Path(".env").write_text("DAGSTER_PUBLIC_API_ONLY=true\nAMPLITUDE_PROJECT_ID=7\n")
    before = dict(os.environ)
    assert public_api_only()
    assert os.environ == before, "modules call it when they are imported"
    monkeypatch.setenv("DAGSTER_PUBLIC_API_ONLY", "false")
    assert not public_api_only()
    monkeypatch.delenv("DAGSTER_PUBLIC_API_ONLY")
    assert load_settings().dagster_public_api_only


@pytest.mark.parametrize(
    ("settings", "hours"),
    [
        ({}, 0),
        ({"warehouse": "snowflake"}, 6),
        ({"warehouse": "snowflake", "models_every_hours": 0}, 0),
        ({"models_every_hours": 24}, 24),
    ],
)
def test_the_models_follow_at_once_on_duckdb_and_every_six_hours_on_snowflake(
    settings: dict[str, object], hours: int
) -> None:
    assert Settings.model_validate(settings).models_cadence == timedelta(hours=hours)


def test_a_negative_cadence_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS_EVERY_HOURS", "-1")
    with pytest.raises(SettingsError, match="MODELS_EVERY_HOURS"):
        load_settings()
