"""The list of forgotten people in the lake: digests of their ids, one object per request.

Unpacking omits the lines of these people, so they do not return when an hour is exported again.
"""

import hashlib
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from amplitude_assets.lake.layout import forgotten_key, forgotten_prefix
from amplitude_assets.lake.manifest import Sha256, Utc
from amplitude_assets.lake.store import Lake, LakeError


class Request(BaseModel):
    """A request to forget one person: the digest of each of their ids, at `asked_at` (UTC).

    `hours` had lines of the person at that time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    project_id: int
    asked_at: Utc
    digests: tuple[Sha256, ...]
    hours: tuple[Utc, ...]


def add_request(lake: Lake, request: Request) -> str:
    """Add a request to the list, and return its key, which depends only on the ids.

    Raises LakeError.
    """
    name = hashlib.sha256("\n".join(sorted(request.digests)).encode()).hexdigest()
    key = forgotten_key(request.project_id, name)
    lake.write(key, (request.model_dump_json(indent=2) + "\n").encode())
    return key


def read_requests(lake: Lake, project_id: int) -> list[Request]:
    """Return all requests. Raises LakeError when one is unreadable; unpacking must then stop."""
    requests = []
    for key in lake.list_keys(forgotten_prefix(project_id)):
        try:
            requests.append(Request.model_validate_json(b"".join(lake.get_object(key))))
        except ValidationError as error:
            raise LakeError(
                f"{lake.uri(key)} is not a valid list of forgotten people "
                f"({error.error_count()} problems); restore it from a backup or from an older "
                "version of the object"
            ) from None
    return requests


def forgotten_digests(lake: Lake, project_id: int) -> frozenset[str]:
    """Return the digests of all ids on the list. Raises LakeError like `read_requests`."""
    return frozenset(
        digest for request in read_requests(lake, project_id) for digest in request.digests
    )
