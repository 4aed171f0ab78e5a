"""What a contender is asked to do, and how it answers: JSON in, one line of JSON out.

The peers' scripts run in environments of their own, so this module needs the standard library
only, and they do not import it: they read the same JSON by hand.
"""

import json
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

RESULT = "BENCH-RESULT "


@dataclass(frozen=True)
class Task:
    """Hours to bring from a server to a folder.

    `first` and `last` are hours in UTC, both included, as `YYYY-MM-DDTHH`. `folder` is empty, and
    the contender's own.
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
        """Return the hours, aware, in UTC."""
        first, last = (
            datetime.strptime(text, "%Y-%m-%dT%H").replace(tzinfo=UTC)
            for text in (self.first, self.last)
        )
        return [first + timedelta(hours=n) for n in range((last - first) // timedelta(hours=1) + 1)]

    @property
    def path(self) -> Path:
        """Return the folder."""
        return Path(self.folder)

    def to_json(self) -> str:
        """Return the task as one argument of a command."""
        return json.dumps(asdict(self))


def read_task() -> Task:
    """Read the task of this process from its last argument."""
    return Task(**json.loads(sys.argv[-1]))


def tell(seconds: float, rows: int, **more: object) -> None:
    """Say what came of the task: the seconds of the work itself, and the rows that it brought."""
    print(RESULT + json.dumps({"seconds": seconds, "rows": rows, **more}), flush=True)  # noqa: T201
