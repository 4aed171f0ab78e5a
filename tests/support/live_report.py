"""A report of the tests on a live account that can be attached to an issue: it has no secrets.

The tests see account, user, bucket and role names in settings and in errors. Values of these
settings, ARNs, AWS account ids, hosts and keys are replaced by what they are.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from platform import platform, python_version

FILE = "artifacts/snowflake-live-report.md"
_PRIVATE = ("SNOWFLAKE_", "AWS_", "AMPLITUDE_", "LAKE_URL", "ALERT_", "PRIVACY_")
_SHORTEST = 3  # shorter values, such as a port's, say nothing and occur everywhere
_PATTERNS = (
    (re.compile(r"-----BEGIN.*?-----END[^-]*-----", re.S), "<key>"),
    (re.compile(r"arn:aws[\w-]*:[^\s'\"]+"), "<arn>"),
    (re.compile(r"s3://[^\s'\"]+"), "<s3 url>"),
    (re.compile(r"[\w.-]+\.(snowflakecomputing|amazonaws)\.\w+\S*"), "<host>"),
    (re.compile(r"\beyJ[\w-]+\.[\w.-]+"), "<token>"),
    (re.compile(r"\b\d{12}\b"), "<aws account>"),
    (re.compile(r"/(?:home|Users|root)/\S+"), "<path>"),
)
_PACKAGES = (
    "amplitude-assets",
    "snowflake-connector-python",
    "dbt-core",
    "dbt-snowflake",
    "dagster",
)


@dataclass(frozen=True)
class LiveResult:
    """The outcome of a test, and the end of its failure's text."""

    name: str
    outcome: str
    seconds: float
    failure: str = ""


def scrubbed(text: str, environment: Mapping[str, str]) -> str:
    """Return text without the values of private settings, and what looks like a secret."""
    private = {
        value: name
        for name, value in environment.items()
        if name.startswith(_PRIVATE) and len(value) >= _SHORTEST
    }
    for value in sorted(private, key=len, reverse=True):
        text = re.sub(re.escape(value), f"<{private[value]}>", text, flags=re.IGNORECASE)
    for pattern, name in _PATTERNS:
        text = pattern.sub(name, text)
    return text


def render(results: Sequence[LiveResult], environment: Mapping[str, str]) -> str:
    """Return the report in Markdown."""
    rows = [f"| {one.name} | {one.outcome} | {one.seconds:.1f} |" for one in results]
    failures = [
        f"### {one.name}\n\n```\n{one.failure.strip()}\n```\n" for one in results if one.failure
    ]
    versions = [f"- {name} {version(name)}" for name in _PACKAGES]
    passed = sum(one.outcome == "passed" for one in results)
    text = "\n".join(
        [
            "# Tests on a live Snowflake account",
            "",
            f"{passed} of {len(results)} passed.",
            "",
            f"- Python {python_version()}, {platform()}",
            *versions,
            "",
            "| test | outcome | seconds |",
            "| --- | --- | --: |",
            *rows,
            "",
            *failures,
        ]
    )
    return scrubbed(text, environment)
