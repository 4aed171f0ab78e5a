"""Misspelled settings are found, and variables of other programs are not reported."""

import re

import pytest
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES

from amplitude_assets.config import READ_BY_AWS, Settings
from amplitude_assets.misspelled import misspelled_settings

SETTINGS = {name.upper() for name in Settings.model_fields} | set(READ_BY_AWS)
# From the documentation of Snowflake's tools, Dagster, dbt, shells and CI systems.
OTHER_PROGRAMS = set(
    re.findall(
        r"\w+",
        """
    SNOWFLAKE_AUTHENTICATOR SNOWFLAKE_HOME SNOWFLAKE_PASSWORD SNOWFLAKE_PRIVATE_KEY
    SNOWFLAKE_PRIVATE_KEY_FILE SNOWFLAKE_PRIVATE_KEY_RAW SNOWFLAKE_REGION SNOWFLAKE_SCHEMA
    SNOWFLAKE_TOKEN SNOWFLAKE_TOKEN_FILE_PATH SNOWFLAKE_URL SNOWFLAKE_USERNAME
    AWS_ENDPOINT_URL_SNS AWS_ENDPOINT_URL_STS AWS_ENDPOINT_URL_KMS AWS_SESSION_TOKEN AWS_VAULT
    AWS_ROLE_ARN AWS_WEB_IDENTITY_TOKEN_FILE AWS_EXECUTION_ENV AWS_PAGER AWS_SDK_LOAD_CONFIG
    DAGSTER_CLOUD_URL DAGSTER_EVENT_BATCH_SIZE DAGSTER_GRPC_PORT DAGSTER_PG_URL DAGSTER_RUN_ID
    DBT_PROFILES_DIR DUCKDB_EXTENSION_DIRECTORY DUCKDB_HOME DATA_FOLDER DATA_PATH XDG_DATA_DIRS
    XDG_DATA_HOME PROJECT_DIR PROJECT_ID PROJECT_NAME RUN_ID RUN_NUMBER RUN_ATTEMPT ARCHIVE_PATH
    ALERT_EMAIL WEEK_NUMBER WAREHOUSE_SIZE HOME LANG PATH TZ
""",
    )
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("AMPLITUDE_REGON", "AMPLITUDE_REGION"),
        ("AMPLITUD_REGION", "AMPLITUDE_REGION"),
        ("AMPLITUDE_APIKEY", "AMPLITUDE_API_KEY"),
        ("AMPLITUDE_KEY", "AMPLITUDE_API_KEY"),
        ("PRIVACY_LEVEL", None),
        ("AWS_REGON", "AWS_REGION"),
        ("AWS_ACCES_KEY_ID", "AWS_ACCESS_KEY_ID"),
        ("DATADIR", "DATA_DIR"),
        ("DUCKDB_PAHT", "DUCKDB_PATH"),
        ("LAKE_URI", "LAKE_URL"),
        ("PRIVACY_DROPS", "PRIVACY_DROP"),
        ("PROJECT_TIME_ZONE", "PROJECT_TIMEZONE"),
        ("SNOWFLAKE_ACOUNT", "SNOWFLAKE_ACCOUNT"),
        ("WAREHOSE", "WAREHOUSE"),
        ("WEEK_STRAT", "WEEK_START"),
    ],
)
def test_a_misspelled_setting_is_found(written: str, meant: str | None) -> None:
    found = misspelled_settings([written], set(), SETTINGS)
    assert [(variable.name, variable.nearest) for variable in found] == [(written, meant)]


def test_settings_and_variables_of_other_programs_are_not_reported() -> None:
    aws_names = set(re.findall(r"AWS_\w+", str(BOTOCORE_DEFAUT_SESSION_VARIABLES)))
    assert len(aws_names) > 30
    assert misspelled_settings(SETTINGS | OTHER_PROGRAMS | aws_names, set(), SETTINGS) == []


def test_in_dotenv_a_prefix_of_settings_is_reported_unless_other_programs_share_it() -> None:
    names = ["ARCHIVE_PATH", "SNOWFLAKE_PASSWORD", "AWS_SESSION_TOKEN", "HTTPS_PROXY"]
    found = misspelled_settings(names, set(names), SETTINGS)
    assert [(variable.name, variable.place) for variable in found] == [("ARCHIVE_PATH", ".env")]
