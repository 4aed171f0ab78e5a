"""The report of the live tests names no account, user, bucket, role or key."""

from tests.support.live_report import LiveResult, render

ENVIRONMENT = {
    "SNOWFLAKE_ACCOUNT": "MYORG-MYACCOUNT",
    "SNOWFLAKE_USER": "SVC_AMPLITUDE",
    "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": "correct horse",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG",
    "LAKE_URL": "s3://my-bucket/test",
    "SNOWFLAKE_PORT": "44",
    "PATH": "/usr/bin",
}
FAILURE = """
SNOWFLAKE_ACCOUNT myorg-myaccount.eu-central-1.snowflakecomputing.com:443 refused svc_amplitude
passphrase 'correct horse', wJalrXUtnFEMI/K7MDENG, eyJhbGciOi.eyJpc3Mi.c2ln
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIIFHDBO
-----END ENCRYPTED PRIVATE KEY-----
COPY of s3://my-bucket/test/hour=1 as arn:aws:iam::123456789012:role/reader in 123456789012
/home/ada/project/tests: 003167 (42601): Error assuming AWS_ROLE, waited 44 seconds
"""


def test_a_report_has_the_error_but_no_secret() -> None:
    text = render(
        [LiveResult("test_a[live]", "passed", 1.0), LiveResult("test_b", "failed", 2.0, FAILURE)],
        ENVIRONMENT,
    )
    for private in (
        "myorg", "svc_amplitude", "horse", "wJalr", "MIIF", "my-bucket", "123456789012", "eyJ",
        "reader", "ada",
    ):  # fmt: skip
        assert private.lower() not in text.lower(), private
    assert "1 of 2 passed." in text
    assert "003167 (42601): Error assuming AWS_ROLE, waited 44 seconds" in text
    assert "| test_b | failed | 2.0 |" in text
