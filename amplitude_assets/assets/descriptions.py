"""Descriptions, owners, tags and links of the assets in Dagster's catalogue."""

from collections.abc import Sequence

from dagster import MetadataValue

# The team that runs the pipeline. Dagster shows it on every asset and can alert it.
OWNERS: Sequence[str] = ("team:data-platform",)


def description(what: str, again: str, place: str) -> str:
    """Return three paragraphs for users of Dagster's UI.

    `what` says what a partition or row is, `again` what materializing again does, and `place` where
    the data lands. The lineage page shows only the first.
    """
    return "\n\n".join((what, again, place))


def tags(cadence: str, *, personal_data: bool) -> dict[str, str]:
    """Return the tags for searches such as `tag:cadence=hourly` or `tag:personal_data=yes`."""
    return {"cadence": cadence, "personal_data": "yes" if personal_data else "no"}


def link(name: str, page: str | None) -> dict[str, MetadataValue]:
    """Return a link as metadata under `name`, or nothing when there is no page."""
    return {} if page is None else {name: MetadataValue.url(page)}
