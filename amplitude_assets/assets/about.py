"""What every asset says of itself in Dagster's catalogue: owners and tags."""

from collections.abc import Sequence

# Whoever runs the pipeline. Dagster shows it on every asset and can alert it.
OWNERS: Sequence[str] = ("team:data-platform",)


def tags(cadence: str, *, personal_data: bool) -> dict[str, str]:
    """Return the tags that people search by: `tag:cadence=hourly`, `tag:personal_data=yes`."""
    return {"cadence": cadence, "personal_data": "yes" if personal_data else "no"}
