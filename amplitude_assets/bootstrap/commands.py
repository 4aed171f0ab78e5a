"""What `bootstrap aws` and `bootstrap snowflake` do: show, make or take away, and tell it."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click
from rich.console import Console

from amplitude_assets.bootstrap import aws
from amplitude_assets.bootstrap import snowflake as snow
from amplitude_assets.bootstrap.aws import AwsSetup
from amplitude_assets.bootstrap.aws_access import READER_ROLE, Principal
from amplitude_assets.bootstrap.aws_documents import LakePlace, Partition
from amplitude_assets.bootstrap.keys import public_key_of, read_private_key, write_private_key
from amplitude_assets.bootstrap.steps import SetupError, Step, apply_all
from amplitude_assets.config import Settings, SettingsError
from amplitude_assets.lake.s3_refusals import sign_in_refusal_of
from amplitude_assets.progress_display import progress_display
from amplitude_assets.snowflake_access import DEFAULT_STAGE, admin_connections

if TYPE_CHECKING:
    import boto3
    from snowflake.connector import SnowflakeConnection

_UNKNOWN_ROLE = f"arn:aws:iam::YOUR_AWS_ACCOUNT:role/{READER_ROLE}"
_UNKNOWN_KEY = "THE_PUBLIC_KEY"


@dataclass(frozen=True)
class SnowflakeWishes:
    """What people say about Snowflake's set-up on the command line."""

    admin_user: str | None
    admin_key: Path | None
    role_arn: str | None
    identity_arn: str | None
    reader_key: Path | None
    credit_quota: int | None


def set_up_aws(settings: Settings, handshake: tuple[str, str] | None, *, applied: bool) -> int:
    """Show or make the AWS half; return the exit status. `handshake` is Snowflake's side."""
    lake, principal = _lake_place(settings), Principal(*handshake) if handshake else None
    if not applied:
        click.echo(json.dumps(aws.render(lake, principal), indent=2))
        _note("nothing was made; with --apply it is")
        return 0
    return _apply(_aws_setup(lake).steps(principal))


def destroy_aws(settings: Settings, *, applied: bool, delete_data: bool) -> int:
    """Take the AWS half away, or show what would go; return the exit status."""
    steps = _aws_setup(_lake_place(settings)).removal_steps(delete_data=delete_data)
    if not applied:
        return _show(steps)
    return _apply(steps)


def set_up_snowflake(settings: Settings, wishes: SnowflakeWishes, *, applied: bool) -> int:
    """Show or make the Snowflake half, with the trust of the AWS role; return the exit status."""
    if not applied:
        names = _names(settings, wishes, wishes.role_arn or _UNKNOWN_ROLE, make_key=False)
        click.echo(snow.render(names, snow.scripts(names)))
        _note("nothing was made; with --apply it is, and the AWS role then trusts Snowflake")
        return 0
    lake = _lake_place(settings)
    with _told():
        setup_of_aws = _aws_setup(lake)
        role_arn = wishes.role_arn or setup_of_aws.role_arn()
        names = _names(settings, wishes, role_arn, make_key=True)
        with _admin(settings, wishes) as connection:
            setup = snow.SnowflakeSetup(connection, names)
            _tell(setup.steps())
            principal = setup.principal()
        if wishes.role_arn is None:
            _tell(setup_of_aws.trust_steps(principal))
        else:
            _note(
                "to complete the trust, with credentials of the role's account:\n"
                f"amplitude-assets bootstrap aws --apply --snowflake-user-arn {principal.user_arn} "
                f"--external-id {principal.external_id}"
            )
    return 0


def destroy_snowflake(
    settings: Settings, wishes: SnowflakeWishes, *, applied: bool, delete_data: bool
) -> int:
    """Take the Snowflake half away, or show what would go; return the exit status."""
    names = _names(settings, wishes, _UNKNOWN_ROLE, make_key=False)
    if not applied:
        click.echo(snow.render(names, ["removal", *(["data_removal"] if delete_data else [])]))
        _note("nothing was removed; with --apply it is")
        return 0
    with _told(), _admin(settings, wishes) as connection:
        setup = snow.SnowflakeSetup(connection, names)
        _tell(setup.removal_steps(delete_data=delete_data))
    return 0


def _lake_place(settings: Settings) -> LakePlace:
    parts = urlsplit(settings.resolved_lake_url)
    if parts.scheme != "s3":
        raise SettingsError("LAKE_URL: set it to s3://bucket/prefix, the lake that is to be made")
    if settings.lake_kms_key_id and not settings.lake_kms_key_id.startswith("arn:"):
        raise SettingsError("LAKE_KMS_KEY_ID: the policies need the key's ARN, arn:aws:kms:…")
    region = settings.aws_region or _session().region_name or "us-east-1"
    return LakePlace(
        bucket=parts.netloc,
        prefix=parts.path.strip("/"),
        region=region,
        kms_key_id=settings.lake_kms_key_id,
        partition=_partition_of(region),
    )


def _partition_of(region: str) -> Partition:
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def _aws_setup(lake: LakePlace) -> AwsSetup:
    with _set_up_for_aws():
        return AwsSetup(_session(), lake)


def _session() -> "boto3.session.Session":
    import boto3

    with _set_up_for_aws():
        return boto3.session.Session()


@contextmanager
def _set_up_for_aws() -> Iterator[None]:
    """Turn what is wrong with AWS's settings on this machine into SettingsError."""
    from botocore.exceptions import BotoCoreError

    try:
        yield
    except BotoCoreError as error:
        raise SettingsError(str(sign_in_refusal_of(error) or error)) from None


def _names(
    settings: Settings, wishes: SnowflakeWishes, role_arn: str, *, make_key: bool
) -> snow.SnowflakeNames:
    lake = _lake_place(settings)
    location = f"s3://{lake.bucket}/{lake.prefix}/" if lake.prefix else f"s3://{lake.bucket}/"
    key = reader_key = None
    if not wishes.identity_arn:
        key = _public_key(settings, _pipeline_key(settings), make_key=make_key)
    if wishes.reader_key:
        path = wishes.reader_key.expanduser()
        reader_key = _public_key(settings, path, make_key=make_key)
    try:
        return snow.SnowflakeNames(
            database=settings.snowflake_database or "AMPLITUDE",
            role=settings.snowflake_role or "AMPLITUDE_PIPELINE",
            user=settings.snowflake_user or "AMPLITUDE_PIPELINE",
            warehouse=settings.snowflake_warehouse or "AMPLITUDE_WH",
            stage=settings.snowflake_stage or DEFAULT_STAGE,
            location=location,
            role_arn=role_arn,
            public_key=key,
            identity_arn=wishes.identity_arn,
            reader_key=reader_key,
            credit_quota=wishes.credit_quota,
        )
    except ValueError as error:
        raise SettingsError(f"a name for Snowflake: {error}") from None


def _pipeline_key(settings: Settings) -> Path:
    if settings.snowflake_private_key_path is None:
        raise SettingsError(
            "SNOWFLAKE_PRIVATE_KEY_PATH: set where the pipeline's key is, or is to be made; "
            "or give --identity-arn"
        )
    return settings.snowflake_private_key_path


def _public_key(settings: Settings, path: Path, *, make_key: bool) -> str:
    """Return the other half of a private key, made first if it is to be made."""
    secret = settings.snowflake_private_key_passphrase
    passphrase = secret.get_secret_value() if secret else None
    if not path.exists():
        if not make_key:
            return _UNKNOWN_KEY
        write_private_key(path, passphrase)
        _note(f"a new key is in {path}")
    try:
        return public_key_of(read_private_key(path, passphrase))
    except (ValueError, TypeError, OSError):
        raise SettingsError(
            f"{path} is not a private key in PEM that SNOWFLAKE_PRIVATE_KEY_PASSPHRASE opens"
        ) from None


@contextmanager
def _admin(settings: Settings, wishes: SnowflakeWishes) -> Iterator["SnowflakeConnection"]:
    """Open a connection of the administrator. Raises SetupError when it is refused."""
    from snowflake.connector.errors import Error

    from amplitude_assets.warehouse.snowflake_errors import explain

    if settings.snowflake_account is None or wishes.admin_user is None:
        raise SettingsError("SNOWFLAKE_ACCOUNT: set it, such as MYORG-MYACCOUNT")
    try:
        with admin_connections(settings, wishes.admin_user, wishes.admin_key)() as connection:
            yield connection
    except Error as error:
        raise SetupError(f"as {wishes.admin_user}: {explain(error)}") from None


def _apply(steps: Iterable[Step]) -> int:
    with _told():
        _tell(steps)
    return 0


def _show(steps: Iterable[Step]) -> int:
    for step in steps:
        click.echo(f"would remove  {step.name}")
    _note("nothing was removed; with --apply it is")
    return 0


def _tell(steps: Iterable[Step]) -> None:
    with progress_display(Console(file=sys.stdout)):
        for done in apply_all(steps):
            click.echo(f"{done.outcome:<10} {done.name}")


@contextmanager
def _told() -> Iterator[None]:
    """Say in one line why a set-up did not go on, and exit 1 then."""
    try:
        yield
    except SetupError as error:
        click.echo(f"amplitude-assets: {error}", err=True)
        sys.exit(1)


def _note(text: str) -> None:
    click.echo(text, err=True)
