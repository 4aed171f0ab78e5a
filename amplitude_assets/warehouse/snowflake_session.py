"""A session in Snowflake: one connection, and the scripts that run on it."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from io import StringIO
from typing import TYPE_CHECKING, Any

from amplitude_assets.warehouse.scripts import read_script
from amplitude_assets.warehouse.snowflake_errors import explained

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor

Connect = Callable[[], AbstractContextManager["SnowflakeConnection"]]

_PARAMETER = re.compile(r"(?<![\w$])\$([a-z_]+)")


@contextmanager
def open_session(connect: Connect) -> Iterator["Session"]:
    """Open a session, and turn what Snowflake refuses in it into WarehouseError."""
    with explained(), connect() as connection:
        yield Session(connection)


class Session:
    """One connection, and the scripts that run on it."""

    def __init__(self, connection: "SnowflakeConnection") -> None:
        self.connection = connection

    def execute(
        self, sql: str, parameters: Mapping[str, object] | None = None
    ) -> "SnowflakeCursor":
        """Run one statement."""
        cursor = self.connection.cursor()
        cursor.execute(sql, None if parameters is None else dict(parameters))
        return cursor

    def fetch(
        self, sql: str, parameters: Mapping[str, object] | None = None
    ) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return [tuple(row) for row in self.execute(sql, parameters).fetchall()]

    def run(self, script: str, parameters: Mapping[str, object] | None = None) -> str:
        """Run every statement of a script with the same parameters; return the last's query id."""
        query_id = ""
        for statement in statements_of(script):
            query_id = self.execute(statement, parameters).sfqid or ""
        return query_id

    def rows(
        self, script: str, parameters: Mapping[str, object] | None = None
    ) -> list[tuple[Any, ...]]:
        """Return the rows of a script of one query."""
        (statement,) = statements_of(script)
        return self.fetch(statement, parameters)

    def insert(self, script: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Insert rows by a script of one insert, all in one statement."""
        (statement,) = statements_of(script)
        if rows:
            self.connection.cursor().executemany(statement, rows)

    def has_tables(self) -> bool:
        """Say whether every table of bronze is there."""
        return self.rows("bronze_objects") == [(1, 4)]

    def make_tables(self) -> None:
        """Make what is missing, and nothing else: the loader's role may not make schemas."""
        ((schemas, tables),) = self.rows("bronze_objects")
        if not schemas:
            self.run("bronze_schema")
        if tables < 4:
            self.run("bronze_tables")
        self.execute("use schema bronze")

    def tag(self, text: str) -> None:
        """Let the query history show a text beside each statement from here on."""
        self.execute("alter session set query_tag = %(tag)s", {"tag": text})

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what the block does, or roll it back when the block fails."""
        from snowflake.connector.errors import Error

        self.execute("begin")
        try:
            yield
            self.execute("commit")
        except BaseException:
            with suppress(Error):  # the connection may be what failed
                self.execute("rollback")
            raise


def statements_of(script: str) -> list[str]:
    """Return a script's statements as the connector takes them, parameters and all."""
    from snowflake.connector.util_text import split_statements

    text = read_script("snowflake", script)
    split = split_statements(StringIO(text), remove_comments=True)
    return [
        _PARAMETER.sub(r"%(\1)s", statement.replace("%", "%%")).rstrip().rstrip(";")
        for statement, _ in split
        if statement
    ]
