"""Settings for a Snowflake: the fake one over HTTP, or a live account where one is configured."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from amplitude_assets.config import Settings
from amplitude_assets.snowflake_access import snowflake_connections
from tests.support.fakesnow_server import FakeSnowflake, fake_snowflake
from tests.support.s3 import BUCKET, S3Server, s3_server

DATABASE = "AMPLITUDE_TEST"


@dataclass(frozen=True)
class Double:
    """A Snowflake and an S3 that stand in for the real ones, and the settings for both."""

    snowflake: FakeSnowflake
    s3: S3Server
    settings: Settings

    def reset(self) -> None:
        """Forget every table, every object and every statement."""
        with snowflake_connections(self.settings)() as connection:
            for schema in ("bronze", "silver", "gold"):
                connection.cursor().execute(f"drop schema if exists {schema} cascade")
            connection.cursor().execute("create schema bronze")
            connection.cursor().execute(
                f"create or replace stage bronze.lake url = '{self.settings.lake_url}/'"
            )
        client = self.s3.resource.get_client()
        for key in self.s3.keys():
            client.delete_object(Bucket=BUCKET, Key=key)
        self.snowflake.statements.clear()
        self.snowflake.account_statements.clear()
        self.snowflake.loaded.clear()


def variables_of(settings: Settings) -> dict[str, str]:
    """Return the settings of a Snowflake as the environment has them, for dbt."""
    names = ("account", "user", "private_key_path", "role", "warehouse", "database")
    values = {
        f"SNOWFLAKE_{name.upper()}": getattr(settings, f"snowflake_{name}")
        for name in (*names, "host", "port", "protocol", "stage")
    }
    text = {name: str(value) for name, value in values.items() if value is not None}
    return {"WAREHOUSE": "snowflake", **text}


@contextmanager
def snowflake_double(folder: Path) -> Iterator[Double]:
    """Run both servers, with a stage over an empty lake."""
    with s3_server() as s3, fake_snowflake(s3.resource.get_client()) as snowflake:
        settings = Settings(
            lake_url=f"s3://{BUCKET}/some/prefix",
            warehouse="snowflake",
            snowflake_account="fakesnow",
            snowflake_user="loader",
            snowflake_private_key_path=write_key(folder / "rsa_key.p8"),
            snowflake_role="loader",
            snowflake_warehouse="load_wh",
            snowflake_database=DATABASE,
            snowflake_host="127.0.0.1",
            snowflake_port=snowflake.port,
            snowflake_protocol="http",
        )
        double = Double(snowflake, s3, settings)
        double.reset()
        yield double


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
