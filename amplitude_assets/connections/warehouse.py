"""Open the warehouse that `WAREHOUSE` names."""

from typing import TYPE_CHECKING

from amplitude_assets.config import Settings

if TYPE_CHECKING:
    from amplitude_assets.warehouse.base import Warehouse
    from amplitude_assets.warehouse.snowflake.query_tag import TagFields
    from amplitude_assets.warehouse.snowflake.session import Connect


def open_warehouse(
    settings: Settings,
    fields: "TagFields | None" = None,
    snowflake: "Connect | None" = None,
) -> "Warehouse":
    """Return the warehouse that `WAREHOUSE` names, without connecting.

    `fields` describe a session in Snowflake's query history; by default, the command does.
    `snowflake` opens its connections, by default with Snowflake's own connector. Raises
    SettingsError as `open_snowflake`.
    """
    if settings.warehouse == "snowflake":
        from amplitude_assets.connections.snowflake import open_snowflake
        from amplitude_assets.warehouse.snowflake.query_tag import command_fields

        return open_snowflake(settings, fields or command_fields, snowflake)
    from amplitude_assets.warehouse.duckdb.warehouse import DuckDBWarehouse

    return DuckDBWarehouse(settings.resolved_duckdb_path)
