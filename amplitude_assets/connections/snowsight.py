"""URLs of pages in Snowsight, Snowflake's web interface."""

import re

from amplitude_assets.config import Settings

# ORGANIZATION-ACCOUNT. An account locator, such as `xy12345.eu-central-1`, does not match.
_ORG_AND_ACCOUNT = re.compile(r"([A-Za-z][A-Za-z0-9]*)-([A-Za-z][A-Za-z0-9_]*)")


def query_page(settings: Settings, query_id: str) -> str | None:
    """Return the URL of a query's plan and times; None under the conditions of `_page`."""
    return _page(settings, f"compute/history/queries/{query_id}/detail")


def table_page(settings: Settings, schema: str, name: str, kind: str = "table") -> str | None:
    """Return the URL of a table or view, by its `kind`; None under the conditions of `_page`.

    Snowflake stores unquoted names in upper case, and `bootstrap snowflake` quotes none.
    """
    database, schema, name = settings.database.upper(), schema.upper(), name.upper()
    return _page(settings, f"data/databases/{database}/schemas/{schema}/{kind}/{name}")


def _page(settings: Settings, path: str) -> str | None:
    """Return the URL of a page of the account.

    Return None when `SNOWFLAKE_ACCOUNT` is an account locator, when `SNOWFLAKE_HOST` names an
    emulator, or when the warehouse is not Snowflake.
    """
    account = _ORG_AND_ACCOUNT.fullmatch(settings.snowflake_account or "")
    if account is None or settings.snowflake_host is not None or settings.warehouse != "snowflake":
        return None
    place = "/".join(account.groups()).lower()
    return f"https://app.snowflake.com/{place}/#/{path}"
