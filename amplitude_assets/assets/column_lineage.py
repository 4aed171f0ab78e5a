"""Column lineage of the dbt models: from which columns each column is made.

dagster-dbt works it out from the compiled SQL in some seconds of computing, and it changes only
with the project. So it is worked out once for a version of the project and then carried over from
each model's last materialisation: Dagster's UI reads it from the newest.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dagster import AssetExecutionContext, AssetKey, MetadataValue, Output

from amplitude_assets.dbt_apart import Dbt, DbtCliInvocation, DbtEventIterator
from amplitude_assets.progress import ProgressSink, StepProgress

_LINEAGE = "dagster/column_lineage"
_SCHEMA = "dagster/column_schema"
_VERSION = "dbt_project_version"


def project_version(sources: Iterable[Path]) -> str:
    """Return a digest of the project's files."""
    digest = hashlib.sha256()
    for path in sorted(sources):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def with_column_lineage(
    context: AssetExecutionContext,
    dbt: Dbt,
    invocation: DbtCliInvocation,
    events: Iterator[Any],
    version: str,
    progress: ProgressSink,
) -> Iterator[Any]:
    """Yield the events of a dbt run, those of models with their column lineage.

    Working it out waits for dbt to end, which holds the file on DuckDB. It is told as a step of its
    own.
    """
    known, models = _known_lineage(context, version), len(context.selected_asset_keys)
    if known is None:
        events = _with_columns(dbt, invocation, _ended(events))
    told: StepProgress | None = None
    for event in events:
        if not isinstance(event, Output):
            yield event
            continue
        if known is None:
            told = told or StepProgress(progress, "column lineage", models, parts="models")
            told.add(1)
        lineage = (known or {}).get(context.asset_key_for_output(event.output_name), {})
        metadata: dict[str, Any] = {**event.metadata, **lineage, _VERSION: version}
        # The schema of the asset's definition has the columns' descriptions too.
        metadata.pop(_SCHEMA, None)
        yield event.with_metadata(metadata)


def _with_columns(dbt: Dbt, invocation: DbtCliInvocation, events: Iterator[Any]) -> Iterator[Any]:
    invocation.adapter = dbt.adapter()
    return DbtEventIterator(events, invocation).fetch_column_metadata()


def _ended(events: Iterator[Any]) -> Iterator[Any]:
    """Take what dbt tells until it ends, and return it; an error comes where it came.

    dagster-dbt waits for dbt too, but with a loop that keeps a core busy.
    """
    held: list[Any] = []
    failure: Exception | None = None
    try:
        held.extend(events)
    except Exception as error:  # noqa: BLE001  it is raised below, after what came before it
        failure = error

    def told() -> Iterator[Any]:
        yield from held
        if failure is not None:
            raise failure

    return told()


def _known_lineage(
    context: AssetExecutionContext, version: str
) -> Mapping[AssetKey, Mapping[str, MetadataValue]] | None:
    """Return the lineage of all models of this run, or None if one is not of this version."""
    known: dict[AssetKey, Mapping[str, MetadataValue]] = {}
    for key in context.selected_asset_keys:
        event = context.instance.get_latest_materialization_event(key)
        metadata = (
            event.asset_materialization.metadata if event and event.asset_materialization else {}
        )
        if _VERSION not in metadata or metadata[_VERSION].value != version:
            return None
        known[key] = {_LINEAGE: metadata[_LINEAGE]} if _LINEAGE in metadata else {}
    return known
