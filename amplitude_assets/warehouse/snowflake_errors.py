"""Snowflake's errors in words that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from amplitude_assets.warehouse.base import WarehouseError

if TYPE_CHECKING:
    from snowflake.connector.errors import Error

# By Snowflake's error number. 250001 is the connector's own, around any refused login.
_ADVICE = {
    606: "SNOWFLAKE_WAREHOUSE names none that SNOWFLAKE_ROLE may use",
    2003: "it is not there, or SNOWFLAKE_ROLE may not see it; bootstrap snowflake makes and grants",
    2043: "it is not there, or SNOWFLAKE_ROLE may not see it; bootstrap snowflake makes and grants",
    3001: "SNOWFLAKE_ROLE lacks a right; bootstrap snowflake grants what is needed",
    90105: "SNOWFLAKE_DATABASE names none that SNOWFLAKE_ROLE may use",
    90106: "SNOWFLAKE_DATABASE names none that SNOWFLAKE_ROLE may use",
    250001: (
        "look at SNOWFLAKE_ACCOUNT (ORGANISATION-ACCOUNT), SNOWFLAKE_USER, and that its "
        "RSA_PUBLIC_KEY is the other half of SNOWFLAKE_PRIVATE_KEY_PATH"
    ),
    290403: "SNOWFLAKE_ACCOUNT is no account's name; it is written ORGANISATION-ACCOUNT",
    290404: "SNOWFLAKE_ACCOUNT is no account's name; it is written ORGANISATION-ACCOUNT",
    250003: "it cannot be reached; look at SNOWFLAKE_ACCOUNT and at the network",
    390144: (
        "its RSA_PUBLIC_KEY is not the other half of SNOWFLAKE_PRIVATE_KEY_PATH, or "
        "SNOWFLAKE_ACCOUNT is not written ORGANISATION-ACCOUNT"
    ),
    91003: "Snowflake may not read the bucket; bootstrap aws --apply completes the role's trust",
}
_FILE_IS_GONE = 91016
# A refused login has one number whatever the reason, and tells it in words.
_LOGIN = 250001
_LOGIN_ADVICE = {
    "role": "SNOWFLAKE_ROLE names none that SNOWFLAKE_USER has; bootstrap snowflake grants it",
    "incorrect username": "SNOWFLAKE_USER is not there; bootstrap snowflake makes it",
    "not allowed to access": "a network policy of the account does not let this machine in",
}


def explain(error: "Error") -> str:
    """Return one line: what Snowflake said, and what to look at when that is known."""
    said = " ".join((error.msg or type(error).__name__).split()).rstrip(".")
    advice = _ADVICE.get(error.errno or 0)
    if error.errno == _LOGIN:
        known = (words for reason, words in _LOGIN_ADVICE.items() if reason in said.lower())
        advice = next(known, advice)
    return f"Snowflake: {said}" + (f". {advice[0].upper()}{advice[1:]}" if advice else "")


@contextmanager
def explained() -> Iterator[None]:
    """Turn what Snowflake refuses into WarehouseError."""
    from snowflake.connector.errors import Error

    try:
        yield
    except Error as error:
        raise WarehouseError(explain(error)) from None


def is_fault_of_the_data(error: "Error") -> bool:
    """Say whether a COPY failed for a file that is gone or a line that cannot be read.

    Snowflake numbers the errors of data from 100000 on, such as 100069: no valid JSON.
    """
    number = error.errno or 0
    return number == _FILE_IS_GONE or 100_000 <= number < 101_000
