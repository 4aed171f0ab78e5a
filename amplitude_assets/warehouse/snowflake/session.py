"""Run SQL scripts on one Snowflake connection."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from io import StringIO
from typing import TYPE_CHECKING, Any, Protocol

from amplitude_assets.warehouse.scripts import read_script
from amplitude_assets.warehouse.snowflake.errors import snowflake_errors_explained

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor


class Connect(Protocol):
    """Opens a connection whose statements have this query tag; by default, one of the process."""

    def __call__(self, tag: str = "") -> AbstractContextManager["SnowflakeConnection"]:
        """Open the connection; leaving the context closes it."""
        ...


_PARAMETER = re.compile(r"(?<![\w$])\$([a-z_]+)")


@contextmanager
def open_session(connect: Connect, tag: str = "") -> Iterator["Session"]:
    """Open a session, and convert Snowflake's errors in the block into WarehouseError."""
    with snowflake_errors_explained(), connect(tag) as connection:
        yield Session(connection)


class Session:
    """One connection, with methods to run scripts and statements."""

    def __init__(self, connection: "SnowflakeConnection") -> None:
        self.connection = connection

    def execute(
        self, sql: str, parameters: Mapping[str, object] | None = None
    ) -> "SnowflakeCursor":
        """Run one statement, and return its cursor."""
        cursor = self.connection.cursor()
        cursor.execute(sql, None if parameters is None else dict(parameters))
        return cursor

    def fetch(
        self, sql: str, parameters: Mapping[str, object] | None = None
    ) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return [tuple(row) for row in self.execute(sql, parameters).fetchall()]

    def run(self, script: str, parameters: Mapping[str, object] | None = None) -> str:
        """Run all statements of a script with the same parameters; return the last query id."""
        query_id = ""
        for statement in statements_of(script):
            query_id = self.execute(statement, parameters).sfqid or ""
        return query_id

    def rows(
        self, script: str, parameters: Mapping[str, object] | None = None
    ) -> list[tuple[Any, ...]]:
        """Return the rows of a script that is one query."""
        (statement,) = statements_of(script)
        return self.fetch(statement, parameters)

    def insert(self, script: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Insert all rows with one execution of a script that is one insert."""
        (statement,) = statements_of(script)
        if rows:
            self.connection.cursor().executemany(statement, rows)

    def has_tables(self) -> bool:
        """Return whether all tables of bronze exist; add columns that they lack."""
        ((schemas, tables, columns),) = self.rows("bronze_objects")
        if (schemas, tables) != (1, 4):
            return False
        if columns < 2:
            self.run("bronze_tables")
        return True

    def make_tables(self) -> None:
        """Create missing tables, and the schema only if needed: the role may not create schemas."""
        ((schemas, tables, columns),) = self.rows("bronze_objects")
        if not schemas:
            self.run("bronze_schema")
        if tables < 4 or columns < 2:
            self.run("bronze_tables")
        self.execute("use schema bronze")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit the block's statements, or roll them back when the block raises."""
        from snowflake.connector.errors import Error

        self.execute("begin")
        try:
            yield
            self.execute("commit")
        except BaseException:
            with suppress(Error):  # the connection may be lost
                self.execute("rollback")
            raise


def statements_of(script: str) -> list[str]:
    """Return a script's statements, with parameters in the connector's `%(name)s` form."""
    from snowflake.connector.util_text import split_statements

    text = read_script("snowflake", script)
    split = split_statements(StringIO(text), remove_comments=True)
    return [
        _PARAMETER.sub(r"%(\1)s", statement.replace("%", "%%")).rstrip().rstrip(";")
        for statement, _ in split
        if statement
    ]
