"""The query tag of a session: JSON by which the query history and `costs` group its statements."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

# Returns the fields of the tag for a session that is about to open, such as `run_id` and `asset`.
TagFields = Callable[[], Mapping[str, str]]

APPLICATION = "amplitude-assets"
_LONGEST_VALUE = 200  # a tag has at most 2,000 characters


def query_tag(fields: Mapping[str, str]) -> str:
    """Return the tag with these fields; empty ones are left out, and long ones are cut.

    A tag is stored with each statement for a year and is visible to every user who can see the
    query history, so fields are names, ids and hours only.
    """
    kept = {name: value[:_LONGEST_VALUE] for name, value in fields.items() if value}
    return json.dumps({"application": APPLICATION, **kept})


def command_fields() -> dict[str, str]:
    """Return the command of this process, without its arguments, for sessions outside of runs."""
    program, *arguments = sys.argv or [""]
    named = arguments[0] if arguments and arguments[0].isidentifier() else ""
    return {"command": f"{Path(program).name} {named}".strip()}
