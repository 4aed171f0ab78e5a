"""From settings to Snowflake connections, over dagster-snowflake's `SnowflakeResource`.

The resource commits and closes only when all went well; here every path ends with a rollback if
need be, and a closed connection. The resource stays inside: it would show the passphrase in
its configuration.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amplitude_assets.config import Settings, SettingsError
from amplitude_assets.warehouse.identifiers import identifier
from amplitude_assets.warehouse.snowflake import SnowflakeWarehouse
from amplitude_assets.warehouse.snowflake_probe import SnowflakeProbe

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

Connect = Callable[[], AbstractContextManager["SnowflakeConnection"]]

# The stage that bootstrap makes over the lake.
DEFAULT_STAGE = "bronze.lake"

_LOGIN_SECONDS = 60
# The connector cancels a statement after its network timeout, so this bounds both.
_STATEMENT_SECONDS = 3600


def open_snowflake(settings: Settings, run_id: str = "") -> SnowflakeWarehouse:
    """Return the warehouse in Snowflake. Nothing connects yet.

    Raises SettingsError when a setting is missing or cannot be used.
    """
    missing = [
        name
        for name in ("account", "user", "role", "warehouse", "database")
        if getattr(settings, f"snowflake_{name}") is None
    ]
    if missing:
        named = ", ".join(f"SNOWFLAKE_{name.upper()}" for name in missing)
        raise SettingsError(f"WAREHOUSE=snowflake needs {named}; set them, or WAREHOUSE=duckdb")
    if not settings.resolved_lake_url.startswith("s3://"):
        raise SettingsError(
            "LAKE_URL: Snowflake reads the lake itself, so with WAREHOUSE=snowflake it has to be "
            "s3://bucket/prefix"
        )
    _check_key(settings)
    return SnowflakeWarehouse(
        snowflake_connections(settings),
        stage=stage_of(settings),
        place=f"{settings.snowflake_account}/{settings.snowflake_database}",
        run_id=run_id,
    )


def open_probe(settings: Settings) -> SnowflakeProbe:
    """Return what tries the way to the tables link by link. Raises SettingsError as above."""
    open_snowflake(settings)
    return SnowflakeProbe(
        snowflake_connections(settings),
        stage=stage_of(settings),
        lake_url=settings.resolved_lake_url,
    )


def stage_of(settings: Settings) -> str:
    """Return the stage over the lake, as SQL writes it. Raises SettingsError."""
    try:
        return identifier(settings.snowflake_stage or DEFAULT_STAGE, parts=3)
    except ValueError as error:
        raise SettingsError(f"SNOWFLAKE_STAGE: {error}") from None


def snowflake_connections(settings: Settings) -> Connect:
    """Return what opens connections as the pipeline: its user, role, warehouse and database."""
    return _connections(
        settings,
        **_pipeline_identity(settings),
        user=settings.snowflake_user,
        role=settings.snowflake_role,
        database=settings.snowflake_database,
        warehouse=settings.snowflake_warehouse,
    )


def admin_connections(settings: Settings, user: str, key: Path | None) -> Connect:
    """Return what opens connections as an administrator, by a key or else by the browser."""
    identity: dict[str, Any] = (
        {"private_key_path": str(key.expanduser())} if key else {"authenticator": "externalbrowser"}
    )
    return _connections(settings, **identity, user=user, role="ACCOUNTADMIN")


def _connections(settings: Settings, **arguments: Any) -> Connect:
    more: dict[str, Any] = {
        "host": settings.snowflake_host,
        "port": settings.snowflake_port,
        "protocol": settings.snowflake_protocol,
        **arguments.pop("more", {}),
    }

    @contextmanager
    def connect() -> Iterator["SnowflakeConnection"]:
        from dagster_snowflake import SnowflakeResource

        resource = SnowflakeResource(
            account=settings.snowflake_account,
            # Transactions are begun where they are needed; so the resource has none to commit.
            autocommit=True,
            login_timeout=_LOGIN_SECONDS,
            network_timeout=_STATEMENT_SECONDS,
            timezone="UTC",
            additional_snowflake_connection_args={
                name: value for name, value in more.items() if value is not None
            },
            **arguments,
        )
        with resource.get_connection() as connection, _released(connection):
            yield connection

    return connect


def _pipeline_identity(settings: Settings) -> dict[str, Any]:
    """Return how the pipeline signs in: with its key, or as the AWS role of its machine."""
    if settings.snowflake_private_key_path is None:
        return {
            "authenticator": "WORKLOAD_IDENTITY",
            "more": {"workload_identity_provider": "AWS"},
        }
    passphrase = settings.snowflake_private_key_passphrase
    return {
        "private_key_path": str(settings.snowflake_private_key_path),
        "private_key_password": passphrase.get_secret_value() if passphrase else None,
    }


def _check_key(settings: Settings) -> None:
    """Raise SettingsError when there is a key file and it cannot be read with the passphrase."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    path, passphrase = (
        settings.snowflake_private_key_path,
        settings.snowflake_private_key_passphrase,
    )
    if path is None:
        return
    try:
        data = path.read_bytes()
        load_pem_private_key(data, passphrase.get_secret_value().encode() if passphrase else None)
    except FileNotFoundError:
        raise SettingsError(
            f"SNOWFLAKE_PRIVATE_KEY_PATH: {path} is not there; "
            "amplitude-assets bootstrap snowflake --apply makes it"
        ) from None
    except OSError as error:
        raise SettingsError(
            f"SNOWFLAKE_PRIVATE_KEY_PATH: cannot read {path}: {error.strerror}"
        ) from None
    except (ValueError, TypeError):
        raise SettingsError(
            f"SNOWFLAKE_PRIVATE_KEY_PATH: {path} is not a private key in PEM that "
            "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE opens"
        ) from None


@contextmanager
def _released(connection: Any) -> Iterator[None]:
    """Roll back and close when the block fails; the resource closes when it does not."""
    from snowflake.connector.errors import Error

    try:
        yield
    except BaseException:
        with suppress(Error):  # the connection may be what failed
            connection.rollback()
        with suppress(Error):
            connection.close()
        raise
