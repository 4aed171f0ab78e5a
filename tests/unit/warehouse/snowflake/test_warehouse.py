"""The Snowflake loader without a connection: names, settings and statements."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from snowflake.connector.errors import DatabaseError

from amplitude_assets.config import Settings, SettingsError
from amplitude_assets.connections.snowflake import open_snowflake
from amplitude_assets.hours import parse_hour
from amplitude_assets.lake.store import Lake
from amplitude_assets.warehouse.identifiers import identifier
from amplitude_assets.warehouse.snowflake.errors import explain
from amplitude_assets.warehouse.snowflake.session import statements_of
from amplitude_assets.warehouse.snowflake.warehouse import SnowflakeWarehouse
from tests.support.lake import manifest_of
from tests.support.snowflake import write_key

HOUR_5 = parse_hour("2026-09-01T05")
COMPLETE = {
    "lake_url": "s3://bucket/prefix",
    "warehouse": "snowflake",
    "snowflake_account": "ORG-ACCOUNT",
    "snowflake_user": "PIPELINE",
    "snowflake_role": "PIPELINE",
    "snowflake_warehouse": "WH",
    "snowflake_database": "AMPLITUDE",
}


def settings(**changes: Any) -> Settings:
    return Settings(**{**COMPLETE, **changes})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"snowflake_role": None}, "SNOWFLAKE_ROLE"),
        ({"snowflake_account": None, "snowflake_database": None}, "SNOWFLAKE_ACCOUNT"),
        ({"lake_url": "file:///a/folder"}, "LAKE_URL"),
        ({"snowflake_stage": "s; drop table t"}, "SNOWFLAKE_STAGE"),
        ({"snowflake_private_key_path": "no/such/key.p8"}, "SNOWFLAKE_PRIVATE_KEY_PATH"),
    ],
)
def test_an_invalid_setting_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        open_snowflake(settings(**changes))


def test_a_key_and_its_passphrase_go_together(tmp_path: Path) -> None:
    key = write_key(tmp_path / "key.p8", b"right")
    open_snowflake(
        settings(snowflake_private_key_path=key, snowflake_private_key_passphrase="right")
    )
    for passphrase in ("wrong", None):
        with pytest.raises(SettingsError, match="PASSPHRASE decrypts") as raised:
            open_snowflake(
                settings(
                    snowflake_private_key_path=key, snowflake_private_key_passphrase=passphrase
                )
            )
        assert "wrong" not in str(raised.value)


def test_without_a_key_the_machines_own_identity_signs_in() -> None:
    assert open_snowflake(settings()).place == "ORG-ACCOUNT/AMPLITUDE"


@pytest.mark.parametrize(
    ("number", "message", "setting"),
    [
        (250001, "Failed to connect to DB: a.b:443. JWT token is invalid.", "PRIVATE_KEY_PATH"),
        (250001, "Failed to connect. Role 'X' specified in the connect string", "SNOWFLAKE_ROLE"),
        (
            250001,
            "Failed to connect. Incorrect username or password",
            "SNOWFLAKE_USER does not",
        ),
        (250001, "IP 1.2.3.4 is not allowed to access Snowflake", "network policy"),
        (290404, "404 Not Found: post a.snowflakecomputing.com:443", "SNOWFLAKE_ACCOUNT"),
        (606, "No active warehouse selected", "SNOWFLAKE_WAREHOUSE"),
        (
            90073,
            "Warehouse 'W' cannot be resumed because resource monitor 'M' has exceeded its quota.",
            "--credit-quota",
        ),
        (
            3167,
            "Failure using stage area. Cause: [Error assuming AWS_ROLE. Please verify the role]",
            "bootstrap aws --apply",
        ),
    ],
)
def test_an_error_names_the_setting_to_check(number: int, message: str, setting: str) -> None:
    assert setting in explain(DatabaseError(msg=message, errno=number))


@pytest.mark.parametrize("name", ["a b", "1a", 'a"b', "a;b", "", "a.b.c.d", "ä", "a" * 300])
def test_names_that_need_quotes_are_rejected(name: str) -> None:
    with pytest.raises(ValueError, match="unquoted SQL name"):
        identifier(name, parts=3)


def test_parameters_have_the_connectors_format() -> None:
    (statement,) = statements_of("ledger")
    assert "%(project_id)s" in statement
    (copy,) = statements_of("copy_lines")
    assert "metadata$filename" in copy
    assert "$1" in copy


class _Recorder:
    """A fake connection that records statements, and returns rows only for counts."""

    sfqid = "query-1"

    def __init__(self, lines: dict[str, int]) -> None:
        self.statements: list[str] = []
        self._lines = lines
        self._answer: list[tuple[object, ...]] = []

    def cursor(self) -> "_Recorder":
        return self

    def execute(self, statement: str, _parameters: object = None) -> "_Recorder":
        self.statements.append(statement)
        if "information_schema.schemata" in statement:
            self._answer = [(1, 4, 2)]
        elif "group by source_file" in statement:
            self._answer = [(f"prefix/{key}", lines) for key, lines in self._lines.items()]
        elif "from incoming_hours\nleft join event_counts" in statement:
            self._answer = [(HOUR_5.replace(tzinfo=None), sum(self._lines.values()), 0)]
        else:
            self._answer = []
        return self

    def executemany(self, statement: str, _rows: object) -> "_Recorder":
        self.statements.append(statement)
        return self

    def fetchall(self) -> list[tuple[object, ...]]:
        return self._answer


def test_an_hour_with_too_many_files_for_one_copy_uses_several(tmp_path: Path) -> None:
    files = [[b'{"n": %d}' % number] for number in range(2001)]
    manifest, _ = manifest_of(HOUR_5, files, tmp_path)
    recorder = _Recorder({item.key: item.lines for item in manifest.objects})

    @contextmanager
    def connect(tag: str = "") -> Iterator[Any]:
        yield recorder

    warehouse = SnowflakeWarehouse(connect, stage="bronze.lake", place="here")
    report = warehouse.load(Lake(tmp_path.as_uri()), [manifest], "load-1")

    assert report.replaced == [HOUR_5]
    copies = [text for text in recorder.statements if text.startswith("copy into")]
    assert [text.count(".json.gz") for text in copies] == [1000, 1000, 1]
    begun = recorder.statements.index("begin")
    assert recorder.statements.index("commit") > begun
    assert max(recorder.statements.index(copy) for copy in copies) < begun
