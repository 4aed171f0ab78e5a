"""How keys in the lake are laid out, relative to the lake's URL.

    events/{project_id}/{yyyy-MM-dd}/{HH}/{sha256}.json.gz      what Amplitude sent, file by file
    rejected/{project_id}/{yyyy-MM-dd}/{HH}/{sha256}.json.gz    lines that are not JSON objects
    manifests/{project_id}/{yyyy-MM-dd}/{HH}.json               commits the hour
    merges/{project_id}/…                                       merge files of the S3 export
    forgotten/{project_id}/{sha256}.json                        who is to be forgotten, as digests

Objects are named by the digest of their bytes, so they never change. No key holds a `#`, which
Amplitude's own file names do, nor a `=`, which query engines read as a partition column.
"""

from datetime import datetime


def events_prefix(project_id: int, hour: datetime | None = None) -> str:
    """Return the prefix of the files of events, of one hour or of all."""
    return f"events/{project_id}/" + (f"{hour:%Y-%m-%d/%H}/" if hour else "")


def rejected_prefix(project_id: int, hour: datetime | None = None) -> str:
    """Return the prefix of the rejected lines, of one hour or of all."""
    return f"rejected/{project_id}/" + (f"{hour:%Y-%m-%d/%H}/" if hour else "")


def event_key(project_id: int, hour: datetime, sha256: str) -> str:
    """Return the key of a file of events, from its digest in hexadecimal."""
    return f"{events_prefix(project_id, hour)}{sha256}.json.gz"


def rejected_key(project_id: int, hour: datetime, sha256: str) -> str:
    """Return the key of an hour's rejected lines, from the file's digest in hexadecimal."""
    return f"{rejected_prefix(project_id, hour)}{sha256}.json.gz"


def manifest_key(project_id: int, hour: datetime) -> str:
    """Return the key of an hour's manifest."""
    return f"{manifests_prefix(project_id)}{hour:%Y-%m-%d/%H}.json"


def manifests_prefix(project_id: int) -> str:
    """Return the prefix of a project's manifests."""
    return f"manifests/{project_id}/"


def merge_prefix(project_id: int) -> str:
    """Return the prefix under which a project's merge files are looked for."""
    return f"merges/{project_id}/"


def forgotten_prefix(project_id: int) -> str:
    """Return the prefix of the list of people to be forgotten."""
    return f"forgotten/{project_id}/"


def forgotten_key(project_id: int, sha256: str) -> str:
    """Return the key of one of the list's objects, from the digest of what it names."""
    return f"{forgotten_prefix(project_id)}{sha256}.json"
