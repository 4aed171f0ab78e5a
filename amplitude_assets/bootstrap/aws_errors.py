"""Read AWS resources that may not exist, and convert AWS errors to SetupError."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from amplitude_assets.bootstrap.steps import SetupError
from amplitude_assets.lake.s3_errors import diagnose_sign_in


def read_if_exists(
    read: Callable[[], Any], what: str = "cannot read the current state"
) -> Any | None:
    """Return the result of `read`, or None when AWS responds 404.

    Raises SetupError for other errors; its message begins with `what`.
    """
    from botocore.exceptions import ClientError

    with setup_errors(what):
        try:
            return read()
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise


@contextmanager
def setup_errors(what: str) -> Iterator[None]:
    """Convert AWS errors in the block into SetupError, whose message begins with `what`.

    For an error about this machine's credentials, the message is the diagnosis instead.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise SetupError(str(diagnose_sign_in(error) or f"{what}: {error}")) from None
