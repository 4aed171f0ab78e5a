"""The resources of the graph, by the names that assets, checks and sensors use.

Nothing connects before a run uses a resource. Secrets stay in the settings: Dagster shows its users
the configuration of resources.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from dagster import InitResourceContext, ResourceDefinition

from amplitude_assets.config import Settings
from amplitude_assets.connections.amplitude import open_hour_source, open_landing
from amplitude_assets.connections.lake import open_lake, open_s3_export
from amplitude_assets.connections.snowflake import connection_arguments, released
from amplitude_assets.connections.warehouse import open_warehouse
from amplitude_assets.dbt.project import dbt_resource
from amplitude_assets.export.source import HourSource
from amplitude_assets.hours import Clock, utc_now
from amplitude_assets.instance.steps import current_step
from amplitude_assets.lake.store import Lake
from amplitude_assets.privacy.rules import Forgotten
from amplitude_assets.progress import Progress, ProgressSink
from amplitude_assets.warehouse.snowflake.query_tag import command_fields
from amplitude_assets.warehouse.snowflake.session import Connect

if TYPE_CHECKING:
    from dagster_aws.s3 import S3Resource
    from snowflake.connector import SnowflakeConnection


def progress_resource(show: ProgressSink = lambda _: None) -> ResourceDefinition:
    """Return the resource that reports a step's progress to its log, and to `show`."""

    def report_progress(context: InitResourceContext) -> ProgressSink:
        def report(progress: Progress) -> None:
            if context.log is not None:
                context.log.info(str(progress))
            show(progress)

        return report

    return _resource(
        "ProgressSink",
        "Reports the progress of a step to its log and to the terminal.",
        report_progress,
    )


def build_resources(settings: Settings, clock: Clock = utc_now) -> dict[str, Any]:
    """Return every resource of the graph by its name."""
    s3 = _s3_resource(settings) if settings.uses_s3 else None

    def export_client(_: InitResourceContext) -> Iterator[HourSource]:
        with open_hour_source(settings, s3) as source:
            yield source

    def copy_merges(lake: Lake, forgotten: Forgotten) -> int:
        source = open_s3_export(settings, s3)
        return 0 if source is None else source.copy_merges(lake, forgotten)

    return {
        **({"s3": s3} if s3 else {}),
        "settings": _resource(
            "Settings",
            "The settings of this process, from its environment and `.env`. `.env.example` "
            "documents each.",
            lambda _: settings,
        ),
        "export_client": _resource(
            "HourSource",
            "Where hours come from: Amplitude's Export API, its S3 export where "
            "AMPLITUDE_S3_EXPORT_URL is set, or the emulator without keys.",
            export_client,
        ),
        "landing": _resource(
            "Landing",
            "The working area under DATA_DIR: zips and the files of each hour, until they are old.",
            lambda _: open_landing(settings),
        ),
        "clock": _resource("Clock", "Returns the time, in UTC.", lambda _: clock),
        "copy_merges": _resource(
            "MergeCopier",
            "Copies the files of merged users from Amplitude's S3 export to the lake.",
            lambda _: copy_merges,
        ),
        "lake": _resource(
            "Lake",
            "The object store at LAKE_URL: a folder or S3. It keeps every event, by hour.",
            lambda _: open_lake(settings, s3),
        ),
        "warehouse": _resource(
            "Warehouse",
            "DuckDB or Snowflake, whichever WAREHOUSE names: bronze, silver and gold.",
            lambda _: open_warehouse(
                settings,
                lambda: current_step() or command_fields(),
                resource_connections(settings),
            ),
        ),
        "progress": progress_resource(),
        "dbt": dbt_resource(settings),
    }


def resource_connections(settings: Settings) -> Connect:
    """Return a function that opens Snowflake connections with dagster-snowflake's resource.

    The graph does not include this resource, since its configuration would show the passphrase.
    """

    @contextmanager
    def connect(tag: str = "") -> Iterator["SnowflakeConnection"]:
        from dagster_snowflake import SnowflakeResource

        arguments = connection_arguments(settings, tag)
        resource = SnowflakeResource(
            user=arguments["user"],
            authenticator=arguments["authenticator"],
            autocommit=True,
            additional_snowflake_connection_args=arguments,
        )
        with resource.get_connection() as connection:
            yield connection

    return partial(released, connect)


def _s3_resource(settings: Settings) -> "S3Resource":
    from dagster_aws.s3 import S3Resource  # takes a third as long to import as Dagster itself

    return S3Resource(region_name=settings.aws_region)


def _resource(kind: str, description: str, opened: Callable[..., Any]) -> ResourceDefinition:
    """Return a resource whose type is `kind` in Dagster's UI, which shows the function's name."""
    opened.__name__ = kind
    return ResourceDefinition(opened, description=description)
