"""`doctor` on the embedded default, Amplitude's keys and S3: what it finds, and the words for it.

Its links to Snowflake are tried in `tests/snowflake/test_b_graph.py`.
"""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner

from amplitude_assets.bootstrap.aws_documents import LakePlace, writer_policy
from amplitude_assets.cli import cli
from amplitude_assets.doctor import Finding, print_findings
from amplitude_assets.emulator import API_KEY, SECRET_KEY, World, WorldSettings, serve
from tests.support.aws_identity import PROFILE, identity_server
from tests.support.http import serving
from tests.support.s3 import (
    BUCKET,
    ENVIRONMENT,
    S3Server,
    error_of,
    refusing,
    s3_server,
    weighing_rights,
)

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


def test_what_is_seen_of_every_link_stands_in_one_column(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # The longest name of a link, and the shortest.
    findings = [Finding("integration", "failed", "^seen", "^fix"), Finding("lake", "ok", "^seen")]
    assert print_findings(iter(findings), as_json=False) == 1
    told = capsys.readouterr().out.replace("-> ^", "^").splitlines()
    assert len(told) == 3
    assert len({line.index("^") for line in told}) == 1


def test_a_place_that_does_not_answer_is_asked_twice(
    bucket: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        request.send_error(503)

    methods = {f"do_{name}": answer for name in ("HEAD", "GET")}
    with serving(type("Busy", (BaseHTTPRequestHandler,), methods)) as origin:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", origin)
        monkeypatch.setenv("AMPLITUDE_S3_EXPORT_URL", "s3://export/p")
        monkeypatch.setenv("AMPLITUDE_PROJECT_ID", "1")
        findings, _ = examined()
    assert [findings[link]["state"] for link in ("Amplitude", "lake")] == ["failed", "failed"]
    assert [sum("export" in path for path in asked), len(asked)] == [2, 6]


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
    "no bucket of the S3 export": (
        {"AMPLITUDE_S3_EXPORT_URL": "s3://none/p", "AMPLITUDE_PROJECT_ID": "1"},
        "Amplitude",
        "there is no such bucket",
        "your bucket's name in AMPLITUDE_S3_EXPORT_URL",
    ),
    "no S3 there": (
        {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"},
        "lake",
        "http://127.0.0.1:9 cannot be reached",
        "AWS_ENDPOINT_URL_S3",
    ),
    "no such region": (
        {"AWS_REGION": "eu central"},
        "lake",
        "region_name 'eu central'",
        "AWS_REGION",
    ),
    "no keys of AWS": (
        {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
         "AWS_EC2_METADATA_DISABLED": "true"}, "lake", "no AWS credentials were found", "AWS",
    ),
    "no such profile": ({"AWS_PROFILE": "nobody"}, "lake", "nobody", "AWS_PROFILE"),
    "no such profile, for the S3 export": (
        {
            "AWS_PROFILE": "nobody",
            "AMPLITUDE_S3_EXPORT_URL": "s3://export/p",
            "AMPLITUDE_PROJECT_ID": "1",
        },
        "Amplitude",
        "cannot use AMPLITUDE_S3_EXPORT_URL=s3://export/p",
        "AWS_PROFILE",
    ),
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


def keys_of(user: str, policy: dict[str, Any] | None, server: S3Server) -> dict[str, str]:
    """Make a user of AWS who may do what a policy says, and return what it signs in with."""
    client = boto3.client(
        "iam",
        endpoint_url=server.endpoint_url,
        aws_access_key_id="administrator",
        aws_secret_access_key="any",
    )
    client.create_user(UserName=user)
    if policy:
        document = json.dumps(policy)
        client.put_user_policy(UserName=user, PolicyName="all", PolicyDocument=document)
    keys = client.create_access_key(UserName=user)["AccessKey"]
    return {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
    }


def test_what_aws_says_of_the_keys(bucket: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = writer_policy(LakePlace(BUCKET, "some/prefix"))
    # The stand-in weighs a delete against the bucket, and AWS against each object.
    on_bucket = {
        "Effect": "Allow",
        "Action": "s3:DeleteObject",
        "Resource": f"arn:aws:s3:::{BUCKET}",
    }
    policy["Statement"].append(on_bucket)
    writer = keys_of("writer", policy, bucket)
    nobody = keys_of("nobody", None, bucket)

    def tried(variables: dict[str, str]) -> tuple[str, str, str]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        lake = examined()[0]["lake"]
        return lake["state"], lake["seen"].partition(".json.gz: ")[2] or lake["seen"], lake["fix"]

    with weighing_rights(bucket):
        assert tried(writer) == ("ok", f"{LAKE}: could put, get, list and delete", "")
        state, seen, fix = tried(nobody)
        assert (state, seen) == ("failed", "access denied: these credentials lack the right")
        assert "amplitude-assets-writer" in fix
        source = "; the keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        assert tried({**writer, "AWS_SECRET_ACCESS_KEY": "wrong"})[:2] == (
            "failed",
            f"the secret key is not the one of the access key{source}",
        )
        state, seen, fix = tried({**writer, "AWS_ACCESS_KEY_ID": "AKIANOBODY"})
        assert (state, seen) == ("failed", f"AWS does not know this access key{source}")
        assert fix.startswith("set both anew")
        assert tried({**writer, "LAKE_URL": f"s3://{BUCKET}/of/others"})[:2] == (
            "failed",
            "access denied: these credentials lack the right",
        )


@pytest.mark.parametrize(
    ("status", "error", "region"),
    [
        (301, error_of("PermanentRedirect", "must be addressed using the endpoint"), "us-west-2"),
        (
            400,
            error_of(
                "AuthorizationHeaderMalformed",
                "The authorization header is malformed; the region 'eu-central-1' is wrong; "
                "expecting 'us-west-2'",
            ),
            "",
        ),
    ],
)
def test_a_bucket_of_another_region_is_told_with_its_region(
    bucket: S3Server, monkeypatch: pytest.MonkeyPatch, status: int, error: str, region: str
) -> None:
    with refusing(status, error, region) as elsewhere:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", elsewhere.endpoint_url)
        lake = examined()[0]["lake"]
    assert lake["state"] == "failed"
    assert "the bucket is in us-west-2, and not in eu-central-1" in lake["seen"]
    assert lake["fix"] == "set AWS_REGION=us-west-2"


def test_who_is_no_longer_signed_in_is_told_the_command(
    bucket: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with identity_server() as identity:
        for name, value in identity.for_a_person(tmp_path, None).items():
            monkeypatch.setenv(name, value)
        lake = examined()[0]["lake"]
    assert lake["seen"].endswith(".json.gz: not signed in to AWS, or no longer")
    assert lake["fix"] == f"run aws sso login --profile {PROFILE}"
