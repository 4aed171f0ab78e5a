"""The commands that set things up and try them: `bootstrap aws|snowflake` and `doctor`."""

import sys
from pathlib import Path

import click

from amplitude_assets.config import load_settings
from amplitude_assets.progress_display import turning


def register(cli: click.Group) -> None:
    """Add the commands of this module to the command line."""
    cli.add_command(bootstrap)
    cli.add_command(doctor)


@click.group()
def bootstrap() -> None:
    """Set up AWS or Snowflake: show what is to be made, or make it with --apply."""


_APPLY = click.option("--apply", "applied", is_flag=True, help="Make it. Without: only show it.")
_DESTROY = click.option("--destroy", is_flag=True, help="Take away what was made, but no data.")
_DELETE_DATA = click.option(
    "--delete-data", is_flag=True, help="With --destroy: the data too. There is no way back."
)


@bootstrap.command()
@_APPLY
@_DESTROY
@_DELETE_DATA
@click.option("--snowflake-user-arn", help="STORAGE_AWS_IAM_USER_ARN, if Snowflake is set up.")
@click.option("--external-id", help="STORAGE_AWS_EXTERNAL_ID, beside it.")
def aws(
    applied: bool,
    destroy: bool,
    delete_data: bool,
    snowflake_user_arn: str | None,
    external_id: str | None,
) -> None:
    """The bucket of LAKE_URL, the pipeline's policy, and the role that Snowflake reads with.

    Shown as JSON, or made with the AWS credentials of this machine. Doing it twice changes nothing.
    """
    settings = load_settings()
    _check_flags(destroy, delete_data)
    if (snowflake_user_arn is None) != (external_id is None):
        raise click.UsageError("give both --snowflake-user-arn and --external-id, or neither")
    with turning():
        from amplitude_assets.bootstrap import commands

    handshake = (snowflake_user_arn, external_id) if snowflake_user_arn and external_id else None
    if destroy:
        sys.exit(commands.destroy_aws(settings, applied=applied, delete_data=delete_data))
    sys.exit(commands.set_up_aws(settings, handshake, applied=applied))


@bootstrap.command()
@_APPLY
@_DESTROY
@_DELETE_DATA
@click.option("--admin-user", help="Who makes it: a user that may use ACCOUNTADMIN.")
@click.option(
    "--admin-key",
    type=click.Path(path_type=Path),
    help="That user's private key in PEM. Without: sign in by the browser.",
)
@click.option("--role-arn", help="The AWS role, if it cannot be looked up in AWS from here.")
@click.option("--identity-arn", help="The AWS role that the pipeline runs as, in place of a key.")
@click.option(
    "--reader-key",
    type=click.Path(path_type=Path),
    help="Make a user for dashboards too, with this key; it is made if the file is not there.",
)
@click.option(
    "--credit-quota",
    type=click.IntRange(min=1),
    help="Credits a month, after which the warehouses are suspended: 100 if never set.",
)
def snowflake(  # noqa: PLR0913 - one for each option
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
) -> None:
    """Warehouses, database, roles, the pipeline's user, storage integration and stage.

    Shown as SQL for a worksheet, or made with --apply, which also lets the AWS role trust
    Snowflake. Doing it twice changes nothing.
    """
    settings = load_settings()
    _check_flags(destroy, delete_data)
    if applied and admin_user is None:
        raise click.UsageError("--apply needs --admin-user, one that may use ACCOUNTADMIN")
    with turning():
        from amplitude_assets.bootstrap import commands

    wishes = commands.SnowflakeWishes(
        admin_user=admin_user,
        admin_key=admin_key,
        role_arn=role_arn,
        identity_arn=identity_arn,
        reader_key=reader_key,
        credit_quota=credit_quota,
    )
    if destroy:
        code = commands.destroy_snowflake(
            settings, wishes, applied=applied, delete_data=delete_data
        )
    else:
        code = commands.set_up_snowflake(settings, wishes, applied=applied)
    sys.exit(code)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def doctor(as_json: bool) -> None:
    """Try every connection and permission, and say what to fix. Exit 0 when all is well, else 1."""
    settings = load_settings()
    with turning():
        from amplitude_assets.doctor import examine, print_findings

    sys.exit(print_findings(examine(settings), as_json=as_json))


def _check_flags(destroy: bool, delete_data: bool) -> None:
    if delete_data and not destroy:
        raise click.UsageError("--delete-data only goes with --destroy")
