"""The layout of keys in the lake, relative to the lake's URL.

    events/{project_id}/{yyyy-MM-dd}/{HH}/{sha256}.json.gz      the files that Amplitude exported
    rejected/{project_id}/{yyyy-MM-dd}/{HH}/{sha256}.json.gz    lines that are not JSON objects
    manifests/{project_id}/{yyyy-MM-dd}/{HH}.json               commits the hour
    merges/{project_id}/…                                       merge files of the S3 export
    forgotten/{project_id}/{sha256}.json                        digests of forgotten people's ids

Objects are named by the digest of their bytes, so they never change. Keys contain neither `#`,
as Amplitude's file names do, nor `=`, which query engines interpret as a partition column.
"""

import re
from datetime import datetime

from amplitude_assets.hours import HourError, parse_hour

_HOUR = re.compile(r"(?:events|rejected|manifests)/\d+/(\d{4}-\d{2}-\d{2})/(\d{2})[./].+")


def events_prefix(project_id: int, hour: datetime | None = None) -> str:
    """Return the prefix of the event files of one hour, or of all hours."""
    return f"events/{project_id}/" + (f"{hour:%Y-%m-%d/%H}/" if hour else "")


def rejected_prefix(project_id: int, hour: datetime | None = None) -> str:
    """Return the prefix of the rejected lines of one hour, or of all hours."""
    return f"rejected/{project_id}/" + (f"{hour:%Y-%m-%d/%H}/" if hour else "")


def event_key(project_id: int, hour: datetime, sha256: str) -> str:
    """Return the key of an event file with the given hexadecimal digest."""
    return f"{events_prefix(project_id, hour)}{sha256}.json.gz"


def rejected_key(project_id: int, hour: datetime, sha256: str) -> str:
    """Return the key of an hour's rejected lines with the given hexadecimal digest."""
    return f"{rejected_prefix(project_id, hour)}{sha256}.json.gz"


def manifest_key(project_id: int, hour: datetime) -> str:
    """Return the key of an hour's manifest."""
    return f"{manifests_prefix(project_id)}{hour:%Y-%m-%d/%H}.json"


def manifests_prefix(project_id: int) -> str:
    """Return the prefix of a project's manifests."""
    return f"manifests/{project_id}/"


def merge_prefix(project_id: int) -> str:
    """Return the prefix of a project's merge files."""
    return f"merges/{project_id}/"


def forgotten_prefix(project_id: int) -> str:
    """Return the prefix of the list of people to be forgotten."""
    return f"forgotten/{project_id}/"


def forgotten_key(project_id: int, sha256: str) -> str:
    """Return the key of one request on the list, from the digest of its ids."""
    return f"{forgotten_prefix(project_id)}{sha256}.json"


def hour_of_key(key: str) -> datetime | None:
    """Return the hour (UTC) of an object's or a manifest's key; None for any other key."""
    found = _HOUR.fullmatch(key)
    if found is None:
        return None
    try:
        return parse_hour(f"{found[1]}T{found[2]}")
    except HourError:
        return None
