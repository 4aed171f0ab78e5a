"""The manifest: the list of an hour's objects. Writing it, last, commits the hour."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

Utc = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]


class LakeObject(BaseModel):
    """One immutable object of an hour: its key, size, lines and digest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    member: str  # the name of Amplitude's file, to find it by
    bytes: Count
    lines: Count
    sha256: Sha256


class Manifest(BaseModel):
    """One hour of one project in the lake.

    `lines` counts the exported lines; `objects` have `lines` minus `rejected_lines` of them.
    `forgotten_lines` counts lines of forgotten people, which are not stored. `digest` depends only
    on the hour's bytes, not on the names of Amplitude's files. Times are UTC.

    Amplitude first returned this delivery at `first_seen_at`, and last at `fetched_at`. With
    `is_confirmed` it may replace one with more events (`acceptance.py`). `pending` is a newer
    delivery with fewer events that is not confirmed yet; its objects are kept as evidence.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    project_id: int
    export_hour: Utc
    status: Literal["loaded", "empty"]
    objects: tuple[LakeObject, ...]
    rejected: LakeObject | None
    bytes: Count
    lines: Count
    rejected_lines: Count
    forgotten_lines: Count = 0
    digest: str
    fetched_at: Utc
    first_seen_at: Utc | None = None
    is_confirmed: bool = False
    pending: "Manifest | None" = None

    @property
    def events(self) -> int:
        """The number of events that Amplitude delivered, including those of forgotten people."""
        return self.lines - self.rejected_lines + self.forgotten_lines

    @property
    def seen_since(self) -> datetime:
        """When Amplitude first returned this delivery (UTC)."""
        return self.first_seen_at or self.fetched_at

    @property
    def events_in_question(self) -> int:
        """The number of events that the `pending` delivery lacks; 0 without one."""
        return self.events - self.pending.events if self.pending is not None else 0

    def to_json(self) -> str:
        """Return the manifest as JSON, indented for human readers."""
        return self.model_dump_json(indent=2) + "\n"


def objects_of(manifest: Manifest) -> list[LakeObject]:
    """Return all objects of an hour, the one of rejected lines last."""
    return [*manifest.objects, *([manifest.rejected] if manifest.rejected else [])]
