"""The list of people who asked to be forgotten: digests of their ids, one object for each request.

It is what keeps them out when an hour is exported again, so whoever unpacks reads it first.
"""

import hashlib
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from amplitude_assets.lake.layout import forgotten_key, forgotten_prefix
from amplitude_assets.lake.manifest import Sha256, Utc
from amplitude_assets.lake.store import Lake, LakeError


class Request(BaseModel):
    """One person who asked to be forgotten: the digest of each of their ids.

    `hours` are those that held lines of theirs when they asked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    project_id: int
    asked_at: Utc
    digests: tuple[Sha256, ...]
    hours: tuple[Utc, ...]


def add_request(lake: Lake, request: Request) -> str:
    """Put a person on the list, and return the object's key. The same ids have the same key."""
    name = hashlib.sha256("\n".join(sorted(request.digests)).encode()).hexdigest()
    key = forgotten_key(request.project_id, name)
    lake.write(key, (request.model_dump_json(indent=2) + "\n").encode())
    return key


def read_requests(lake: Lake, project_id: int) -> list[Request]:
    """Return the list. Raises LakeError when a part of it cannot be read; then none may unpack."""
    requests = []
    for key in lake.list_keys(forgotten_prefix(project_id)):
        try:
            requests.append(Request.model_validate_json(b"".join(lake.get_object(key))))
        except ValidationError as error:
            raise LakeError(
                f"{lake.uri(key)} is no list of forgotten people ({error.error_count()} problems); "
                "take it from a backup or an older version of the object"
            ) from None
    return requests


def forgotten_digests(lake: Lake, project_id: int) -> frozenset[str]:
    """Return the digests of all ids on the list. Raises LakeError as `read_requests` does."""
    return frozenset(
        digest for request in read_requests(lake, project_id) for digest in request.digests
    )
