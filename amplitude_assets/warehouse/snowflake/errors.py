"""Convert Snowflake's errors to WarehouseError, with advice on what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from amplitude_assets.warehouse.base import WarehouseError

if TYPE_CHECKING:
    from snowflake.connector.errors import Error

NO_WAREHOUSE = "SNOWFLAKE_WAREHOUSE does not exist, or SNOWFLAKE_ROLE lacks USAGE on it"
NO_DATABASE = "SNOWFLAKE_DATABASE does not exist, or SNOWFLAKE_ROLE lacks USAGE on it"
_NO_OBJECT = (
    "it does not exist, or SNOWFLAKE_ROLE lacks access; bootstrap snowflake creates and grants it"
)
_NOT_AN_ACCOUNT = "SNOWFLAKE_ACCOUNT must be ORGANIZATION-ACCOUNT"

# By Snowflake's error number. 250001 is the connector's own, for any failed login.
_ADVICE = {
    606: NO_WAREHOUSE,
    2003: _NO_OBJECT,
    2043: _NO_OBJECT,
    3001: "SNOWFLAKE_ROLE lacks a privilege; bootstrap snowflake grants all that are needed",
    90105: NO_DATABASE,
    90106: NO_DATABASE,
    250001: (
        "check SNOWFLAKE_ACCOUNT (ORGANIZATION-ACCOUNT), SNOWFLAKE_USER, and that the user's "
        "RSA_PUBLIC_KEY matches SNOWFLAKE_PRIVATE_KEY_PATH"
    ),
    290403: _NOT_AN_ACCOUNT,
    290404: _NOT_AN_ACCOUNT,
    250003: "Snowflake cannot be reached; check SNOWFLAKE_ACCOUNT and the network",
    390144: (
        "the user's RSA_PUBLIC_KEY does not match SNOWFLAKE_PRIVATE_KEY_PATH, or "
        "SNOWFLAKE_ACCOUNT is not of the form ORGANIZATION-ACCOUNT"
    ),
    91003: "Snowflake cannot read the bucket; bootstrap aws --apply completes the role's trust",
}
# Matched by text: their numbers are shared with other errors, or are not documented.
_ADVICE_BY_TEXT = {
    "has exceeded its quota": (
        "the month's credits are used up; amplitude-assets costs shows by what, and "
        "bootstrap snowflake --apply --credit-quota N raises the quota"
    ),
    "error assuming aws_role": (
        "the role in AWS does not trust Snowflake's user and external id; bootstrap aws --apply, "
        "then bootstrap snowflake --apply, completes the trust"
    ),
    "account_usage": (
        "the role may not read the account's usage; bootstrap snowflake --apply --usage-access "
        "grants it"
    ),
}
_FILE_NOT_FOUND = 91016
# Failed logins share one number; only the message gives the reason.
_LOGIN = 250001
_LOGIN_ADVICE = {
    "role": "SNOWFLAKE_ROLE is not granted to SNOWFLAKE_USER; bootstrap snowflake grants it",
    "incorrect username": "SNOWFLAKE_USER does not exist; bootstrap snowflake creates it",
    "not allowed to access": "a network policy of the account blocks this machine",
}


def explain(error: "Error") -> str:
    """Return Snowflake's message in one line, with advice for known errors."""
    message = " ".join((error.msg or type(error).__name__).split()).rstrip(".")
    advice = _ADVICE.get(error.errno or 0)
    if error.errno == _LOGIN:
        known = (words for reason, words in _LOGIN_ADVICE.items() if reason in message.lower())
        advice = next(known, advice)
    by_text = (words for text, words in _ADVICE_BY_TEXT.items() if text in message.lower())
    advice = next(by_text, advice)
    return f"Snowflake: {message}" + (f". {advice[0].upper()}{advice[1:]}" if advice else "")


@contextmanager
def snowflake_errors_explained() -> Iterator[None]:
    """Convert the connector's errors in the block into WarehouseError."""
    from snowflake.connector.errors import Error

    try:
        yield
    except Error as error:
        raise WarehouseError(explain(error)) from None


def is_data_error(error: "Error") -> bool:
    """Return whether a COPY failed because of a missing file or an unreadable line.

    Snowflake's numbers for data errors start at 100000, such as 100069: invalid JSON.
    """
    number = error.errno or 0
    return number == _FILE_NOT_FOUND or 100_000 <= number < 101_000
