"""Open Snowflake connections from settings, with Snowflake's own connector."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amplitude_assets.config import Settings, SettingsError
from amplitude_assets.warehouse.identifiers import identifier
from amplitude_assets.warehouse.snowflake.probe import SnowflakeProbe
from amplitude_assets.warehouse.snowflake.query_tag import TagFields, command_fields, query_tag
from amplitude_assets.warehouse.snowflake.session import Connect
from amplitude_assets.warehouse.snowflake.warehouse import SnowflakeWarehouse

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

# The stage over the lake that `bootstrap snowflake` creates.
DEFAULT_STAGE = "bronze.lake"

_LOGIN_SECONDS = 60
# The connector cancels a statement after its network timeout, so this bounds both.
_STATEMENT_SECONDS = 3600


def open_snowflake(
    settings: Settings, fields: TagFields = command_fields, connect: Connect | None = None
) -> SnowflakeWarehouse:
    """Return the warehouse in Snowflake. Nothing connects yet.

    `fields` describe each session in its query tag; by default, the command does.
    `connect` opens connections with `connection_arguments`; by default the connector does. Raises
    SettingsError when a setting is missing or cannot be used.
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
            "LAKE_URL must be s3://bucket/prefix with WAREHOUSE=snowflake, because Snowflake reads "
            "the lake itself"
        )
    _check_key(settings)
    return SnowflakeWarehouse(
        connect or snowflake_connections(settings),
        stage=stage_of(settings),
        place=f"{settings.snowflake_account}/{settings.snowflake_database}",
        rebuild_warehouse=settings.snowflake_rebuild_warehouse,
        fields=fields,
    )


def open_probe(settings: Settings) -> SnowflakeProbe:
    """Return a probe that checks each step from the login to a COPY from the lake.

    Raises SettingsError as `open_snowflake`.
    """
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
    """Return a function that opens connections with the pipeline's user, role and warehouse."""
    return _connections(partial(connection_arguments, settings))


def admin_connections(settings: Settings, user: str, key: Path | None) -> Connect:
    """Return a function that opens connections as an administrator, by key or else browser."""
    identity = _key_pair(key) if key else {"authenticator": "externalbrowser"}
    return _connections(
        lambda tag: _arguments(settings, tag, user=user, role="ACCOUNTADMIN", **identity)
    )


def connection_arguments(settings: Settings, tag: str = "") -> dict[str, Any]:
    """Return the arguments of the connector's `connect` for the pipeline, the passphrase too.

    `tag` is the session's query tag; by default, the command's.
    The pipeline signs in with its key, or as this machine's AWS role.
    """
    path, passphrase = (
        settings.snowflake_private_key_path,
        settings.snowflake_private_key_passphrase,
    )
    identity: dict[str, Any] = {
        "authenticator": "WORKLOAD_IDENTITY",
        "workload_identity_provider": "AWS",
    }
    if path is not None:
        identity = _key_pair(path, passphrase.get_secret_value() if passphrase else None)
    return _arguments(
        settings,
        tag,
        **identity,
        user=settings.snowflake_user,
        role=settings.snowflake_role,
        database=settings.snowflake_database,
        warehouse=settings.snowflake_warehouse,
    )


def _key_pair(path: Path, passphrase: str | None = None) -> dict[str, Any]:
    return {
        "authenticator": "SNOWFLAKE_JWT",
        "private_key_file": str(path.expanduser()),
        "private_key_file_pwd": passphrase,
    }


def _arguments(settings: Settings, tag: str, **more: str | None) -> dict[str, Any]:
    arguments = {
        "account": settings.snowflake_account_in_host,
        "host": settings.snowflake_host,
        "port": settings.snowflake_port,
        "protocol": settings.snowflake_protocol,
        # The warehouse begins and ends transactions itself.
        "autocommit": True,
        "login_timeout": _LOGIN_SECONDS,
        "network_timeout": _STATEMENT_SECONDS,
        "timezone": "UTC",
        # Set at login, so that a tag costs no statement.
        "session_parameters": {"QUERY_TAG": tag or query_tag(command_fields())},
        **more,
    }
    return {name: value for name, value in arguments.items() if value is not None}


def _connections(arguments: Callable[[str], dict[str, Any]]) -> Connect:
    def connect(tag: str = "") -> AbstractContextManager["SnowflakeConnection"]:
        from snowflake.connector import connect

        return closing(connect(**arguments(tag)))

    return partial(released, connect)


def _check_key(settings: Settings) -> None:
    """Raise SettingsError when a key file is set that the passphrase does not decrypt."""
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
            f"SNOWFLAKE_PRIVATE_KEY_PATH: {path} does not exist; "
            "amplitude-assets bootstrap snowflake --apply creates it"
        ) from None
    except OSError as error:
        raise SettingsError(
            f"SNOWFLAKE_PRIVATE_KEY_PATH: cannot read {path}: {error.strerror}"
        ) from None
    except (ValueError, TypeError):
        raise SettingsError(
            f"SNOWFLAKE_PRIVATE_KEY_PATH: {path} is not a private key in PEM that "
            "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE decrypts"
        ) from None


@contextmanager
def released(connect: Connect, tag: str = "") -> Iterator["SnowflakeConnection"]:
    """Open a connection, and on failure roll back and close it: Dagster's resource does not."""
    from snowflake.connector.errors import Error

    with connect(tag) as connection:
        try:
            yield connection
        except BaseException:
            with suppress(Error):  # the connection itself may have failed
                connection.rollback()
            with suppress(Error):
                connection.close()
            raise
