"""What AWS answers to a set-up: what is there, nothing, or a refusal in words."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from amplitude_assets.bootstrap.steps import SetupError
from amplitude_assets.lake.s3_refusals import sign_in_refusal_of


def found(read: Callable[[], Any], what: str = "cannot look at what is there") -> Any | None:
    """Return what AWS holds, or None when it holds no such thing. Raises SetupError."""
    from botocore.exceptions import ClientError

    with refusals(what):
        try:
            return read()
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise


@contextmanager
def refusals(what: str) -> Iterator[None]:
    """Turn what AWS refuses into SetupError."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise SetupError(str(sign_in_refusal_of(error) or f"{what}: {error}")) from None
