"""Commands that need no Dagster do not import it: it takes seconds."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from amplitude_assets.cli.main import cli
from tests.support.http import serving
from tests.support.s3 import BUCKET, ENVIRONMENT, s3_server
from tests.support.snowflake import write_key

pytestmark = pytest.mark.integration

# Runs the command with each list of arguments, and prints which modules of Dagster are imported.
_PROGRAM = """
import json, sys
from amplitude_assets.cli.main import main

for arguments in json.loads(sys.argv[1]):
    sys.argv = ["amplitude-assets", *arguments]
    try:
        main()
    except SystemExit as ended:
        print("exit", ended.code)
    found = [name for name in sys.modules if name.split(".")[0].startswith("dagster")]
    print("imported", arguments, found[:3])
    if found:
        break
"""
COMMANDS = cli.list_commands(None)  # type: ignore[arg-type]
BAD_INPUT = [
    ["fly"],
    ["bootstrap", "gcp"],
    ["forget"],
    ["forget", "--user", "", "--yes"],
    *(
        [command, *arguments]
        for command in ("run", "status", "backfill", "verify", "rebuild")
        for arguments in (
            ["--hours", "3"],
            ["--last", "many"],
            ["--from", "2026-09-01"],
            ["--from", "2200-01-01T00"],
            ["now"],
        )
    ),
    *([command, "--port", "many"] for command in ("dev", "emulate")),
    *([command, "--json", "twice"] for command in ("status", "doctor")),
    *([command, "now"] for command in ("docs", "instance")),
]


def output_of(commands: Sequence[Sequence[str]], env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps(commands)],
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def assert_not_imported(output: str, commands: int) -> None:
    imported = [line for line in output.splitlines() if line.startswith("imported")]
    assert [line for line in imported if not line.endswith(" []")] == []
    assert len(imported) == commands


def test_help() -> None:
    pages = [["--help"], ["bootstrap", "aws", "--help"], ["bootstrap", "snowflake", "--help"]]
    pages += [[command, "--help"] for command in COMMANDS]
    output = output_of(pages)
    assert_not_imported(output, len(pages))
    assert output.count("Usage: ") == len(pages)


def test_rejected_input() -> None:
    output = output_of(BAD_INPUT)
    assert_not_imported(output, len(BAD_INPUT))
    assert output.count("exit 2\n") == len(BAD_INPUT)


@pytest.mark.parametrize(
    ("name", "value"),
    [("WAREHOUSE", "bigquery"), ("AMPLITUDE_REGION", "eruope"), ("PRIVACY_HASH", "no_such_column")],
)
def test_a_rejected_setting(name: str, value: str) -> None:
    commands = [[command] for command in COMMANDS if command not in ("bootstrap", "forget")]
    output = output_of(commands, {name: value})
    assert_not_imported(output, len(commands))
    assert output.count("exit 2\n") == len(commands)


@pytest.mark.parametrize("lake", ["folder", "S3"])
def test_status_and_doctor(lake: str) -> None:
    commands = [["status"], ["status", "--json"], ["doctor"], ["verify"]]
    env = {}
    with s3_server() if lake == "S3" else nullcontext() as server:
        if server is not None:
            env = {
                **ENVIRONMENT,
                "AWS_ENDPOINT_URL_S3": server.endpoint_url,
                "LAKE_URL": f"s3://{BUCKET}/lake",
            }
        output = output_of(commands, env)
    assert_not_imported(output, len(commands))
    assert output.count("exit 0\n") == 2  # of doctor and verify; status only returns


class _Forbids(BaseHTTPRequestHandler):
    """Refuse every request, as S3 and as Snowflake."""

    def do_POST(self) -> None:
        self.send_response(403)
        self.end_headers()

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST  # noqa: N815


@pytest.mark.timeout(180)
def test_status_and_doctor_with_snowflake(tmp_path: Path) -> None:
    commands = [["status"], ["status", "--json"], ["doctor"]]
    with serving(_Forbids) as origin:
        env = {
            **ENVIRONMENT,
            **{f"SNOWFLAKE_{name}": "x" for name in ("ACCOUNT", "USER", "ROLE")},
            **{f"SNOWFLAKE_{name}": "x" for name in ("WAREHOUSE", "DATABASE")},
            "WAREHOUSE": "snowflake",
            "LAKE_URL": "s3://lake/prefix",
            "AWS_ENDPOINT_URL_S3": origin,
            "SNOWFLAKE_PRIVATE_KEY_PATH": str(write_key(tmp_path / "key.p8", b"a passphrase")),
            "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": "a passphrase",
            "SNOWFLAKE_HOST": "127.0.0.1",
            "SNOWFLAKE_PORT": origin.rpartition(":")[2],
            "SNOWFLAKE_PROTOCOL": "http",
        }
        output = output_of(commands, env)
    assert_not_imported(output, len(commands))
    assert output.count("exit 1\n") == len(commands)
    assert re.search(r"^failed +login +Snowflake: .*403", output, re.MULTILINE), output


def test_emulate() -> None:
    arguments = json.dumps([["emulate", "--port", "0"]])
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        assert any(line.startswith("AMPLITUDE_PROJECT_ID=") for line in lines)  # it listens
        process.send_signal(signal.SIGTERM)
        assert_not_imported("".join(lines), 1)
    assert process.returncode == 0
