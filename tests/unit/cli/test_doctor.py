"""The findings of `doctor` about the embedded default, Amplitude's keys and S3.

`tests/snowflake/test_b_graph.py` has those about Snowflake.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner

from amplitude_assets.bootstrap.aws_documents import LakePlace, writer_policy
from amplitude_assets.cli.doctor import Finding, print_findings
from amplitude_assets.cli.main import cli
from amplitude_assets.emulator import API_KEY, SECRET_KEY, Emulator, World, WorldSettings, serve
from tests.support.aws_identity import PROFILE, identity_server
from tests.support.http import serving
from tests.support.s3 import (
    BUCKET,
    ENVIRONMENT,
    S3Server,
    enforced_policies,
    error_of,
    refusing,
    s3_server,
)

pytestmark = pytest.mark.integration

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


def run_doctor() -> tuple[dict[str, dict[str, str]], int]:
    """Return the findings by their link, and the exit status."""
    result = CliRunner().invoke(cli, ["doctor", "--json"])
    return {finding["link"]: finding for finding in json.loads(result.output)}, result.exit_code


def test_the_embedded_default_works_and_no_object_is_left_behind(tmp_path: Path) -> None:
    findings, code = run_doctor()
    assert {link: finding["state"] for link, finding in findings.items()} == dict.fromkeys(
        ("folder", "Amplitude", "lake", "warehouse", "Dagster"), "ok"
    )
    assert code == 0
    assert not [path for path in (tmp_path / "data" / "lake").rglob("*") if path.is_file()]
    lines = CliRunner().invoke(cli, ["doctor"])
    assert [line.split()[:2] for line in lines.output.splitlines()] == [
        ["ok", link] for link in findings
    ]


def test_the_findings_are_aligned(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # The longest and the shortest name of a link.
    findings = [Finding("integration", "failed", "^seen", "^fix"), Finding("lake", "ok", "^seen")]
    assert print_findings(iter(findings), as_json=False) == 1
    lines = capsys.readouterr().out.replace("-> ^", "^").splitlines()
    assert len(lines) == 3
    assert len({line.index("^") for line in lines}) == 1


def test_an_unresponsive_store_is_retried_once(
    bucket: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    requested: list[str] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        requested.append(request.path)
        request.send_error(503)

    methods = {f"do_{name}": answer for name in ("HEAD", "GET")}
    with serving(type("Busy", (BaseHTTPRequestHandler,), methods)) as origin:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", origin)
        monkeypatch.setenv("AMPLITUDE_S3_EXPORT_URL", "s3://export/p")
        monkeypatch.setenv("AMPLITUDE_PROJECT_ID", "1")
        findings, _ = run_doctor()
    assert [findings[link]["state"] for link in ("Amplitude", "lake")] == ["failed", "failed"]
    assert [sum("export" in path for path in requested), len(requested)] == [2, 6]


def test_a_bucket_works(bucket: S3Server) -> None:
    findings, code = run_doctor()
    assert findings["lake"]["seen"] == f"{LAKE}: could put, get, list and delete"
    assert (code, bucket.keys()) == (0, [])


@pytest.mark.parametrize(
    ("secret", "region", "expected"),
    [
        (SECRET_KEY, "us", "accepts the keys"),
        ("wrong", "us", "AMPLITUDE_SECRET_KEY and AMPLITUDE_REGION"),
    ],
)
def test_amplitudes_keys_are_checked(
    monkeypatch: pytest.MonkeyPatch, secret: str, region: str, expected: str
) -> None:
    with serve(World(WorldSettings(seed=1, events_per_hour=1, project_id=1))) as emulator:
        for name, value in {
            "AMPLITUDE_BASE_URL": emulator.base_url,
            "AMPLITUDE_API_KEY": API_KEY,
            "AMPLITUDE_SECRET_KEY": secret,
            "AMPLITUDE_PROJECT_ID": "1",
        }.items():
            monkeypatch.setenv(name, value)
        findings, code = run_doctor()
    amplitude = findings["Amplitude"]
    assert expected in amplitude["seen"]
    assert code == (0 if secret == SECRET_KEY else 1)
    assert ("AMPLITUDE_REGION=eu" in amplitude["fix"]) == (code == 1)
    assert "wrong" not in json.dumps(findings)


def set_keys(monkeypatch: pytest.MonkeyPatch, emulator: Emulator, project_id: int = 1) -> None:
    for name, value in {
        "AMPLITUDE_BASE_URL": emulator.base_url,
        "AMPLITUDE_API_KEY": API_KEY,
        "AMPLITUDE_SECRET_KEY": SECRET_KEY,
        "AMPLITUDE_PROJECT_ID": str(project_id),
    }.items():
        monkeypatch.setenv(name, value)


def test_keys_of_another_project_are_detected_by_their_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # So few events that the newest hour may have none; then the doctor requests a day.
    with serve(World(WorldSettings(seed=1, events_per_hour=5, project_id=1))) as emulator:
        set_keys(monkeypatch, emulator, project_id=2)
        findings, code = run_doctor()
    amplitude = findings["Amplitude"]
    assert (amplitude["state"], code) == ("failed", 1)
    assert amplitude["seen"] == "the keys belong to project 1, but AMPLITUDE_PROJECT_ID is 2"
    assert "AMPLITUDE_PROJECT_ID" in amplitude["fix"]


def test_keys_without_events_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(World(WorldSettings(seed=1, events_per_hour=0, project_id=1))) as emulator:
        set_keys(monkeypatch, emulator, project_id=2)
        findings, code = run_doctor()
        hour, day = emulator.requests
    assert (findings["Amplitude"]["state"], code) == ("warning", 0)
    assert "AMPLITUDE_PROJECT_ID 2 could not be verified" in findings["Amplitude"]["seen"]
    assert (hour.status, day.status) == (404, 404)
    first, last = (datetime.strptime(text, "%Y%m%dT%H") for text in (day.start, day.end))
    assert (hour.end, last - first) == (day.end, timedelta(hours=23))


@pytest.mark.parametrize(
    ("ahead", "state", "seen"),
    [
        (timedelta(), "ok", "the clock of this machine agrees with Amplitude's"),
        (timedelta(seconds=30), "ok", "s ahead of Amplitude's"),
        (timedelta(hours=3, seconds=30), "failed", "is 3 h 0 min ahead of Amplitude's"),
        (timedelta(minutes=-5), "warning", "behind Amplitude's"),
    ],
)
def test_the_clock_is_compared_with_amplitudes(
    monkeypatch: pytest.MonkeyPatch, ahead: timedelta, state: str, seen: str
) -> None:
    world = World(WorldSettings(seed=1, events_per_hour=60, project_id=1))
    with serve(world, clock=lambda: datetime.now(UTC) - ahead) as emulator:
        set_keys(monkeypatch, emulator)
        findings, code = run_doctor()
    assert findings["clock"]["state"] == state
    assert seen in findings["clock"]["seen"]
    assert code == (1 if state == "failed" else 0)


def test_a_misspelled_setting_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMPLITUDE_REGON", "eu")
    findings, code = run_doctor()
    assert (findings["settings"]["state"], code) == ("warning", 0)
    assert "AMPLITUDE_REGON" in findings["settings"]["seen"]
    assert "did you mean AMPLITUDE_REGION?" in findings["settings"]["seen"]


def test_a_bucket_that_denies_unencrypted_requests_is_reported_with_the_endpoint(
    bucket: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refusing(403, error_of("AccessDenied", "Access Denied")) as http_only:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", http_only.endpoint_url)
        lake = run_doctor()[0]["lake"]
    assert lake["state"] == "failed"
    assert lake["fix"].startswith("if the bucket denies requests without TLS")
    assert f"in AWS_ENDPOINT_URL_S3, which is {http_only.endpoint_url}" in lake["fix"]


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
    "no bucket": ({"LAKE_URL": "s3://none/p"}, "lake", "the bucket does not exist", "LAKE_URL"),
    "no bucket of the S3 export": (
        {"AMPLITUDE_S3_EXPORT_URL": "s3://none/p", "AMPLITUDE_PROJECT_ID": "1"},
        "Amplitude",
        "the bucket does not exist",
        "set AMPLITUDE_S3_EXPORT_URL to your bucket",
    ),
    "no S3 server": (
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
    "not a DuckDB file": ({"DUCKDB_PATH": "a-file"}, "warehouse", "a-file", "DUCKDB_PATH"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_link_is_reported_with_a_fix(
    bucket: S3Server, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    Path("a-file").write_text("not a database")
    settings, link, seen, fix = BROKEN[case]
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    findings, code = run_doctor()
    assert code == 1
    assert findings[link]["state"] == "failed"
    assert seen in findings[link]["seen"]
    assert fix in findings[link]["fix"]


@pytest.mark.parametrize(
    ("action", "verb"),
    [("Put", "write"), ("Get", "read"), ("Delete", "delete")],
)
def test_a_missing_permission_on_the_bucket_is_named(
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
        findings, code = run_doctor()
    finally:
        client.delete_bucket_policy(Bucket=BUCKET)
    assert (findings["lake"]["state"], code) == ("failed", 1)
    seen = findings["lake"]["seen"]
    assert seen.startswith(f"cannot {verb} {LAKE}/doctor/")
    assert seen.endswith(".json.gz: access denied: these credentials lack permission")
    assert "amplitude-assets-writer" in findings["lake"]["fix"]


def create_user(user: str, policy: dict[str, Any] | None, server: S3Server) -> dict[str, str]:
    """Create an AWS user with a policy, and return the environment with its keys."""
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


def test_aws_keys_are_checked(bucket: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = writer_policy(LakePlace(BUCKET, "some/prefix"))
    # moto checks the permission to delete on the bucket, AWS on each object.
    on_bucket = {
        "Effect": "Allow",
        "Action": "s3:DeleteObject",
        "Resource": f"arn:aws:s3:::{BUCKET}",
    }
    policy["Statement"].append(on_bucket)
    writer = create_user("writer", policy, bucket)
    nobody = create_user("nobody", None, bucket)

    def lake_finding(variables: dict[str, str]) -> tuple[str, str, str]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        lake = run_doctor()[0]["lake"]
        return lake["state"], lake["seen"].partition(".json.gz: ")[2] or lake["seen"], lake["fix"]

    with enforced_policies(bucket):
        assert lake_finding(writer) == ("ok", f"{LAKE}: could put, get, list and delete", "")
        state, seen, fix = lake_finding(nobody)
        assert (state, seen) == ("failed", "access denied: these credentials lack permission")
        assert "amplitude-assets-writer" in fix
        source = "; the keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        assert lake_finding({**writer, "AWS_SECRET_ACCESS_KEY": "wrong"})[:2] == (
            "failed",
            f"the secret key does not match the access key{source}",
        )
        state, seen, fix = lake_finding({**writer, "AWS_ACCESS_KEY_ID": "AKIANOBODY"})
        assert (state, seen) == ("failed", f"AWS does not know this access key{source}")
        assert fix.startswith("set both again")
        assert lake_finding({**writer, "LAKE_URL": f"s3://{BUCKET}/of/others"})[:2] == (
            "failed",
            "access denied: these credentials lack permission",
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
def test_a_bucket_of_another_region_is_reported_with_its_region(
    bucket: S3Server, monkeypatch: pytest.MonkeyPatch, status: int, error: str, region: str
) -> None:
    with refusing(status, error, region) as elsewhere:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", elsewhere.endpoint_url)
        lake = run_doctor()[0]["lake"]
    assert lake["state"] == "failed"
    assert "the bucket is in us-west-2, not in eu-central-1" in lake["seen"]
    assert lake["fix"] == "set AWS_REGION=us-west-2"


def test_an_expired_sign_in_is_reported_with_the_command_that_renews_it(
    bucket: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with identity_server() as identity:
        for name, value in identity.for_a_person(tmp_path, None).items():
            monkeypatch.setenv(name, value)
        lake = run_doctor()[0]["lake"]
    assert lake["seen"].endswith(".json.gz: not signed in to AWS, or the session has expired")
    assert lake["fix"] == f"run aws sso login --profile {PROFILE}"
