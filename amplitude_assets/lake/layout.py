"""How keys in the lake are laid out, relative to the lake's URL.

    events/{project_id}/{yyyy-MM-dd}/{HH}/{sha256}.json.gz      what Amplitude sent, file by file
    rejected/{project_id}/{yyyy-MM-dd}/{HH}/{sha256}.json.gz    lines that are not JSON objects
    manifests/{project_id}/{yyyy-MM-dd}/{HH}.json               commits the hour
    merges/{project_id}/…                                       merge files of the S3 export

Objects are named by the digest of their bytes, so they never change. No key holds a `#`, which
Amplitude's own file names do, nor a `=`, which query engines read as a partition column.
"""

from datetime import datetime


def event_key(project_id: int, hour: datetime, sha256: str) -> str:
    """Return the key of a file of events, from its digest in hexadecimal."""
    return f"events/{project_id}/{hour:%Y-%m-%d/%H}/{sha256}.json.gz"


def rejected_key(project_id: int, hour: datetime, sha256: str) -> str:
    """Return the key of an hour's rejected lines, from the file's digest in hexadecimal."""
    return f"rejected/{project_id}/{hour:%Y-%m-%d/%H}/{sha256}.json.gz"


def manifest_key(project_id: int, hour: datetime) -> str:
    """Return the key of an hour's manifest."""
    return f"manifests/{project_id}/{hour:%Y-%m-%d/%H}.json"


def merge_prefix(project_id: int) -> str:
    """Return the prefix under which a project's merge files are looked for."""
    return f"merges/{project_id}/"
