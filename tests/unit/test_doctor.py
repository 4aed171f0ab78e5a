"""`doctor` on the embedded default, Amplitude's keys and S3: what it finds, and the words for it.

Its links to Snowflake are tried in `tests/snowflake/test_b_graph.py`.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from amplitude_assets.cli import cli
from amplitude_assets.emulator import API_KEY, SECRET_KEY, World, WorldSettings, serve
from tests.support.s3 import BUCKET, ENVIRONMENT, S3Server, s3_server

LAKE = f"s3://{BUCKET}/some/prefix"


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    for name, value in {
        **ENVIRONMENT,
        "AWS_ENDPOINT_URL_S3": s3.endpoint_url,
        "LAKE_URL": LAKE,
    }.items():
        monkeypatch.setenv(name, value)
    return s3


def examined() -> tuple[dict[str, dict[str, str]], int]:
    """Return the findings by their link, and the exit status."""
    result = CliRunner().invoke(cli, ["doctor", "--json"])
    return {finding["link"]: finding for finding in json.loads(result.output)}, result.exit_code


def test_the_embedded_default_is_well_and_nothing_is_left_of_the_visit(tmp_path: Path) -> None:
    findings, code = examined()
    assert {link: finding["state"] for link, finding in findings.items()} == dict.fromkeys(
        ("folder", "Amplitude", "lake", "warehouse"), "ok"
    )
    assert code == 0
    assert not [path for path in (tmp_path / "data" / "lake").rglob("*") if path.is_file()]
    told = CliRunner().invoke(cli, ["doctor"])
    assert [line.split()[:2] for line in told.output.splitlines()] == [
        ["ok", link] for link in findings
    ]


def test_a_bucket_is_well(bucket: S3Server) -> None:
    findings, code = examined()
    assert findings["lake"]["seen"] == f"{LAKE}: could put, get, list and delete"
    assert (code, bucket.keys()) == (0, [])


@pytest.mark.parametrize(
    ("secret", "region", "said"),
    [
        (SECRET_KEY, "us", "takes the keys"),
        ("wrong", "us", "AMPLITUDE_SECRET_KEY and AMPLITUDE_REGION"),
    ],
)
def test_the_keys_of_amplitude(
    monkeypatch: pytest.MonkeyPatch, secret: str, region: str, said: str
) -> None:
    with serve(World(WorldSettings(seed=1, events_per_hour=1, project_id=1))) as emulator:
        for name, value in {
            "AMPLITUDE_BASE_URL": emulator.base_url,
            "AMPLITUDE_API_KEY": API_KEY,
            "AMPLITUDE_SECRET_KEY": secret,
            "AMPLITUDE_PROJECT_ID": "1",
        }.items():
            monkeypatch.setenv(name, value)
        findings, code = examined()
    amplitude = findings["Amplitude"]
    assert said in amplitude["seen"]
    assert code == (0 if secret == SECRET_KEY else 1)
    assert ("AMPLITUDE_REGION=eu" in amplitude["fix"]) == (code == 1)
    assert "wrong" not in json.dumps(findings)


BROKEN = {
    "amplitude cannot be reached": (
        {
            "AMPLITUDE_BASE_URL": "http://127.0.0.1:9",
            "AMPLITUDE_API_KEY": "k",
            "AMPLITUDE_SECRET_KEY": "s",
            "AMPLITUDE_PROJECT_ID": "1",
        },
        "Amplitude",
        "cannot connect to 127.0.0.1:9",
        "network",
    ),
    "no files of the S3 export": (
        {"AMPLITUDE_S3_EXPORT_URL": "file:///tmp/no-such-export", "AMPLITUDE_PROJECT_ID": "1"},
        "Amplitude",
        "has no file of project 1",
        "AMPLITUDE_S3_EXPORT_URL",
    ),
    "no bucket": ({"LAKE_URL": "s3://none/p"}, "lake", "there is no such bucket", "LAKE_URL"),
    "no keys of AWS": (
        {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
         "AWS_EC2_METADATA_DISABLED": "true"}, "lake", "no AWS credentials were found", "AWS",
    ),
    "no such profile": ({"AWS_PROFILE": "nobody"}, "lake", "nobody", "AWS"),
    "folder is a file": ({"DATA_DIR": "a-file"}, "folder", "cannot write in", "DATA_DIR"),
    "DuckDB file is none": ({"DUCKDB_PATH": "a-file"}, "warehouse", "a-file", "DUCKDB_PATH"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_named_with_what_to_do(
    bucket: S3Server, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    Path("a-file").write_text("not a database")
    settings, link, seen, fix = BROKEN[case]
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    findings, code = examined()
    assert code == 1
    assert findings[link]["state"] == "failed"
    assert seen in findings[link]["seen"]
    assert fix in findings[link]["fix"]


@pytest.mark.parametrize(
    ("action", "verb"),
    [("Put", "write"), ("Get", "read"), ("Delete", "delete")],
)
def test_a_right_that_lacks_in_the_bucket_is_named(
    bucket: S3Server, action: str, verb: str
) -> None:
    client = bucket.resource.get_client()
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": f"s3:{action}Object",
        "Resource": f"arn:aws:s3:::{BUCKET}/*",
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    client.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
    try:
        findings, code = examined()
    finally:
        client.delete_bucket_policy(Bucket=BUCKET)
    assert (findings["lake"]["state"], code) == ("failed", 1)
    seen = findings["lake"]["seen"]
    assert seen.startswith(f"cannot {verb} {LAKE}/doctor/")
    assert seen.endswith(".json.gz: access denied: these credentials lack the right")
    assert "amplitude-assets-writer" in findings["lake"]["fix"]
