"""The command `amplitude-assets bootstrap aws`: bucket, policies and Snowflake's role."""

import json

import click

from amplitude_assets.bootstrap.aws import render
from amplitude_assets.bootstrap.aws_access import Principal
from amplitude_assets.cli.bootstrap.lake import aws_setup, lake_place
from amplitude_assets.cli.bootstrap.steps import (
    apply_options,
    apply_steps,
    check_options,
    print_note,
)
from amplitude_assets.config import load_settings


@click.command()
@apply_options
@click.option("--snowflake-user-arn", help="STORAGE_AWS_IAM_USER_ARN, if Snowflake is set up.")
@click.option("--external-id", help="STORAGE_AWS_EXTERNAL_ID, together with the user's ARN.")
def aws(
    applied: bool,
    destroy: bool,
    delete_data: bool,
    snowflake_user_arn: str | None,
    external_id: str | None,
) -> None:
    """Create the bucket of LAKE_URL, the pipeline's policy, and the role that Snowflake assumes.

    Prints JSON, or with --apply creates them with this machine's AWS credentials. Running it again
    changes nothing.
    """
    settings = load_settings()
    check_options(destroy=destroy, delete_data=delete_data)
    if (snowflake_user_arn is None) != (external_id is None):
        raise click.UsageError("give both --snowflake-user-arn and --external-id, or neither")
    lake = lake_place(settings)
    if destroy:
        steps = aws_setup(lake).removal_steps(delete_data=delete_data)
        if applied:
            apply_steps(steps)
            return
        for step in steps:
            click.echo(f"would remove  {step.name}")
        print_note("nothing was removed; --apply removes it")
        return
    principal = None
    if snowflake_user_arn and external_id:
        principal = Principal(snowflake_user_arn, external_id)
    if applied:
        apply_steps(aws_setup(lake).steps(principal))
        return
    click.echo(json.dumps(render(lake, principal), indent=2))
    print_note("nothing was created; --apply creates it")
