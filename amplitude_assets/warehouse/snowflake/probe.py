"""Check the access to Snowflake step by step, from the login to a COPY from the lake."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from amplitude_assets.warehouse.base import WarehouseError
from amplitude_assets.warehouse.batches import data_errors_as_warehouse_errors
from amplitude_assets.warehouse.snowflake.errors import (
    NO_DATABASE,
    NO_WAREHOUSE,
    snowflake_errors_explained,
)
from amplitude_assets.warehouse.snowflake.session import Connect, Session, open_session
from amplitude_assets.warehouse.snowflake.warehouse import copy_lines

if TYPE_CHECKING:
    from snowflake.connector.cursor import SnowflakeCursor

_SCHEMAS = ("bronze", "silver", "gold")


class SnowflakeProbe:
    """A session that checks each step. It changes nothing except a temporary table.

    Leaving the context closes the session. Each check returns a description of what it found, or
    raises WarehouseError.
    """

    def __init__(self, connect: Connect, *, stage: str, lake_url: str) -> None:
        """Use a connection that `connect` opens; the URL of `stage` must be `lake_url`."""
        self._connect = connect
        self._stage = stage
        self._lake_url = lake_url
        self._open = ExitStack()
        self._session: Session | None = None

    def __enter__(self) -> "SnowflakeProbe":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def links(self) -> list[tuple[str, Callable[[], str]]]:
        """Return the name and the check of each step, in order; each needs all previous ones."""
        return [
            ("login", self._sign_in),
            ("role", self._use_role),
            ("warehouse", self._use_warehouse),
            ("schemas", self._find_schemas),
            ("stage", self._list_stage),
            ("integration", self._check_integration),
        ]

    def copy(self, key: str) -> str:
        """Copy an object of one line from the lake into a temporary table."""
        session = self._signed_in()
        with (
            snowflake_errors_explained(),
            data_errors_as_warehouse_errors("the object was not copied"),
        ):
            session.execute("use schema bronze")
            session.run("load_tables")
            copy_lines(session, self._stage, [key])
            lines = sum(lines for _, lines in session.rows("count_lines"))
        if lines != 1:
            raise WarehouseError(f"Snowflake read {lines} lines from an object of one line")
        return "copied a line from the lake"

    def _sign_in(self) -> str:
        self._session = self._open.enter_context(open_session(self._connect))
        return f"signed in as {self._value('select current_user()')}"

    def _use_role(self) -> str:
        role = self._value("select current_role()")
        if role is None:
            raise WarehouseError("SNOWFLAKE_ROLE is not granted to the user")
        return f"has the role {role}"

    def _use_warehouse(self) -> str:
        warehouse = self._value("select current_warehouse()")
        if warehouse is None:
            raise WarehouseError(NO_WAREHOUSE)
        return f"uses {warehouse}"

    def _find_schemas(self) -> str:
        database = self._value("select current_database()")
        if database is None:
            raise WarehouseError(NO_DATABASE)
        with snowflake_errors_explained():
            # This is the first query that needs the warehouse to run.
            rows = self._signed_in().fetch("select schema_name from information_schema.schemata")
        found = {str(name).lower() for (name,) in rows}
        missing = [name for name in _SCHEMAS if name not in found]
        if missing:
            raise WarehouseError(
                f"{database} has no schema {', '.join(missing)}, or SNOWFLAKE_ROLE lacks USAGE"
            )
        return f"found {', '.join(_SCHEMAS)} in {database}"

    def _list_stage(self) -> str:
        with snowflake_errors_explained():
            url = self._described("stage", self._stage).get("URL", "").strip('[]"').rstrip("/")
        if url != self._lake_url.rstrip("/"):
            raise WarehouseError(
                f"the URL of {self._stage} is {url}, but LAKE_URL is {self._lake_url}"
            )
        with snowflake_errors_explained():
            self._signed_in().fetch(f"list @{self._stage}/doctor/")
        return f"listed {self._stage}"

    def _check_integration(self) -> str:
        with snowflake_errors_explained():
            name = self._described("stage", self._stage).get("STORAGE_INTEGRATION")
            if not name:
                return f"{self._stage} has no storage integration: it has credentials of its own"
            described = self._described("integration", name)
        if described.get("ENABLED", "true").lower() != "true":
            raise WarehouseError(f"{name} is not enabled")
        return f"{name} reads as {described.get('STORAGE_AWS_ROLE_ARN', 'unknown')}"

    def _signed_in(self) -> Session:
        if self._session is None:
            raise WarehouseError("not signed in")
        return self._session

    def _value(self, sql: str) -> str | None:
        with snowflake_errors_explained():
            ((value,),) = self._signed_in().fetch(sql)
        return None if value is None else str(value)

    def _described(self, kind: str, name: str) -> dict[str, str]:
        return properties_of(self._signed_in().execute(f"desc {kind} {name}"))


def properties_of(described: "SnowflakeCursor") -> dict[str, str]:
    """Return the properties that a DESC of an integration, a stage or a user lists, by name."""
    columns = [column.name.lower() for column in described.description]
    rows = [dict(zip(columns, row, strict=True)) for row in described.fetchall()]
    return {
        str(row["property"]): "" if value is None else str(value)
        for row in rows
        # DESC USER names the column `value`, the others `property_value`.
        for value in [row.get("property_value", row.get("value"))]
    }
