"""What every asset says of itself in Dagster's catalogue: description, owners, tags and links."""

from collections.abc import Sequence

from dagster import MetadataValue

# Whoever runs the pipeline. Dagster shows it on every asset and can alert it.
OWNERS: Sequence[str] = ("team:data-platform",)


def description(what: str, again: str, place: str) -> str:
    """Return three lines for users, each of which Dagster's UI shows as a line of its own.

    `what` is a partition or a row, `again` says what materialising again does, and `place` where
    it lands. The lineage page has room for the first line.
    """
    return "\n\n".join((what, again, place))


def tags(cadence: str, *, personal_data: bool) -> dict[str, str]:
    """Return the tags that people search by: `tag:cadence=hourly`, `tag:personal_data=yes`."""
    return {"cadence": cadence, "personal_data": "yes" if personal_data else "no"}


def link(name: str, page: str | None) -> dict[str, MetadataValue]:
    """Return a link as metadata of this name; nothing where there is no page."""
    return {} if page is None else {name: MetadataValue.url(page)}
