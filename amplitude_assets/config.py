"""The settings, from the environment and `.env`; no other module reads the environment.

`.env.example` documents every variable. With none set, Amplitude is the emulator, the lake is a
folder and the warehouse is a DuckDB file.
"""

import os
from datetime import datetime, timedelta
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values, load_dotenv
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from amplitude_assets.hours import parse_hour
from amplitude_assets.misspelled import Misspelled, misspelled_settings
from amplitude_assets.privacy.masks import Masks, masks_of
from amplitude_assets.time_zones import time_zone

Region = Literal["us", "eu"]

_REGION_ORIGINS: dict[Region, str] = {
    "us": "https://amplitude.com",
    "eu": "https://analytics.eu.amplitude.com",
}
_REGION_APPS: dict[Region, str] = {
    "us": "https://app.amplitude.com",
    "eu": "https://app.eu.amplitude.com",
}


# The emulator's default project, which needs no setting; `WorldSettings` has the same one.
EMULATOR_PROJECT_ID = 100011
_DOTENV = ".env"
_URL_SYNTAX = "#?%\\"
_PRIVATE_UMASK = 0o077  # no permissions for the group and others
# Only AWS's libraries read these; `.env.example` documents them.
READ_BY_AWS = ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_S3")


class SettingsError(ValueError):
    """An invalid setting. The message names the variable and says what is valid."""


Hour = Annotated[
    datetime, BeforeValidator(lambda value: parse_hour(value) if isinstance(value, str) else value)
]

# A build on Snowflake costs credits; one on DuckDB costs nothing.
_MODELS_EVERY_HOURS = {"duckdb": 0, "snowflake": 6}

# Made absolute when the settings load, because dbt changes the working directory of this process.
AbsolutePath = Annotated[Path, AfterValidator(lambda path: path.expanduser().resolve())]


def _has_no_url_syntax(path: Path) -> Path:
    """Reject characters that are syntax in a URL: Dagster and dbt put paths into URLs unescaped."""
    if found := [character for character in _URL_SYNTAX if character in str(path)]:
        raise ValueError(f"{path} contains the character {found[0]}; choose a path without it")
    return path


DataPath = Annotated[AbsolutePath, AfterValidator(_has_no_url_syntax)]

Names = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(lambda value: _split(value) if isinstance(value, str) else value),
]


class Settings(BaseSettings):
    """All settings of one Amplitude project. Fields have their variables' names, in lower case."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    # Amplitude
    amplitude_api_key: SecretStr | None = None
    amplitude_secret_key: SecretStr | None = None
    amplitude_project_id: int | None = Field(default=None, gt=0)
    amplitude_region: Region = "us"
    amplitude_base_url: str | None = None
    amplitude_allow_http: bool = False
    amplitude_s3_export_url: str | None = None
    amplitude_start_hour: Hour = Field(default_factory=lambda: parse_hour("2026-01-01T00"))
    amplitude_export_delay_hours: int = Field(default=2, ge=0, le=168)
    amplitude_request_hours: int = Field(default=24, ge=1, le=8760)
    amplitude_max_concurrent_requests: int = Field(default=4, ge=1, le=32)
    amplitude_shrink_confirm_hours: int = Field(default=24, ge=0, le=8760)
    emulator_events_per_hour: int = Field(default=1400, ge=0)
    emulator_seed: int = 1

    # Where data goes
    aws_region: str | None = None
    data_dir: DataPath = Field(default=Path("data"), validate_default=True)
    lake_url: str | None = None
    lake_encryption: Literal["AES256", "aws:kms"] | None = None
    lake_kms_key_id: str | None = None
    lake_storage_class: (
        Literal["STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"] | None
    ) = None
    warehouse: Literal["duckdb", "snowflake"] = "duckdb"
    duckdb_path: DataPath | None = None
    run_hours: int = Field(default=168, ge=0, le=8760)
    archive_max_ratio: int = Field(default=1000, ge=1)
    archive_max_file_bytes: int = Field(default=64 * 1024**3, ge=1)
    landing_retention_hours: int = Field(default=48, ge=0)
    retention_days: int = Field(default=30, ge=2)
    dagster_home: DataPath | None = None
    dagster_public_api_only: bool = False

    # Privacy
    privacy_drop: Names = ()
    privacy_hash: Names = ()
    privacy_hash_key: SecretStr | None = None

    # Snowflake
    snowflake_account: str | None = None
    snowflake_user: str | None = None
    snowflake_private_key_path: AbsolutePath | None = None
    snowflake_private_key_passphrase: SecretStr | None = None
    snowflake_role: str | None = None
    snowflake_warehouse: str | None = None
    snowflake_rebuild_warehouse: str | None = None
    snowflake_database: str | None = None
    snowflake_stage: str | None = None
    snowflake_host: str | None = None
    snowflake_port: int | None = None
    snowflake_protocol: Literal["http", "https"] | None = None

    # Automation and alerts
    automation_enabled: bool = False
    lookback_days: int = Field(default=7, ge=1, le=365)
    recheck_hours: int = Field(default=48, ge=0, le=8760)
    lake_verify_days: int = Field(default=30, ge=0, le=3660)
    alert_webhook_url: SecretStr | None = None
    dagster_url: str = "http://127.0.0.1:3000"
    report_url: str | None = None

    # Reporting
    project_timezone: str = "UTC"
    week_start: Literal["monday", "sunday"] = "monday"
    models_every_hours: int | None = Field(default=None, ge=0, le=168)

    @field_validator("duckdb_path")
    @classmethod
    def _is_not_the_name_of_a_schema(cls, path: Path | None) -> Path | None:
        # DuckDB names the database after the file, and could not distinguish it from a schema.
        if path is not None and path.stem in ("bronze", "silver", "gold"):
            raise ValueError(f"{path.name} has the name of a schema; rename the file")
        return path

    @field_validator("project_timezone")
    @classmethod
    def _is_a_known_zone(cls, zone: str) -> str:
        time_zone(zone)
        return zone

    @field_validator("amplitude_base_url", "dagster_url")
    @classmethod
    def _is_an_origin(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ValueError("write an origin such as https://amplitude.com, without a user name")
        return url.rstrip("/")

    @field_validator("alert_webhook_url")
    @classmethod
    def _is_a_webhook(cls, url: SecretStr | None) -> SecretStr | None:
        parts = urlsplit(url.get_secret_value()) if url else None
        if parts is not None and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("write the webhook's full URL, beginning with https://")
        return url

    @field_validator("lake_url", "amplitude_s3_export_url")
    @classmethod
    def _is_a_lake(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.query or parts.fragment:
            raise ValueError("write %3F for a question mark and %23 for a number sign")
        if parts.scheme == "s3" and parts.netloc:
            return url.rstrip("/")
        if parts.scheme == "file" and not parts.netloc and parts.path:
            return url.rstrip("/")
        raise ValueError("write file:///folder or s3://bucket/prefix")

    @model_validator(mode="after")
    def _are_consistent(self) -> "Settings":
        if (self.amplitude_api_key is None) != (self.amplitude_secret_key is None):
            raise ValueError("set both AMPLITUDE_API_KEY and AMPLITUDE_SECRET_KEY, or neither")
        if not self.uses_emulator and self.amplitude_project_id is None:
            raise ValueError(
                "set AMPLITUDE_PROJECT_ID to the project ID of the keys, or of the files in "
                "AMPLITUDE_S3_EXPORT_URL"
            )
        if self.uses_emulator and self.amplitude_base_url is not None:
            raise ValueError("AMPLITUDE_BASE_URL needs AMPLITUDE_API_KEY and AMPLITUDE_SECRET_KEY")
        if self.lake_kms_key_id is not None and self.lake_encryption != "aws:kms":
            raise ValueError("LAKE_KMS_KEY_ID needs LAKE_ENCRYPTION=aws:kms")
        return self

    @model_validator(mode="after")
    def _sends_no_key_unencrypted(self) -> "Settings":
        base = urlsplit(self.amplitude_base_url or "")
        if base.scheme == "http" and not (is_loopback(base.hostname) or self.amplitude_allow_http):
            raise ValueError(
                f"AMPLITUDE_BASE_URL would send the keys unencrypted to {base.hostname}; use "
                "https://, or set AMPLITUDE_ALLOW_HTTP=true on a trusted network"
            )
        if self.snowflake_protocol == "http" and self.snowflake_host is None:
            raise ValueError(
                "SNOWFLAKE_PROTOCOL=http is only for an emulator; set SNOWFLAKE_HOST to its host"
            )
        return self

    @model_validator(mode="after")
    def _has_valid_masks(self) -> "Settings":
        _ = self.masks
        return self

    @property
    def uses_emulator(self) -> bool:
        """Return whether Amplitude is the emulator: neither keys nor an S3 export are set."""
        return self.amplitude_api_key is None and self.amplitude_s3_export_url is None

    @property
    def project_id(self) -> int:
        """Return the Amplitude project id; without keys, the emulator's."""
        return self.amplitude_project_id or EMULATOR_PROJECT_ID

    @property
    def export_origin(self) -> str:
        """Return the URL of the S3 export, or the origin of the Export API."""
        return (
            self.amplitude_s3_export_url
            or self.amplitude_base_url
            or _REGION_ORIGINS[self.amplitude_region]
        )

    @property
    def app_origin(self) -> str:
        """Return the origin of Amplitude's web interface in the project's region."""
        return _REGION_APPS[self.amplitude_region]

    @cached_property
    def masks(self) -> Masks:
        """Return the masks of PRIVACY_DROP and PRIVACY_HASH. Raises ValueError for invalid ones."""
        key = self.privacy_hash_key.get_secret_value() if self.privacy_hash_key else None
        return masks_of(self.privacy_drop, self.privacy_hash, key)

    @property
    def dagster_home_path(self) -> Path:
        """Return the folder where Dagster keeps its state."""
        return self.dagster_home or self.data_dir / "dagster"

    @property
    def resolved_lake_url(self) -> str:
        """Return the lake's URL, by default a folder in `DATA_DIR`."""
        return self.lake_url or (self.data_dir / "lake").as_uri()

    @property
    def uses_s3(self) -> bool:
        """Return whether the lake or the S3 export is in S3."""
        urls = (self.resolved_lake_url, self.amplitude_s3_export_url or "")
        return any(url.startswith("s3://") for url in urls)

    @property
    def resolved_duckdb_path(self) -> Path:
        """Return the DuckDB file's path, by default in `DATA_DIR`."""
        return self.duckdb_path or self.data_dir / "warehouse.duckdb"

    @property
    def database(self) -> str:
        """Return the name of the database with the schemas bronze, silver and gold."""
        if self.warehouse == "snowflake":
            return self.snowflake_database or "unset"
        return self.resolved_duckdb_path.stem

    @property
    def snowflake_account_in_host(self) -> str | None:
        """Return the account as its host name has it: MYORG-MY-ACCOUNT for MYORG-MY_ACCOUNT."""
        return self.snowflake_account and self.snowflake_account.replace("_", "-")

    @property
    def models_cadence(self) -> timedelta:
        """Return the least time between two builds of the models; zero is after every load."""
        hours = self.models_every_hours
        if hours is None:
            hours = _MODELS_EVERY_HOURS[self.warehouse]
        return timedelta(hours=hours)

    @property
    def report_path(self) -> Path:
        """Return the file of the overview report."""
        return self.data_dir / "reports" / "overview.html"


class _PublicApiOnly(BaseSettings):
    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", env_file=_DOTENV)

    dagster_public_api_only: bool = False


def load_settings() -> Settings:
    """Read the settings of this process. Raises SettingsError that names every problem.

    This loads `.env` into the environment, which AWS's libraries and dbt read themselves, and sets
    the umask, so that files of this process and its children are private to the user.
    """
    os.umask(_PRIVATE_UMASK)
    load_dotenv(_DOTENV)
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(_message_of(problem) for problem in error.errors())) from None


def public_api_only() -> bool:
    """Return whether our code must not use private APIs of Dagster and dagster-dbt.

    It reads only `DAGSTER_PUBLIC_API_ONLY`, for modules whose imports depend on that, and does not
    load `.env` into the environment. An invalid value counts as false here; `load_settings`
    reports it.
    """
    try:
        return _PublicApiOnly().dagster_public_api_only
    except ValidationError:
        return False


def unread_settings() -> list[Misspelled]:
    """Return the variables of the environment and `.env` that look like misspelled settings."""
    dotenv = set(dotenv_values(_DOTENV))
    settings = {name.upper() for name in Settings.model_fields} | set(READ_BY_AWS)
    return misspelled_settings({*os.environ, *dotenv}, dotenv, settings)


def is_loopback(host: str | None) -> bool:
    """Return whether a host name or an address is this machine's loopback interface."""
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


def _split(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _message_of(problem: ErrorDetails) -> str:
    name = "_".join(str(part) for part in problem["loc"]).upper()
    message = problem["msg"].removeprefix("Value error, ")
    return f"{name}: {message}" if name else message
