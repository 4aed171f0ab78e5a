"""A contender's input and output: a task as JSON, and one line of JSON as the result.

The peers' scripts run in other environments and do not import this module; they parse the same
JSON themselves.
"""

import json
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

RESULT = "BENCH-RESULT "


@dataclass(frozen=True)
class Task:
    """The hours to load from a server into a folder.

    `first` and `last` are hours in UTC, both inclusive, as `YYYY-MM-DDTHH`. `folder` is an empty
    folder for the contender alone.
    """

    origin: str
    api_key: str
    secret_key: str
    project_id: int
    first: str
    last: str
    folder: str

    @property
    def hours(self) -> list[datetime]:
        """The hours, aware, in UTC."""
        first, last = (
            datetime.strptime(text, "%Y-%m-%dT%H").replace(tzinfo=UTC)
            for text in (self.first, self.last)
        )
        return [first + timedelta(hours=n) for n in range((last - first) // timedelta(hours=1) + 1)]

    @property
    def path(self) -> Path:
        """The folder as a path."""
        return Path(self.folder)

    def to_json(self) -> str:
        """Return the task as JSON, for one argument of a command."""
        return json.dumps(asdict(self))


def read_task() -> Task:
    """Parse the task from the last argument of this process."""
    return Task(**json.loads(sys.argv[-1]))


def report_result(seconds: float, rows: int, **more: object) -> None:
    """Print the result: the seconds of the work itself, and the number of rows loaded."""
    print(RESULT + json.dumps({"seconds": seconds, "rows": rows, **more}), flush=True)  # noqa: T201
