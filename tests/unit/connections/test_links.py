"""Links from an asset to its object in S3, its table and its query."""

import boto3
import pytest

from amplitude_assets.config import Settings
from amplitude_assets.connections.snowsight import query_page
from amplitude_assets.definitions import build_definitions
from amplitude_assets.lake.s3 import S3Access
from amplitude_assets.lake.store import Lake

pytestmark = pytest.mark.integration

ACCOUNT = "https://app.snowflake.com/myorg/my_account/#"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNOWFLAKE_DATABASE", "amplitude")  # dbt reads it from the environment


def on_snowflake(
    account: str = "MYORG-My_Account", host: str | None = None, database: str = "amplitude"
) -> Settings:
    return Settings(
        lake_url="s3://bucket/prefix",
        warehouse="snowflake",
        snowflake_account=account,
        snowflake_host=host,
        snowflake_user="pipeline",
        snowflake_role="pipeline",
        snowflake_warehouse="wh",
        snowflake_database=database,
    )


def test_a_query_has_a_page() -> None:
    page = f"{ACCOUNT}/compute/history/queries/01b-02/detail"
    assert query_page(on_snowflake(), "01b-02") == page


@pytest.mark.parametrize(
    ("account", "host"),
    [
        ("xy12345.eu-central-1", None),
        ("MYORG-MYACCOUNT.privatelink", None),
        ("MYORG-MYACCOUNT", "127.0.0.1"),
    ],
)
def test_an_account_locator_or_an_emulator_has_no_link(account: str, host: str | None) -> None:
    assert query_page(on_snowflake(account, host), "01b-02") is None


def test_tables_and_views_in_snowflake_link_to_their_pages() -> None:
    specs = build_definitions(on_snowflake()).resolve_all_asset_specs()
    links = {
        spec.key.to_user_string(): spec.metadata["table"].value
        for spec in specs
        if "table" in spec.metadata
    }
    schemas = f"{ACCOUNT}/data/databases/AMPLITUDE/schemas"
    assert links["bronze/raw_events"] == f"{schemas}/BRONZE/table/RAW_EVENTS"
    assert links["bronze/events"] == f"{schemas}/BRONZE/view/EVENTS"
    assert links["silver/events"] == f"{schemas}/SILVER/table/EVENTS"
    assert links["gold/agg_retention"] == f"{schemas}/GOLD/table/AGG_RETENTION"


def test_tables_are_named_by_the_database_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if dbt has parsed the project for another database before."""
    for database in ("amplitude", "elsewhere"):
        monkeypatch.setenv("SNOWFLAKE_DATABASE", database)
        specs = build_definitions(on_snowflake(database=database)).resolve_all_asset_specs()
        names = {spec.key.to_user_string(): spec.metadata for spec in specs}
        assert names["silver/events"]["dagster/table_name"] == f"{database}.silver.events"


def lake_at(endpoint: str, region: str = "eu-central-1") -> Lake:
    session = boto3.session.Session("key", "secret", region_name=region)
    return Lake("s3://bucket/the prefix", S3Access(session, endpoint))


def test_an_object_in_s3_links_to_its_page_in_the_console() -> None:
    assert lake_at("https://s3.eu-central-1.amazonaws.com").page("a/b=1.json") == (
        "https://eu-central-1.console.aws.amazon.com/s3/object/bucket"
        "?region=eu-central-1&prefix=the%20prefix/a/b%3D1.json"
    )


def test_an_object_outside_the_console_has_no_page(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    assert lake_at("https://minio.internal:9000").page("a") is None
    gov, china = "us-gov-west-1", "cn-north-1"  # whose consoles are at other addresses
    assert lake_at(f"https://s3.{gov}.amazonaws.com", gov).page("a") is None
    assert lake_at(f"https://s3.{china}.amazonaws.com.cn", china).page("a") is None
    assert Lake(tmp_path_factory.mktemp("lake").as_uri()).page("a") is None
