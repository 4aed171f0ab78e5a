"""A fake of Snowflake on loopback: fakesnow behind the real connector, with missing features added.

fakesnow is DuckDB behind Snowflake's HTTP interface. It shows that our statements, transactions
and client code work, but not privileges, warehouses and cost. This shim is for tests only and
depends on fakesnow 0.12.1: it replaces internal names. It adds:

- COPY INTO from an external stage on S3: METADATA$FILENAME and $1, FILES, and the load history by
  which Snowflake skips a file that a table has already loaded, until the table is truncated;
- SELECT and LIST on such a stage;
- temporary tables in a schema (they are plain tables here);
- FLATTEN of objects whose keys have a `$` or a dot in them, and functions such as IS_OBJECT;
- sessions that end when the connector closes them;
- sums of exact numbers (it makes them floats), and times that are NULL (it sends 1970);
- statements about accounts (roles, grants, warehouses, sessions) as no-ops, recorded for tests;
- text with a `$` in it, which fakesnow interprets as a session variable;
- CURRENT_ROLE and CURRENT_WAREHOUSE, a stage's integration in DESC, and a user's AWS role in SHOW;
- DDL that commits the session's open transaction;
- EXECUTE IMMEDIATE of a block of plain statements with a handler of all errors. This shim runs the
  statements on the session one by one; after an error it runs the handler's, and RAISE raises the
  error as it was, while Snowflake adds text to it. It has no variables, control flow, nested blocks
  and cancellation;
- a statement that fails on a test's request, before or after it runs, also one in a block;
- an SQL error for internal errors of fakesnow, since the connector retries HTTP errors for minutes.
"""

import base64
import gzip
import hashlib
import json
import logging
import re
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial, wraps
from io import StringIO
from string import Template
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit
from uuid import uuid4

import duckdb
import fakesnow.server
import pyarrow as pa
import uvicorn
from botocore.exceptions import ClientError
from fakesnow import arrow, dialect, macros, transforms
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.instance import FakeSnow
from fakesnow.transforms import stage as stages
from fakesnow.variables import Variables
from snowflake.connector.errors import Error, ProgrammingError
from snowflake.connector.util_text import split_statements
from starlette.responses import JSONResponse

from tests.support.query_tags import TagRecorder

_LITERAL = re.compile(r"('(?:[^'\\]|''|\\.)*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/)", re.DOTALL)
_ACCOUNT = re.compile(
    r"\s*(grant|revoke|use\s+(role|warehouse|secondary)|comment\s+on|alter\s+(session|user|account)"
    r"|(create(\s+or\s+replace)?|alter|drop)\s+(storage\s+integration|warehouse|role|user"
    r"|resource\s+monitor|integration)|drop\s+database)\b",
    re.IGNORECASE,
)
_CREATE = re.compile(
    r"\s*create\s+(?P<replace>or\s+replace\s+)?(?P<kind>storage\s+integration|resource\s+monitor|\w+)"
    r"\s+(?:if\s+not\s+exists\s+)?(?P<name>\w+)",
    re.IGNORECASE,
)
_DROP = re.compile(
    r"\s*drop\s+(?P<kind>storage\s+integration|resource\s+monitor|\w+)\s+if\s+exists\s+(?P<name>\w+)",
    re.IGNORECASE,
)
_ALTER = re.compile(
    r"\s*alter\s+(?P<kind>storage\s+integration|resource\s+monitor|user)\s+(?P<name>\w+)\s+set\b",
    re.IGNORECASE,
)
_CREATE_SCHEMA = re.compile(r"\s*create\s+(?:database|schema)\s+if\s+not\s+exists\s+([\w.]+)", re.I)
_STAGE_CHANGE = re.compile(
    r"\s*(alter\s+stage|drop\s+stage\s+if\s+exists)\s+([\w.]+)(?:\s+set\s+url\s*=\s*'([^']+)')?",
    re.IGNORECASE,
)
_CREATE_STAGE = re.compile(
    r"\s*create\s+stage\s+(?:if\s+not\s+exists\s+)?([\w.]+).*?storage_integration\s*=\s*(\w+)",
    re.IGNORECASE | re.DOTALL,
)
_CURRENT = re.compile(r"\s*select\s+current_(role|warehouse)\(\)", re.IGNORECASE)
_DESCRIBE = re.compile(r"\s*desc\s+(integration|stage|user)\s+([\w.]+)", re.IGNORECASE)
_SHOW_MONITOR = re.compile(r"\s*show\s+resource\s+monitors\s+like\s+'(\w+)'", re.IGNORECASE)
_SHOW_IDENTITIES = re.compile(
    r"\s*show\s+user\s+workload\s+identity\s+authentication\s+methods\s+for\s+user\s+(\w+)", re.I
)
_PROPERTY = re.compile(
    r"(storage_\w+|credit_quota|rsa_public_key|\barn)\s*=\s*\(?'?([^'\s;]*)", re.IGNORECASE
)
SNOWFLAKE_USER_ARN = "arn:aws:iam::123456789001:user/abc1-b-self1234"
_MANAGED = re.compile(
    r"\s+with\s+managed\s+access(\s+data_retention_time_in_days\s*=\s*\d+)?", re.IGNORECASE
)
_TEMPORARY = re.compile(
    r"(\s*create(?:\s+or\s+replace)?)\s+temp(?:orary)?\s+(table|view)", re.IGNORECASE
)
_DDL = re.compile(r"\s*(create|alter|drop)\b", re.IGNORECASE)
_BLOCK = re.compile(
    r"\s*execute\s+immediate\s+\$\$\s*begin\b(?P<statements>.*)\bexception\s+when\s+other\s+then\b"
    r"(?P<handler>.*)\bend\s*;?\s*\$\$",
    re.IGNORECASE | re.DOTALL,
)
_TRUNCATE = re.compile(
    r"\s*(?:truncate\s+table|create\s+or\s+replace\s+(?:temporary\s+)?table)\s+([\w.]+)",
    re.IGNORECASE,
)
_COPY = re.compile(
    r"\s*copy\s+into\s+(?P<table>[\w.]+)\s*\((?P<columns>[^)]*)\)\s*from\s*\(\s*select(?P<values>.*?)"
    r"\bfrom\s+@(?P<stage>[\w.]+)/?\s*\)(?P<options>.*)",
    re.IGNORECASE | re.DOTALL,
)
_FROM_STAGE = re.compile(
    r"\s*select\s+(?P<values>.*?)\bfrom\s+@(?P<stage>[\w.]+)/?(?P<path>\S*)", re.I | re.S
)
_LIST = re.compile(r"\s*(?:list|ls)\s+@(?P<stage>[\w.]+)/?(?P<path>\S*)\s*;?\s*$", re.IGNORECASE)
_STAGED = "FS_STAGED_LINES"
_INJECTED = ProgrammingError(msg="the test's own fault", errno=604, sqlstate="57014")
# Functions of Snowflake on semi-structured values that fakesnow leaves as they are.
_FUNCTIONS = (
    "is_object(v) as json_type(v) = 'OBJECT'",
    "is_array(v) as json_type(v) = 'ARRAY'",
    "is_boolean(v) as json_type(v) = 'BOOLEAN'",
    "is_varchar(v) as json_type(v) = 'VARCHAR'",
    "is_null_value(v) as json_type(v) = 'NULL'",
    "fs_to_array(v) as case when json_type(v) = 'ARRAY' then v else json_array(v) end",
    # Snowflake sorts the keys of an object.
    "to_json(v) as cast(cast(cast(v as variant) as json) as varchar)",
)
# Its FLATTEN interprets keys as paths, so `$price` and `a.b` fail, and fails on scalars.
_FLATTEN = Template(
    macros.FS_FLATTEN.template.replace(
        "TO_JSON(input) -> x",
        "json_extract(TO_JSON(input), '/' || replace(replace(x, '~', '~0'), '/', '~1'))",
    ).replace("CAST(TO_JSON(input) AS JSON[])", "TRY_CAST(TO_JSON(input) AS JSON[])")
)


@dataclass
class Fault:
    """An error for the statement after `after` others, before it runs or, if `runs`, after."""

    after: int
    runs: bool
    statement: str | None = None

    def applies_to(self, statement: str) -> bool:
        """Return whether this is the statement to fail; count it otherwise."""
        if self.statement is not None:
            return False
        self.after -= 1
        if self.after < 0:
            self.statement = statement
        return self.after < 0


@dataclass
class FakeSnowflake:
    """A running server, and the state of Snowflake that DuckDB cannot represent."""

    s3: Any
    port: int = 0
    recorder: TagRecorder = field(default_factory=lambda: TagRecorder(fakesnow.server.app))
    statements: list[str] = field(default_factory=list)
    account_statements: list[str] = field(default_factory=list)
    loaded: dict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    account_objects: dict[str, dict[str, str]] = field(default_factory=dict)
    created_schemas: set[str] = field(default_factory=set)
    fault: Fault | None = None
    current: dict[str, str | None] = field(
        default_factory=lambda: {"role": "LOADER", "warehouse": "LOAD_WH"}
    )
    integrations: dict[tuple[str, ...], str] = field(default_factory=dict)

    def read(self, bucket: str, key: str) -> tuple[bytes, str]:
        """Return an object's bytes and version. Raises Snowflake's error for a missing object."""
        try:
            answer = self.s3.get_object(Bucket=bucket, Key=key)
        except ClientError:
            raise ProgrammingError(
                msg=f"Remote file 's3://{bucket}/{key}' was not found.",
                errno=91016,
                sqlstate="22000",
            ) from None
        return answer["Body"].read(), answer["ETag"]

    def keys(self, bucket: str, prefix: str) -> list[dict[str, Any]]:
        """List the objects under a prefix."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [entry for page in pages for entry in page.get("Contents", [])]


@contextmanager
def fake_snowflake(s3: Any) -> Iterator[FakeSnowflake]:
    """Run an empty server on a free port; `s3` is the boto3 client for its stages."""
    running = FakeSnowflake(s3)
    logging.getLogger("fakesnow.server").setLevel(logging.CRITICAL)
    database = FakeSnow()
    with (
        closing(database.duck_conn),
        patch.object(fakesnow.server, "shared_fs", database),
        patch.object(fakesnow.server, "JSONResponse", _answer),
        patch.object(fakesnow.server, "parse_one", _parsed),
        patch.object(macros, "FS_FLATTEN", _FLATTEN),
        patch.object(transforms, "numeric_agg_implicit_cast", lambda expression: expression),
        patch.object(arrow, "timestamp_to_sf_struct", _with_nulls(arrow.timestamp_to_sf_struct)),
        patch.dict(fakesnow.server.sessions, clear=True),
        patch.object(FakeSnowflakeCursor, "execute", _executing(running)),
        patch.object(FakeSnowflakeCursor, "_describe_last_sql", _describing()),
        patch.object(Variables, "inline_variables", _inlining()),
        _serving(running.recorder) as running.port,
    ):
        yield running


@contextmanager
def _serving(app: Any) -> Iterator[int]:
    """Serve on a free port of loopback, in a thread."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="critical", access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.05)
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join()


def _parsed(sql: str) -> Any:
    """Parse like fakesnow; statements that its grammar lacks become a query that is run later."""
    is_foreign = _DESCRIBE.match(sql) or _BLOCK.match(sql) or _SHOW_IDENTITIES.match(sql)
    return dialect.parse_one("select 1" if is_foreign else sql)


def _executing(running: FakeSnowflake) -> Any:
    original = FakeSnowflakeCursor.execute

    def run(cursor: Any, command: str, params: Any = None, *args: Any, **kwargs: Any) -> Any:
        fails = running.fault is not None and running.fault.applies_to(command)
        if fails and running.fault and not running.fault.runs:
            raise _INJECTED
        with _sql_errors():
            _add_functions(cursor)
            if copy := _COPY.match(command):
                command, params = _copy(running, cursor, copy), None
            else:
                command = _rewritten(running, cursor, command)
            answer = original(cursor, command, params, *args, **kwargs)
        if fails:
            raise _INJECTED
        return answer

    @wraps(original)
    def execute(cursor: Any, command: str, *args: Any, **kwargs: Any) -> Any:
        running.statements.append(command)
        if block := _BLOCK.match(command):
            _run_block(partial(run, cursor), **block.groupdict())
            command = 'select null as "anonymous block"'
        return run(cursor, command, *args, **kwargs)

    return execute


def _run_block(run: Callable[[str], Any], statements: str, handler: str) -> None:
    """Run a block's statements, and those of its handler of all errors after an error."""
    try:
        _run_each(run, statements)
    except Error as error:
        before, is_raised, _ = handler.rpartition("raise;")
        _run_each(run, before if is_raised else handler)
        if is_raised:
            raise error from None


def _run_each(run: Callable[[str], Any], statements: str) -> None:
    for statement, _ in split_statements(StringIO(statements)):
        if statement.strip():
            run(statement.strip().rstrip(";"))


def _rewritten(running: FakeSnowflake, cursor: Any, command: str) -> str:
    """Rewrite a statement so that fakesnow can run it."""
    if _DDL.match(command):
        with suppress(duckdb.TransactionException):  # no transaction is open
            cursor._duck_conn.execute("commit")
    if emptied := _TRUNCATE.match(command):
        running.loaded.pop(emptied[1].lower(), None)
    if described := _DESCRIBE.match(command):
        return _described(running, cursor, *described.groups())
    if listed := _LIST.match(command):
        return _list(running, cursor, listed)
    if staged := _FROM_STAGE.match(command):
        bucket, prefix = _place(cursor, staged["stage"])
        keys = [entry["Key"] for entry in running.keys(bucket, prefix + staged["path"])]
        _register(running, cursor, bucket, keys)
        return f"select {_values(staged['values'])} from {_STAGED}"
    if query := _context_query(running, command):
        return query
    if created := _CREATE_STAGE.match(command):
        running.integrations[_parts(cursor, created[1])] = created[2].upper()
    answer = _answer_without_running(running, cursor, command)
    if answer is not None:
        return f"select '{answer}' as status"
    command = _MANAGED.sub("", command)
    # DuckDB has another function with this name.
    command = re.sub(r"\bto_array\(", "fs_to_array(", command)
    return _TEMPORARY.sub(r"\1 \2", command)


def _context_query(running: FakeSnowflake, command: str) -> str | None:
    """Return a query with the values of Snowflake's context functions, or None."""
    if current := _CURRENT.match(command):
        value = running.current[current[1].lower()]
        return f"select '{value}'" if value else "select null"
    if identities := _SHOW_IDENTITIES.match(command):
        return _identities(running, identities[1])
    if monitor := _SHOW_MONITOR.match(command):
        quota = running.account_objects[f"resource monitor {monitor[1].upper()}"]["CREDIT_QUOTA"]
        return f"select '{monitor[1]}' as \"name\", '{quota}.00' as \"credit_quota\""
    return None


def _identities(running: FakeSnowflake, user: str) -> str:
    found = running.account_objects.get(f"user {user.upper()}")
    if found is None:
        raise ProgrammingError(msg=f"{user} does not exist or not authorized.", errno=2003)
    if "ARN" not in found:
        return "select 1 where false"
    _, partition, _, _, account, path = found["ARN"].split(":")
    role = {"awsPartition": partition, "awsAccount": account, "type": "IAM_ROLE"}
    role["iamRole"] = path.removeprefix("role/")
    return f"select 'AWS' as \"type\", '{json.dumps(role)}' as \"additional_info\""


def _answer_without_running(running: FakeSnowflake, cursor: Any, command: str) -> str | None:
    """Return Snowflake's response to a statement that fakesnow must not run, or None."""
    if changed := _STAGE_CHANGE.match(command):
        return _change_stage(cursor, *changed.groups())
    if created := _CREATE_SCHEMA.match(command):
        if created[1].upper() in running.created_schemas:
            return f"{created[1]} already exists, statement succeeded."
        running.created_schemas.add(created[1].upper())
    return _account_answer(running, command) if _ACCOUNT.match(command) else None


def _account_answer(running: FakeSnowflake, command: str) -> str:
    """Record a statement about the account, and respond like Snowflake."""
    running.account_statements.append(command)
    if created := _CREATE.match(command):
        name = f"{' '.join(created['kind'].lower().split())} {created['name'].upper()}"
        if name in running.account_objects and not created["replace"]:
            return f"{created['name']} already exists, statement succeeded."
        # Every new integration has a new external id, even if it replaces another.
        running.account_objects[name] = {
            "STORAGE_AWS_IAM_USER_ARN": SNOWFLAKE_USER_ARN,
            "STORAGE_AWS_EXTERNAL_ID": f"ABC_SFCRole={uuid4().hex}",
            **_properties(command),
        }
        return f"{created['name']} successfully created."
    if dropped := _DROP.match(command):
        name = f"{' '.join(dropped['kind'].lower().split())} {dropped['name'].upper()}"
        if running.account_objects.pop(name, None) is None:
            return "Drop statement executed successfully (already dropped)."
        return f"{dropped['name']} successfully dropped."
    if altered := _ALTER.match(command):
        name = f"{' '.join(altered['kind'].lower().split())} {altered['name'].upper()}"
        running.account_objects.setdefault(name, {}).update(_properties(command))
    return "Statement executed successfully."


def _properties(command: str) -> dict[str, str]:
    return {name.upper(): value for name, value in _PROPERTY.findall(command)}


def _change_stage(cursor: Any, verb: str, name: str, url: str | None) -> str:
    where = "where database_name = ? and schema_name = ? and name = ?"
    place = list(_parts(cursor, name))
    table = "_fs_global._fs_information_schema._fs_stages"
    if verb.lower().startswith("alter"):
        cursor._duck_conn.execute(f"update {table} set url = ? {where}", [url, *place])
        return "Statement executed successfully."
    cursor._duck_conn.execute(f"delete from {table} {where}", place)
    return f"{name} successfully dropped."


def _described(running: FakeSnowflake, cursor: Any, kind: str, name: str) -> str:
    if kind.lower() == "stage":
        bucket, prefix = _place(cursor, name)
        properties = {
            "URL": f'["s3://{bucket}/{prefix}"]',
            "STORAGE_INTEGRATION": running.integrations.get(_parts(cursor, name), ""),
        }
    else:
        word = "user" if kind.lower() == "user" else "storage integration"
        found = running.account_objects.get(f"{word} {name.upper()}")
        if found is None:
            raise ProgrammingError(msg=f"{name} does not exist or not authorized.", errno=2003)
        properties = dict(found)
        if key := properties.pop("RSA_PUBLIC_KEY", None):
            digest = base64.b64encode(hashlib.sha256(base64.b64decode(key)).digest()).decode()
            properties["RSA_PUBLIC_KEY_FP"] = f"SHA256:{digest}"
    rows = ", ".join(f"('{key}', '{value}')" for key, value in properties.items())
    return f'select * from (values {rows}) as described ("property", "property_value")'


def _add_functions(cursor: Any) -> None:
    if not hasattr(cursor._conn, "has_functions"):
        cursor._conn.has_functions = True
        for function in _FUNCTIONS:
            cursor._duck_conn.execute(f"create or replace temp macro {function}")


@contextmanager
def _sql_errors() -> Iterator[None]:
    """Convert internal errors of fakesnow into SQL errors."""
    try:
        yield
    except Error:
        raise
    except Exception as error:
        raise ProgrammingError(msg=f"{type(error).__name__}: {error}", errno=1003) from error


def _describing() -> Any:
    original = FakeSnowflakeCursor._describe_last_sql

    def describe(cursor: Any) -> Any:
        with _sql_errors():
            return original(cursor)

    return describe


def _answer(content: dict[str, Any], **arguments: Any) -> JSONResponse:
    """Add the token to a login that the connector needs to close its session."""
    data = content.get("data")
    if isinstance(data, dict) and "token" in data:
        data["masterToken"] = data["token"]
    return JSONResponse(content, **arguments)


def _with_nulls(original: Any) -> Any:
    """Send NULL times as NULL; fakesnow sends them as 1970."""

    def convert(times: pa.ChunkedArray) -> pa.Array:
        whole = times.combine_chunks()
        filled = original(whole.fill_null(datetime(1970, 1, 1)))
        fields = list(filled.type)
        values = [filled.field(place) for place in range(len(fields))]
        return pa.StructArray.from_arrays(values, fields=fields, mask=whole.is_null())

    return convert


def _inlining() -> Any:
    """Inline session variables, but not in strings, names and comments."""
    original = Variables.inline_variables

    def inline_variables(variables: Variables, sql: str) -> str:
        parts = _LITERAL.split(sql)
        return "".join(
            part if place % 2 else original(variables, part) for place, part in enumerate(parts)
        )

    return inline_variables


def _copy(running: FakeSnowflake, cursor: Any, copy: re.Match[str]) -> str:
    """Translate a COPY to an insert of the files that its table has not loaded."""
    bucket, prefix = _place(cursor, copy["stage"])
    named = re.search(r"\bfiles\s*=\s*\(([^)]*)\)", copy["options"], re.IGNORECASE)
    keys = (
        [prefix + name for name in re.findall(r"'([^']+)'", named[1])]
        if named
        else [entry["Key"] for entry in running.keys(bucket, prefix)]
    )
    history = running.loaded[copy["table"].lower()]
    force = re.search(r"\bforce\s*=\s*true\b", copy["options"], re.IGNORECASE)
    new = []
    for key in keys:
        version = (key, running.read(bucket, key)[1])
        if version not in history or force:
            new.append(key)
            history.add(version)
    _register(running, cursor, bucket, new)
    return (
        f"insert into {copy['table']} ({copy['columns']}) "
        f"select {_values(copy['values'])} from {_STAGED}"
    )


def _register(running: FakeSnowflake, cursor: Any, bucket: str, keys: list[str]) -> None:
    """Register a view of all lines of these objects, each a JSON value."""
    names, numbers, lines = [], [], []
    for key in keys:
        data, _ = running.read(bucket, key)
        try:
            text = gzip.decompress(data).decode() if key.endswith(".gz") else data.decode()
            for number, line in enumerate(filter(None, text.split("\n")), start=1):
                json.loads(line)
                names.append(key)
                numbers.append(number)
                lines.append(line)
        except (ValueError, OSError, EOFError) as error:
            raise ProgrammingError(
                msg=f"Error parsing JSON: {error}\n File '{key}'", errno=100069, sqlstate="22P02"
            ) from None
    table = pa.table(
        {
            "file_name": pa.array(names, pa.string()),
            "file_row": pa.array(numbers, pa.int64()),
            "line": pa.array(lines, pa.json_(pa.large_utf8())),
        }
    )
    cursor._duck_conn.register(_STAGED, table)


def _list(running: FakeSnowflake, cursor: Any, listed: re.Match[str]) -> str:
    bucket, prefix = _place(cursor, listed["stage"])
    rows = ", ".join(
        f"('s3://{bucket}/{entry['Key']}', {entry['Size']}, '{entry['ETag'].strip(chr(34))}')"
        for entry in running.keys(bucket, prefix + listed["path"])
    )
    columns = 'as listed ("name", "size", "md5")'
    return (
        f"select * from (values {rows}) {columns}"
        if rows
        else f"select * from (values ('', 0, '')) {columns} where false"
    )


def _values(expressions: str) -> str:
    text = re.sub(r"metadata\$filename", "file_name", expressions, flags=re.IGNORECASE)
    text = re.sub(r"metadata\$file_row_number", "file_row", text, flags=re.IGNORECASE)
    return re.sub(r"\$1\b", "line", text)


def _parts(cursor: Any, stage: str) -> tuple[str, ...]:
    """Return a stage's database, schema and name."""
    connection = cursor._conn
    return tuple(stages.parts_from_var(stage, connection.database, connection.schema))


def _place(cursor: Any, stage: str) -> tuple[str, str]:
    """Return a stage's bucket and prefix."""
    database, schema, name = _parts(cursor, stage)
    found = cursor._duck_conn.execute(
        "select url from _fs_global._fs_information_schema._fs_stages "
        "where database_name = ? and schema_name = ? and name = ?",
        [database, schema, name],
    ).fetchall()
    if not found:
        raise stages.not_found_error(f"{database}.{schema}.{name}")
    parts = urlsplit(found[0][0])
    return parts.netloc, f"{parts.path.strip('/')}/".lstrip("/")
