"""Snowflake's wire on loopback: fakesnow behind the real connector, and what it lacks for us.

fakesnow is DuckDB behind Snowflake's HTTP interface. It shows that our statements, transactions
and client code work; it cannot show what Snowflake alone knows: rights, warehouses, cost.
This shim is for tests only, and for fakesnow 0.12.1 as it is: it replaces names of its inside.
It adds:

- COPY INTO from an external stage on S3: METADATA$FILENAME and $1, FILES, and the load history by
  which Snowflake skips a file that a table has had already, until the table is truncated;
- SELECT and LIST on such a stage;
- temporary tables in a schema (they are plain tables here);
- FLATTEN of objects whose keys have a `$` or a dot in them, and functions such as IS_OBJECT;
- sessions that end when the connector closes them;
- sums of exact numbers (it makes them floats), and times that are NULL (it sends 1970);
- statements about accounts (roles, grants, warehouses, sessions) as no-ops, kept for tests;
- text with a `$` in it, which fakesnow takes for a session variable;
- CURRENT_ROLE and CURRENT_WAREHOUSE, and a stage's integration in DESC;
- a statement that fails where a test wants it to, run or not;
- an SQL error where fakesnow fails inside, since the connector repeats an HTTP error for minutes.
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
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from string import Template
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit
from uuid import uuid4

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
from starlette.responses import JSONResponse

_LITERAL = re.compile(r"('(?:[^'\\]|''|\\.)*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/)", re.DOTALL)
_ACCOUNT = re.compile(
    r"\s*(grant|revoke|use\s+(role|warehouse|secondary)|comment\s+on|alter\s+(session|user|account)"
    r"|(create(\s+or\s+replace)?|alter|drop)\s+(storage\s+integration|warehouse|role|user"
    r"|resource\s+monitor|integration)|drop\s+database)\b",
    re.IGNORECASE,
)
_MADE = re.compile(
    r"\s*create\s+(?P<replace>or\s+replace\s+)?(?P<kind>storage\s+integration|resource\s+monitor|\w+)"
    r"\s+(?:if\s+not\s+exists\s+)?(?P<name>\w+)",
    re.IGNORECASE,
)
_DROPPED = re.compile(
    r"\s*drop\s+(?P<kind>storage\s+integration|resource\s+monitor|\w+)\s+if\s+exists\s+(?P<name>\w+)",
    re.IGNORECASE,
)
_ALTERED = re.compile(
    r"\s*alter\s+(?P<kind>storage\s+integration|resource\s+monitor|user)\s+(?P<name>\w+)\s+set\b",
    re.IGNORECASE,
)
_LASTING = re.compile(r"\s*create\s+(?:database|schema)\s+if\s+not\s+exists\s+([\w.]+)", re.I)
_STAGE_CHANGE = re.compile(
    r"\s*(alter\s+stage|drop\s+stage\s+if\s+exists)\s+([\w.]+)(?:\s+set\s+url\s*=\s*'([^']+)')?",
    re.IGNORECASE,
)
_STAGE_MADE = re.compile(
    r"\s*create\s+stage\s+(?:if\s+not\s+exists\s+)?([\w.]+).*?storage_integration\s*=\s*(\w+)",
    re.IGNORECASE | re.DOTALL,
)
_CURRENT = re.compile(r"\s*select\s+current_(role|warehouse)\(\)", re.IGNORECASE)
_DESCRIBED = re.compile(r"\s*desc\s+(integration|stage|user)\s+([\w.]+)", re.IGNORECASE)
_MONITOR = re.compile(r"\s*show\s+resource\s+monitors\s+like\s+'(\w+)'", re.IGNORECASE)
_PROPERTY = re.compile(
    r"(storage_\w+|credit_quota|rsa_public_key)\s*=\s*\(?'?([^'\s;]*)", re.IGNORECASE
)
SNOWFLAKE_USER_ARN = "arn:aws:iam::123456789001:user/abc1-b-self1234"
_MANAGED = re.compile(
    r"\s+with\s+managed\s+access(\s+data_retention_time_in_days\s*=\s*\d+)?", re.IGNORECASE
)
_TEMPORARY = re.compile(
    r"(\s*create(?:\s+or\s+replace)?)\s+temp(?:orary)?\s+(table|view)", re.IGNORECASE
)
_EMPTIED = re.compile(
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
    # Snowflake keeps the keys of an object sorted.
    "to_json(v) as cast(cast(cast(v as variant) as json) as varchar)",
)
# Its FLATTEN takes a key for a path, so `$price` and `a.b` fail, and fails on what is no container.
_FLATTEN = Template(
    macros.FS_FLATTEN.template.replace(
        "TO_JSON(input) -> x",
        "json_extract(TO_JSON(input), '/' || replace(replace(x, '~', '~0'), '/', '~1'))",
    ).replace("CAST(TO_JSON(input) AS JSON[])", "TRY_CAST(TO_JSON(input) AS JSON[])")
)


@dataclass
class Fault:
    """An error in place of the answer to one statement, `after` so many: it was run, or not."""

    after: int
    runs: bool
    statement: str | None = None

    def takes(self, statement: str) -> bool:
        """Say whether this is the statement to fail, and count it if not."""
        if self.statement is not None:
            return False
        self.after -= 1
        if self.after < 0:
            self.statement = statement
        return self.after < 0


@dataclass
class FakeSnowflake:
    """A running server, and what passed through it that DuckDB has no place for."""

    s3: Any
    port: int = 0
    statements: list[str] = field(default_factory=list)
    account_statements: list[str] = field(default_factory=list)
    loaded: dict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    account_objects: dict[str, dict[str, str]] = field(default_factory=dict)
    lasting: set[str] = field(default_factory=set)
    fault: Fault | None = None
    current: dict[str, str | None] = field(
        default_factory=lambda: {"role": "LOADER", "warehouse": "LOAD_WH"}
    )
    integrations: dict[tuple[str, ...], str] = field(default_factory=dict)

    def read(self, bucket: str, key: str) -> tuple[bytes, str]:
        """Return an object's bytes and its version. Raises the error that Snowflake would."""
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
    """Run the server on a free port, empty; `s3` is the boto3 client its stages are read with."""
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
        _serving() as running.port,
    ):
        yield running


@contextmanager
def _serving() -> Iterator[int]:
    """Serve on a free port of loopback, in a thread."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(fakesnow.server.app, log_level="critical", access_log=False)
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
    """Parse as fakesnow does, but for what its grammar lacks: that is a query when it is run."""
    return dialect.parse_one("select 1" if _DESCRIBED.match(sql) else sql)


def _executing(running: FakeSnowflake) -> Any:
    original = FakeSnowflakeCursor.execute

    @wraps(original)
    def execute(cursor: Any, command: str, params: Any = None, *args: Any, **kwargs: Any) -> Any:
        running.statements.append(command)
        fails = running.fault is not None and running.fault.takes(command)
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

    return execute


def _rewritten(running: FakeSnowflake, cursor: Any, command: str) -> str:
    """Return a statement as fakesnow can run it."""
    if emptied := _EMPTIED.match(command):
        running.loaded.pop(emptied[1].lower(), None)
    if described := _DESCRIBED.match(command):
        return _described(running, cursor, *described.groups())
    if listed := _LIST.match(command):
        return _list(running, cursor, listed)
    if staged := _FROM_STAGE.match(command):
        bucket, prefix = _place(cursor, staged["stage"])
        keys = [entry["Key"] for entry in running.keys(bucket, prefix + staged["path"])]
        _register(running, cursor, bucket, keys)
        return f"select {_values(staged['values'])} from {_STAGED}"
    if told := _told(running, command):
        return told
    if made := _STAGE_MADE.match(command):
        running.integrations[_parts(cursor, made[1])] = made[2].upper()
    answer = _answer_without_running(running, cursor, command)
    if answer is not None:
        return f"select '{answer}' as status"
    command = _MANAGED.sub("", command)
    # DuckDB has a function of that name, for another thing.
    command = re.sub(r"\bto_array\(", "fs_to_array(", command)
    return _TEMPORARY.sub(r"\1 \2", command)


def _told(running: FakeSnowflake, command: str) -> str | None:
    """Return a query for what only Snowflake knows of itself, or None."""
    if current := _CURRENT.match(command):
        value = running.current[current[1].lower()]
        return f"select '{value}'" if value else "select null"
    if monitor := _MONITOR.match(command):
        quota = running.account_objects[f"resource monitor {monitor[1].upper()}"]["CREDIT_QUOTA"]
        return f"select '{monitor[1]}' as \"name\", '{quota}.00' as \"credit_quota\""
    return None


def _answer_without_running(running: FakeSnowflake, cursor: Any, command: str) -> str | None:
    """Return Snowflake's answer to a statement that fakesnow is not to see, or None."""
    if changed := _STAGE_CHANGE.match(command):
        return _change_stage(cursor, *changed.groups())
    if lasting := _LASTING.match(command):
        if lasting[1].upper() in running.lasting:
            return f"{lasting[1]} already exists, statement succeeded."
        running.lasting.add(lasting[1].upper())
    return _account_answer(running, command) if _ACCOUNT.match(command) else None


def _account_answer(running: FakeSnowflake, command: str) -> str:
    """Keep what a statement about the account does, and answer as Snowflake does."""
    running.account_statements.append(command)
    if made := _MADE.match(command):
        name = f"{' '.join(made['kind'].lower().split())} {made['name'].upper()}"
        if name in running.account_objects and not made["replace"]:
            return f"{made['name']} already exists, statement succeeded."
        # A new integration has a new external id, also one that replaces another.
        running.account_objects[name] = {
            "STORAGE_AWS_IAM_USER_ARN": SNOWFLAKE_USER_ARN,
            "STORAGE_AWS_EXTERNAL_ID": f"ABC_SFCRole={uuid4().hex}",
            **_properties(command),
        }
        return f"{made['name']} successfully created."
    if dropped := _DROPPED.match(command):
        name = f"{' '.join(dropped['kind'].lower().split())} {dropped['name'].upper()}"
        if running.account_objects.pop(name, None) is None:
            return "Drop statement executed successfully (already dropped)."
        return f"{dropped['name']} successfully dropped."
    if altered := _ALTERED.match(command):
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
    """Turn what fails inside of fakesnow into an SQL error."""
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
    """Give a login the token without which the connector cannot end its session."""
    data = content.get("data")
    if isinstance(data, dict) and "token" in data:
        data["masterToken"] = data["token"]
    return JSONResponse(content, **arguments)


def _with_nulls(original: Any) -> Any:
    """Let times that are NULL be NULL on the wire; fakesnow sends them as 1970."""

    def convert(times: pa.ChunkedArray) -> pa.Array:
        whole = times.combine_chunks()
        filled = original(whole.fill_null(datetime(1970, 1, 1)))
        fields = list(filled.type)
        values = [filled.field(place) for place in range(len(fields))]
        return pa.StructArray.from_arrays(values, fields=fields, mask=whole.is_null())

    return convert


def _inlining() -> Any:
    """Inline variables outside of text, names and comments."""
    original = Variables.inline_variables

    def inline_variables(variables: Variables, sql: str) -> str:
        parts = _LITERAL.split(sql)
        return "".join(
            part if place % 2 else original(variables, part) for place, part in enumerate(parts)
        )

    return inline_variables


def _copy(running: FakeSnowflake, cursor: Any, copy: re.Match[str]) -> str:
    """Return the insert that a COPY is, of the files that its table has not had."""
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
    """Let the session see every line of some objects, each a JSON value, as a view."""
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
