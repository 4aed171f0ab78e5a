"""The command `amplitude-assets bootstrap snowflake`: database, roles, users, stage and trust."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from amplitude_assets.bootstrap.aws_access import READER_ROLE
from amplitude_assets.bootstrap.keys import public_key_of, read_private_key, write_private_key
from amplitude_assets.bootstrap.snowflake import (
    SnowflakeNames,
    SnowflakeSetup,
    removal_scripts,
    render,
    scripts,
)
from amplitude_assets.bootstrap.steps import SetupError
from amplitude_assets.cli.bootstrap.lake import aws_setup, lake_place
from amplitude_assets.cli.bootstrap.steps import (
    apply_options,
    apply_steps,
    check_options,
    print_note,
)
from amplitude_assets.config import Settings, SettingsError, load_settings
from amplitude_assets.connections.snowflake import DEFAULT_STAGE, admin_connections

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

_UNKNOWN_ROLE = f"arn:aws:iam::YOUR_AWS_ACCOUNT:role/{READER_ROLE}"
_UNKNOWN_KEY = "THE_PUBLIC_KEY"


@dataclass(frozen=True)
class _Options:
    """The options of the command that no setting holds."""

    admin_user: str | None
    admin_key: Path | None
    role_arn: str | None
    identity_arn: str | None
    reader_key: Path | None
    credit_quota: int | None
    reader_credit_quota: int | None
    usage_access: bool


@click.command()
@apply_options
@click.option("--admin-user", help="A Snowflake user that may use ACCOUNTADMIN.")
@click.option(
    "--admin-key",
    type=click.Path(path_type=Path),
    help="That user's private key in PEM; otherwise it signs in with the browser.",
)
@click.option("--role-arn", help="The AWS role's ARN, if these credentials cannot look it up.")
@click.option("--identity-arn", help="The AWS role that the pipeline runs as, instead of a key.")
@click.option(
    "--reader-key",
    type=click.Path(path_type=Path),
    help="Also create a user for dashboards with this private key; a missing file is created.",
)
@click.option(
    "--credit-quota",
    type=click.IntRange(min=1),
    help="Credits a month after which the pipeline's warehouse is suspended; 100 if never set.",
)
@click.option(
    "--reader-credit-quota",
    type=click.IntRange(min=1),
    help="The same for the warehouse of readers; 30 if never set.",
)
@click.option(
    "--usage-access",
    is_flag=True,
    help="Let the pipeline read the account's usage, for `costs` and the report.",
)
def snowflake(  # noqa: PLR0913 - one parameter for each option
    *,
    applied: bool,
    destroy: bool,
    delete_data: bool,
    admin_user: str | None,
    admin_key: Path | None,
    role_arn: str | None,
    identity_arn: str | None,
    reader_key: Path | None,
    credit_quota: int | None,
    reader_credit_quota: int | None,
    usage_access: bool,
) -> None:
    """Create warehouses, database, roles, the pipeline's user, storage integration and stage.

    Prints SQL for a worksheet, or with --apply creates them and lets the AWS role trust Snowflake.
    Running it again changes nothing.
    """
    settings = load_settings()
    check_options(destroy=destroy, delete_data=delete_data)
    if applied and admin_user is None:
        raise click.UsageError("--apply needs --admin-user, a user that may use ACCOUNTADMIN")
    options = _Options(
        admin_user=admin_user,
        admin_key=admin_key,
        role_arn=role_arn,
        identity_arn=identity_arn,
        reader_key=reader_key,
        credit_quota=credit_quota,
        reader_credit_quota=reader_credit_quota,
        usage_access=usage_access,
    )
    if destroy:
        _destroy(settings, options, applied=applied, delete_data=delete_data)
    elif applied:
        _create(settings, options)
    else:
        names = _names(settings, options, role_arn or _UNKNOWN_ROLE, create_key=False)
        click.echo(render(names, scripts(names)))
        print_note("nothing was created; --apply creates it and the AWS role's trust")


def _create(settings: Settings, options: _Options) -> None:
    setup_of_aws = aws_setup(lake_place(settings))
    role_arn = options.role_arn or setup_of_aws.role_arn()
    names = _names(settings, options, role_arn, create_key=True)
    with _admin(settings, options) as connection:
        setup = SnowflakeSetup(connection, names)
        apply_steps(setup.steps())
        principal = setup.principal()
    if options.role_arn is None:
        apply_steps(setup_of_aws.trust_steps(principal))
    else:
        print_note(
            "to complete the trust, run with credentials of the role's account:\n"
            f"amplitude-assets bootstrap aws --apply --snowflake-user-arn {principal.user_arn} "
            f"--external-id {principal.external_id}"
        )


def _destroy(settings: Settings, options: _Options, *, applied: bool, delete_data: bool) -> None:
    names = _names(settings, options, _UNKNOWN_ROLE, create_key=False)
    if not applied:
        click.echo(render(names, removal_scripts(names, delete_data=delete_data)))
        print_note("nothing was removed; --apply removes it")
        return
    with _admin(settings, options) as connection:
        apply_steps(SnowflakeSetup(connection, names).removal_steps(delete_data=delete_data))


def _names(
    settings: Settings, options: _Options, role_arn: str, *, create_key: bool
) -> SnowflakeNames:
    lake = lake_place(settings)
    location = f"s3://{lake.bucket}/{lake.prefix}/" if lake.prefix else f"s3://{lake.bucket}/"
    key = reader_key = None
    if not options.identity_arn:
        key = _public_key(settings, _pipeline_key(settings), create_key=create_key)
    if options.reader_key:
        path = options.reader_key.expanduser()
        reader_key = _public_key(settings, path, create_key=create_key)
    try:
        return SnowflakeNames(
            database=settings.snowflake_database or "AMPLITUDE",
            role=settings.snowflake_role or "AMPLITUDE_PIPELINE",
            user=settings.snowflake_user or "AMPLITUDE_PIPELINE",
            warehouse=settings.snowflake_warehouse or "AMPLITUDE_WH",
            stage=settings.snowflake_stage or DEFAULT_STAGE,
            location=location,
            role_arn=role_arn,
            public_key=key,
            identity_arn=options.identity_arn,
            reader_key=reader_key,
            credit_quota=options.credit_quota,
            reader_credit_quota=options.reader_credit_quota,
            usage_access=options.usage_access,
            rebuild_warehouse=settings.snowflake_rebuild_warehouse,
        )
    except ValueError as error:
        raise SettingsError(f"invalid name for Snowflake: {error}") from None


def _pipeline_key(settings: Settings) -> Path:
    if settings.snowflake_private_key_path is None:
        raise SettingsError(
            "SNOWFLAKE_PRIVATE_KEY_PATH: set it to the pipeline's private key, which is created if "
            "missing; or give --identity-arn"
        )
    return settings.snowflake_private_key_path


def _public_key(settings: Settings, path: Path, *, create_key: bool) -> str:
    """Return the public key of a private key file, which `create_key` creates if missing."""
    secret = settings.snowflake_private_key_passphrase
    passphrase = secret.get_secret_value() if secret else None
    if not path.exists():
        if not create_key:
            return _UNKNOWN_KEY
        write_private_key(path, passphrase)
        print_note(f"created the private key {path}")
    try:
        return public_key_of(read_private_key(path, passphrase))
    except (ValueError, TypeError, OSError):
        raise SettingsError(
            f"{path} is not a private key in PEM that SNOWFLAKE_PRIVATE_KEY_PASSPHRASE decrypts"
        ) from None


@contextmanager
def _admin(settings: Settings, options: _Options) -> Iterator["SnowflakeConnection"]:
    """Open a connection as the administrator. Raises SettingsError or SetupError."""
    from snowflake.connector.errors import Error

    from amplitude_assets.warehouse.snowflake.errors import explain

    if settings.snowflake_account is None or options.admin_user is None:
        raise SettingsError("SNOWFLAKE_ACCOUNT: set it, for example to MYORG-MYACCOUNT")
    try:
        with admin_connections(settings, options.admin_user, options.admin_key)() as connection:
            yield connection
    except Error as error:
        raise SetupError(f"as {options.admin_user}: {explain(error)}") from None
