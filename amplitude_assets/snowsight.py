"""Pages of Snowsight, where people see what is in Snowflake and what was done there."""

import re

from amplitude_assets.config import Settings

# The organization's name and the account's in it; `xy12345.eu-central-1` is neither.
_ORG_AND_ACCOUNT = re.compile(r"([A-Za-z][A-Za-z0-9]*)-([A-Za-z][A-Za-z0-9_]*)")


def query_page(settings: Settings, query_id: str) -> str | None:
    """Return the page of a query, with its plan and its times. None where `_page` has none."""
    return _page(settings, f"compute/history/queries/{query_id}/detail")


def table_page(settings: Settings, schema: str, name: str, kind: str = "table") -> str | None:
    """Return the page of a table, or of a view if that is its `kind`. None where `_page` has none.

    Snowflake holds names in upper case unless they were made in quotes, which bootstrap does not.
    """
    database, schema, name = settings.database.upper(), schema.upper(), name.upper()
    return _page(settings, f"data/databases/{database}/schemas/{schema}/{kind}/{name}")


def _page(settings: Settings, path: str) -> str | None:
    """Return the address of a page of the account.

    None if it cannot be told: `SNOWFLAKE_ACCOUNT` is an account locator, an emulator answers, or
    the tables are not in Snowflake.
    """
    account = _ORG_AND_ACCOUNT.fullmatch(settings.snowflake_account or "")
    if account is None or settings.snowflake_host is not None or settings.warehouse != "snowflake":
        return None
    place = "/".join(account.groups()).lower()
    return f"https://app.snowflake.com/{place}/#/{path}"
