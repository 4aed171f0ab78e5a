"""Typed settings, from the environment and `.env`: the only reader of the environment.

Every variable here stands in `.env.example` with its meaning. With none set, Amplitude is the
emulator, the lake is a folder and the warehouse is a DuckDB file.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from dotenv import load_dotenv
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

from amplitude_assets.export.masks import Masks, masks_of
from amplitude_assets.hours import parse_hour

Region = Literal["us", "eu"]

_REGION_ORIGINS: dict[Region, str] = {
    "us": "https://amplitude.com",
    "eu": "https://analytics.eu.amplitude.com",
}
_REGION_APPS: dict[Region, str] = {
    "us": "https://app.amplitude.com",
    "eu": "https://app.eu.amplitude.com",
}


class SettingsError(ValueError):
    """A setting that cannot be used. The message names the variable and what would be right."""


Hour = Annotated[
    datetime, BeforeValidator(lambda value: parse_hour(value) if isinstance(value, str) else value)
]

# Made absolute when the settings load: dbt changes to the folder of its project, also for us.
WholePath = Annotated[Path, AfterValidator(lambda path: path.expanduser().resolve())]

Names = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(lambda value: _listed(value) if isinstance(value, str) else value),
]


class Settings(BaseSettings):
    """All settings of one Amplitude project. A field is named as its variable, in lower case."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    # Amplitude
    amplitude_api_key: SecretStr | None = None
    amplitude_secret_key: SecretStr | None = None
    amplitude_project_id: int | None = Field(default=None, gt=0)
    amplitude_region: Region = "us"
    amplitude_base_url: str | None = None
    amplitude_s3_export_url: str | None = None
    amplitude_start_hour: Hour = Field(default_factory=lambda: parse_hour("2026-01-01T00"))
    amplitude_export_delay_hours: int = Field(default=2, ge=0, le=168)
    amplitude_request_hours: int = Field(default=24, ge=1, le=8760)
    amplitude_max_concurrent_requests: int = Field(default=4, ge=1, le=32)
    emulator_events_per_hour: int = Field(default=1400, ge=0)
    emulator_seed: int = 1

    # Where data goes
    aws_region: str | None = None
    data_dir: WholePath = Field(default=Path("data"), validate_default=True)
    lake_url: str | None = None
    lake_encryption: Literal["AES256", "aws:kms"] | None = None
    lake_kms_key_id: str | None = None
    lake_storage_class: (
        Literal["STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"] | None
    ) = None
    warehouse: Literal["duckdb", "snowflake"] = "duckdb"
    duckdb_path: WholePath | None = None
    run_hours: int = Field(default=168, ge=0, le=8760)
    archive_max_ratio: int = Field(default=1000, ge=1)
    archive_max_file_bytes: int = Field(default=64 * 1024**3, ge=1)
    landing_retention_hours: int = Field(default=48, ge=0)
    dagster_home: WholePath | None = None

    # What does not come in
    privacy_drop: Names = ()
    privacy_hash: Names = ()
    privacy_hash_key: SecretStr | None = None

    # Snowflake
    snowflake_account: str | None = None
    snowflake_user: str | None = None
    snowflake_private_key_path: WholePath | None = None
    snowflake_private_key_passphrase: SecretStr | None = None
    snowflake_role: str | None = None
    snowflake_warehouse: str | None = None
    snowflake_database: str | None = None
    snowflake_stage: str | None = None
    snowflake_host: str | None = None
    snowflake_port: int | None = None
    snowflake_protocol: Literal["http", "https"] | None = None

    # What runs by itself, and who is told
    automation_enabled: bool = False
    lookback_days: int = Field(default=7, ge=1, le=365)
    recheck_hours: int = Field(default=48, ge=0, le=8760)
    alert_webhook_url: SecretStr | None = None
    dagster_url: str = "http://127.0.0.1:3000"

    # Reporting
    project_timezone: str = "UTC"
    week_start: Literal["monday", "sunday"] = "monday"

    @field_validator("duckdb_path")
    @classmethod
    def _is_not_named_as_a_schema(cls, path: Path | None) -> Path | None:
        # DuckDB calls a database by its file's name, and could not tell it from a schema.
        if path is not None and path.stem in ("bronze", "silver", "gold"):
            raise ValueError(f"{path.name} has the name of a schema; call the file something else")
        return path

    @field_validator("project_timezone")
    @classmethod
    def _is_a_known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{zone!r} is not an IANA time zone, such as Europe/Berlin") from error
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
            raise ValueError("write the webhook's whole address, beginning with https://")
        return url

    @field_validator("lake_url", "amplitude_s3_export_url")
    @classmethod
    def _is_a_lake(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme == "s3" and parts.netloc:
            return url.rstrip("/")
        if parts.scheme == "file" and not parts.netloc and parts.path:
            return url.rstrip("/")
        raise ValueError("write file:///folder or s3://bucket/prefix")

    @model_validator(mode="after")
    def _go_together(self) -> "Settings":
        if (self.amplitude_api_key is None) != (self.amplitude_secret_key is None):
            raise ValueError("set both AMPLITUDE_API_KEY and AMPLITUDE_SECRET_KEY, or neither")
        if not self.uses_emulator and self.amplitude_project_id is None:
            raise ValueError(
                "set AMPLITUDE_PROJECT_ID, the number of the project that the keys belong to, or "
                "the files of AMPLITUDE_S3_EXPORT_URL"
            )
        if self.uses_emulator and self.amplitude_base_url is not None:
            raise ValueError(
                "AMPLITUDE_BASE_URL needs AMPLITUDE_API_KEY and AMPLITUDE_SECRET_KEY beside it"
            )
        if self.lake_kms_key_id is not None and self.lake_encryption != "aws:kms":
            raise ValueError("LAKE_KMS_KEY_ID needs LAKE_ENCRYPTION=aws:kms beside it")
        return self

    @model_validator(mode="after")
    def _has_masks_that_can_be_read(self) -> "Settings":
        _ = self.masks
        return self

    @property
    def uses_emulator(self) -> bool:
        """Say whether Amplitude is the emulator, because neither keys nor a bucket are set."""
        return self.amplitude_api_key is None and self.amplitude_s3_export_url is None

    @property
    def project_id(self) -> int:
        """Return the Amplitude project id, the emulator's when there are no keys."""
        if self.amplitude_project_id is not None:
            return self.amplitude_project_id
        from amplitude_assets.emulator import PROJECT_ID

        return PROJECT_ID

    @property
    def export_origin(self) -> str:
        """Return where hours come from: the region's Export API, or what is set in its place."""
        return (
            self.amplitude_s3_export_url
            or self.amplitude_base_url
            or _REGION_ORIGINS[self.amplitude_region]
        )

    @property
    def app_origin(self) -> str:
        """Return where people look at the project in Amplitude, by its region."""
        return _REGION_APPS[self.amplitude_region]

    @cached_property
    def masks(self) -> Masks:
        """Return what is masked on the way in. Raises ValueError that says what is wrong."""
        key = self.privacy_hash_key.get_secret_value() if self.privacy_hash_key else None
        return masks_of(self.privacy_drop, self.privacy_hash, key)

    @property
    def dagster_home_path(self) -> Path:
        """Return the folder where Dagster keeps its state."""
        return self.dagster_home or self.data_dir / "dagster"

    @property
    def resolved_lake_url(self) -> str:
        """Return the lake's URL, a folder under `DATA_DIR` when none is set."""
        return self.lake_url or (self.data_dir / "lake").as_uri()

    @property
    def uses_s3(self) -> bool:
        """Say whether S3 is needed, for the lake or to take hours from."""
        urls = (self.resolved_lake_url, self.amplitude_s3_export_url or "")
        return any(url.startswith("s3://") for url in urls)

    @property
    def resolved_duckdb_path(self) -> Path:
        """Return the DuckDB file's path, in `DATA_DIR` when none is set."""
        return self.duckdb_path or self.data_dir / "warehouse.duckdb"

    @property
    def database(self) -> str:
        """Return the name of the database that holds the schemas bronze, silver and gold."""
        if self.warehouse == "snowflake":
            return self.snowflake_database or "unset"
        return self.resolved_duckdb_path.stem

    @property
    def report_path(self) -> Path:
        """Return where the overview report is written."""
        return self.data_dir / "reports" / "overview.html"


def load_settings() -> Settings:
    """Read the settings of this process. Raises SettingsError with one line for each problem.

    `.env` becomes part of the environment, since AWS's libraries and dbt read that themselves.
    """
    load_dotenv(".env")
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(_in_words(problem) for problem in error.errors())) from None


@contextmanager
def dbt_environment(settings: Settings) -> Iterator[None]:
    """Put what dbt reads from the environment there, with the defaults worked out, for a while.

    Left there, it would be taken for what the user has set by whoever reads the settings next.
    """
    shared = {
        "DUCKDB_PATH": str(settings.resolved_duckdb_path),
        "PROJECT_TIMEZONE": settings.project_timezone,
        "WEEK_START": settings.week_start,
    }
    if settings.snowflake_private_key_path is not None:
        shared["SNOWFLAKE_PRIVATE_KEY_PATH"] = str(settings.snowflake_private_key_path)
    before = {name: os.environ.get(name) for name in shared}
    os.environ.update(shared)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _listed(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _in_words(problem: ErrorDetails) -> str:
    name = "_".join(str(part) for part in problem["loc"]).upper()
    message = problem["msg"].removeprefix("Value error, ")
    return f"{name}: {message}" if name else message
