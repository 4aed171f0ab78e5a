"""Snowflake for tests: a fake over HTTP, or a live account if one is configured."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from dagster_aws.s3 import S3Resource

from amplitude_assets.config import Settings
from amplitude_assets.connections.lake import open_lake
from amplitude_assets.connections.snowflake import open_snowflake, snowflake_connections
from amplitude_assets.lake.store import Lake
from amplitude_assets.warehouse.snowflake.warehouse import SnowflakeWarehouse
from tests.support.fakesnow_server import FakeSnowflake, fake_snowflake
from tests.support.s3 import BUCKET, ENVIRONMENT, S3Server, s3_server

_REQUIRED = ("ACCOUNT", "USER", "ROLE", "WAREHOUSE", "DATABASE")


@dataclass(frozen=True)
class SnowflakeUnderTest:
    """A Snowflake and its lake. `fakes` is the fakes' state, None for a live account."""

    settings: Settings
    environment: Mapping[str, str]
    s3: S3Resource
    fakes: "Fakes | None" = None

    @property
    def lake(self) -> Lake:
        """Return the lake under the stage's URL."""
        return open_lake(self.settings, self.s3)

    @property
    def identity(self) -> dict[str, str]:
        """Return the environment of an AWS machine, to sign in to the fake with its identity."""
        # The connector sends AWS's identity only to Snowflake's hosts, and to those named here.
        return {**ENVIRONMENT, "SNOWFLAKE_WIF_ALLOWED_HOST_SUFFIXES": "127.0.0.1"}

    def warehouse(self, run_id: str = "") -> SnowflakeWarehouse:
        """Return the warehouse, opened as in the pipeline."""
        return open_snowflake(self.settings, lambda: {"run_id": run_id})

    def empty(self) -> None:
        """Drop every table and view of the three schemas, and every object of the lake."""
        with snowflake_connections(self.settings)() as connection:
            found = connection.cursor().execute(
                "select table_schema, table_name, table_type from information_schema.tables "
                "where lower(table_schema) in ('bronze', 'silver', 'gold')"
            )
            for schema, name, kind in found.fetchall() if found else []:
                word = "view" if "VIEW" in kind else "table"
                connection.cursor().execute(f'drop {word} if exists {schema}."{name}"')
        lake = self.lake
        for key in list(lake.list_keys("")):
            lake.delete(key)
        if self.fakes is not None:
            self.fakes.reset()


@dataclass(frozen=True)
class Fakes:
    """The fake Snowflake and the fake S3."""

    snowflake: FakeSnowflake
    s3: S3Server

    def reset(self) -> None:
        """Clear the recorded statements and the copied files."""
        self.snowflake.statements.clear()
        self.snowflake.recorder.statements.clear()
        self.snowflake.account_statements.clear()
        self.snowflake.loaded.clear()
        self.snowflake.current = FakeSnowflake(None).current


@contextmanager
def fake(folder: Path) -> Iterator[SnowflakeUnderTest]:
    """Run both fakes, with a stage over an empty lake; the key is written to `folder`."""
    with s3_server() as s3, fake_snowflake(s3.resource.get_client()) as snowflake:
        environment = {
            "WAREHOUSE": "snowflake",
            "LAKE_URL": f"s3://{BUCKET}/some/prefix",
            "SNOWFLAKE_ACCOUNT": "fakesnow",
            "SNOWFLAKE_USER": "loader",
            "SNOWFLAKE_PRIVATE_KEY_PATH": str(write_key(folder / "rsa_key.p8")),
            "SNOWFLAKE_ROLE": "loader",
            "SNOWFLAKE_WAREHOUSE": "load_wh",
            "SNOWFLAKE_DATABASE": "AMPLITUDE_TEST",
            "SNOWFLAKE_HOST": "127.0.0.1",
            "SNOWFLAKE_PORT": str(snowflake.port),
            "SNOWFLAKE_PROTOCOL": "http",
            "AWS_ENDPOINT_URL_S3": s3.endpoint_url,
            **ENVIRONMENT,
        }
        settings = _settings(environment)
        with snowflake_connections(settings)() as connection:
            for schema in ("bronze", "silver", "gold"):
                connection.cursor().execute(f"create schema {schema}")
            connection.cursor().execute(f"create stage bronze.lake url = '{settings.lake_url}/'")
        yield SnowflakeUnderTest(settings, environment, s3.resource, Fakes(snowflake, s3))


def live() -> SnowflakeUnderTest | str:
    """Return the account in the environment, or the reason why there is none for tests.

    The tests drop tables and delete objects, so they require a separate database and lake.
    """
    names = [f"SNOWFLAKE_{name}" for name in _REQUIRED] + ["LAKE_URL"]
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        return f"no live Snowflake account is configured: {', '.join(missing)} not set"
    if not os.environ["SNOWFLAKE_DATABASE"].upper().endswith("_TEST"):
        return "these tests drop tables: SNOWFLAKE_DATABASE has to be one whose name ends in _TEST"
    if not os.environ["LAKE_URL"].rstrip("/").endswith("test"):
        return "these tests delete objects: LAKE_URL has to be one whose prefix ends in test"
    environment = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("SNOWFLAKE_", "AWS_")) or name == "LAKE_URL"
    }
    environment["WAREHOUSE"] = "snowflake"
    return SnowflakeUnderTest(_settings(environment), environment, S3Resource())


def _settings(environment: Mapping[str, str]) -> Settings:
    known = {
        name.lower(): value
        for name, value in environment.items()
        if name.lower() in Settings.model_fields
    }
    return Settings.model_validate(known)


def write_key(path: Path, passphrase: bytes | None = None) -> Path:
    """Write a new private key in PEM, encrypted when there is a passphrase."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encryption = (
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption()
    )
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    )
    return path
