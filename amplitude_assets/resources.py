"""From settings to connections: the resources that the assets and the command line work with.

Nothing connects when a resource is made, only when a run or a command uses it. Secrets stay in
the settings: none of them is a resource's configuration, which Dagster shows to its users.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster import InitResourceContext, ResourceDefinition

from amplitude_assets.config import Settings
from amplitude_assets.emulation import emulated_world
from amplitude_assets.export.client import ExportClient
from amplitude_assets.export.landing import Landing
from amplitude_assets.export.privacy import Forgotten, Privacy
from amplitude_assets.hours import Clock, utc_now
from amplitude_assets.lake.forgotten import forgotten_digests
from amplitude_assets.lake.s3 import S3Access
from amplitude_assets.lake.s3_refusals import Refusal, sign_in_refusal_of
from amplitude_assets.lake.store import Lake, LakeError
from amplitude_assets.progress import Progress, ProgressSink
from amplitude_assets.s3_export import S3Export

if TYPE_CHECKING:
    from dagster_aws.s3 import S3Resource

    from amplitude_assets.dbt_apart import Dbt
    from amplitude_assets.warehouse.base import Warehouse

DBT_PROJECT_DIR = Path(__file__).parent.parent / "dbt_project"


@contextmanager
def open_export_client(
    settings: Settings, *, probing: bool = False
) -> Iterator[ExportClient | S3Export]:
    """Open the Export API, or Amplitude's own S3 export if that is set.

    With neither, start the emulator on loopback. S3 is given up on soon by who is only `probing`.
    """
    s3_export = open_s3_export(settings, probing=probing)
    if s3_export is not None:
        yield s3_export
    elif settings.amplitude_api_key is None or settings.amplitude_secret_key is None:
        from amplitude_assets.emulator import API_KEY, SECRET_KEY, serve

        with serve(emulated_world(settings)) as emulator:
            yield _client(settings, emulator.base_url, API_KEY, SECRET_KEY)
    else:
        yield _client(
            settings,
            settings.export_origin,
            settings.amplitude_api_key.get_secret_value(),
            settings.amplitude_secret_key.get_secret_value(),
        )


def _client(settings: Settings, origin: str, api_key: str, secret_key: str) -> ExportClient:
    return ExportClient(
        origin,
        api_key,
        secret_key,
        project_id=settings.project_id,
        max_concurrent=settings.amplitude_max_concurrent_requests,
    )


def open_landing(settings: Settings) -> Landing:
    """Return the landing area under `DATA_DIR`."""
    return Landing(settings.data_dir / "landing", settings.project_id)


def open_lake(settings: Settings, s3: "S3Resource | None" = None, *, probing: bool = False) -> Lake:
    """Open the lake.

    On S3, endpoint, region and credentials are those of dagster-aws' resource: `s3`, or that of
    the settings. Who is only `probing` gives up on S3 soon. Raises LakeError when there are no AWS
    credentials.
    """
    return _open_store("LAKE_URL", settings.resolved_lake_url, settings, s3, probing=probing)


def open_s3_export(
    settings: Settings, s3: "S3Resource | None" = None, *, probing: bool = False
) -> S3Export | None:
    """Open the bucket of Amplitude's own S3 export, or return None when none is set.

    Raises LakeError, and is `probing`, as `open_lake`.
    """
    url = settings.amplitude_s3_export_url
    if url is None:
        return None
    store = _open_store("AMPLITUDE_S3_EXPORT_URL", url, settings, s3, probing=probing)
    return S3Export(store, settings.project_id)


def s3_resource(settings: Settings) -> "S3Resource":
    """Return dagster-aws' resource for S3. To import it takes a third as long as Dagster itself."""
    from dagster_aws.s3 import S3Resource

    return S3Resource(region_name=settings.aws_region)


def _open_store(
    setting: str, url: str, settings: Settings, s3: "S3Resource | None", *, probing: bool
) -> Lake:
    if not url.startswith("s3://"):
        return Lake(url, setting=setting)
    import boto3
    from botocore.exceptions import BotoCoreError, NoCredentialsError

    s3 = s3 or s3_resource(settings)
    try:
        client = s3.get_client()
        session = boto3.session.Session(
            profile_name=s3.profile_name,
            region_name=client.meta.region_name,
            aws_access_key_id=s3.aws_access_key_id,
            aws_secret_access_key=s3.aws_secret_access_key,
            aws_session_token=s3.aws_session_token,
        )
        if session.get_credentials() is None:
            raise NoCredentialsError
    except BotoCoreError as error:
        refusal = sign_in_refusal_of(error) or Refusal(str(error))
        seen = f"cannot use {setting}={url}: {refusal.reason}"
        raise LakeError(seen, refusal.fix, retryable=refusal.retryable) from None
    access = S3Access(
        session=session,
        endpoint_url=client.meta.endpoint_url,
        encryption=settings.lake_encryption,
        kms_key_id=settings.lake_kms_key_id,
        storage_class=settings.lake_storage_class,
        probing=probing,
    )
    return Lake(url, access, setting)


def read_privacy(settings: Settings, lake: Lake) -> Privacy:
    """Return what is kept back today: the masks of the settings, and the lake's forgotten people.

    Raises LakeError: without the list nobody may unpack.
    """
    digests = forgotten_digests(lake, settings.project_id)
    return Privacy(settings.masks, Forgotten(settings.project_id, digests))


def open_warehouse(settings: Settings, run_id: str = "") -> "Warehouse":
    """Return the warehouse that `WAREHOUSE` names; `run_id` is for its query log."""
    if settings.warehouse == "snowflake":
        from amplitude_assets.snowflake_access import open_snowflake

        return open_snowflake(settings, run_id)
    from amplitude_assets.warehouse.duckdb import DuckDBWarehouse

    return DuckDBWarehouse(settings.resolved_duckdb_path)


def progress_resource(show: ProgressSink = lambda _: None) -> ResourceDefinition:
    """Return where a step tells how far it is: its log, which Dagster's UI shows, and `show`."""

    def log_and_show(context: InitResourceContext) -> ProgressSink:
        def tell(progress: Progress) -> None:
            if context.log is not None:
                context.log.info(str(progress))
            show(progress)

        return tell

    return ResourceDefinition(log_and_show, description="Where a step tells how far it is.")


def build_resources(settings: Settings, clock: Clock = utc_now) -> dict[str, Any]:
    """Return every resource of the graph, by the name that the assets ask for it under."""

    def export_client(_: InitResourceContext) -> Iterator[ExportClient | S3Export]:
        with open_export_client(settings) as client:
            yield client

    def copy_merges(lake: Lake, forgotten: Forgotten) -> int:
        source = open_s3_export(settings)
        return 0 if source is None else source.copy_merges(lake, forgotten)

    return {
        **({"s3": s3_resource(settings)} if settings.uses_s3 else {}),
        "settings": settings,
        "export_client": ResourceDefinition(
            export_client, description="Amplitude's Export API, or the emulator without keys."
        ),
        "landing": ResourceDefinition(
            lambda _: open_landing(settings), description="The working area under DATA_DIR."
        ),
        "clock": ResourceDefinition(lambda _: clock, description="Tells the time, in UTC."),
        "copy_merges": ResourceDefinition(
            lambda _: copy_merges, description="Brings the S3 export's merge files to the lake."
        ),
        "lake": ResourceDefinition(
            lambda _: open_lake(settings), description="The object store at LAKE_URL."
        ),
        "warehouse": ResourceDefinition(
            lambda context: open_warehouse(settings, context.run.run_id if context.run else ""),
            description="The warehouse that WAREHOUSE names.",
        ),
        "progress": progress_resource(),
        "dbt": dbt_resource(settings),
    }


def dbt_resource(settings: Settings) -> "Dbt":
    """Return dbt over our project, on the target of the warehouse that `WAREHOUSE` names."""
    from amplitude_assets.dbt_apart import Dbt

    return Dbt(
        project_dir=str(DBT_PROJECT_DIR),
        profiles_dir=str(DBT_PROJECT_DIR),
        target=settings.warehouse,
        # The one beside this Python: the environment need not be activated.
        dbt_executable=str(Path(sys.executable).parent / "dbt"),
    )
