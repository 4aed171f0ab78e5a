"""The manifest: what an hour consists of. It is written last, and so commits the hour."""

from datetime import UTC
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

Utc = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]


class LakeObject(BaseModel):
    """One immutable object of an hour: where it is, what it weighs, and what it holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    member: str  # the name Amplitude gave the file, for people who look for it
    bytes: Count
    lines: Count
    sha256: Sha256


class Manifest(BaseModel):
    """An hour of one project as the lake holds it.

    `lines` counts the exported lines: those of `objects` together are `lines` minus
    `rejected_lines`. `forgotten_lines` is how many more there were, of people who asked to be
    forgotten. `digest` is the same whenever the hour's bytes are the same, whatever
    Amplitude called its files. Times are UTC.
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

    def to_json(self) -> str:
        """Return the manifest as it is stored: indented, since people read it too."""
        return self.model_dump_json(indent=2) + "\n"


def objects_of(manifest: Manifest) -> list[LakeObject]:
    """Return every object that an hour's lines are in, that of the rejected lines last."""
    return [*manifest.objects, *([manifest.rejected] if manifest.rejected else [])]
