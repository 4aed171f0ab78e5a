"""Column lineage of the dbt models: from which columns each column is made.

dagster-dbt works it out from the compiled SQL in some seconds of computing, and it changes only
with the project. So it is worked out once for a version of the project and then carried over, from
the file beside the manifest or from each model's last materialisation: Dagster's UI reads it from
the newest.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import chdir
from pathlib import Path
from typing import Any

from dagster import AssetExecutionContext, AssetKey, Output, TableColumnLineage

from amplitude_assets.assets.kept_lineage import Lineage, keep_lineage, read_lineage
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
    kept: Path,
    progress: ProgressSink,
) -> Iterator[Any]:
    """Yield the events of a dbt run, those of models with their column lineage.

    `kept` is the file that has it, or gets it. Working it out waits for dbt to end, which holds the
    file on DuckDB. It is told as a step of its own.
    """
    models = context.selected_asset_keys
    known = read_lineage(kept, version, models) or _known_lineage(context, version)
    found: dict[AssetKey, TableColumnLineage | None] = {}
    for event in events if known is not None else _described(dbt, invocation, events, progress):
        if not isinstance(event, Output):
            yield event
            continue
        key = context.asset_key_for_output(event.output_name)
        metadata: dict[str, Any] = {**event.metadata, _VERSION: version}
        if known and known[key]:
            metadata[_LINEAGE] = known[key]
        found[key] = _lineage_in(metadata)
        # The schema of the asset's definition has the columns' descriptions too.
        metadata.pop(_SCHEMA, None)
        yield event.with_metadata(metadata)
    if known is None:
        keep_lineage(kept, version, found)


def _described(
    dbt: Dbt, invocation: DbtCliInvocation, events: Iterator[Any], progress: ProgressSink
) -> Iterator[Any]:
    """Take what dbt tells until it ends, and return it, the models first and with their columns.

    dagster-dbt waits for dbt too, but with a loop that keeps a core busy. And it would look at the
    columns of each test, which has no table: on DuckDB for nothing, and an error on Snowflake. What
    dbt failed with comes last.
    """
    held: list[Any] = []
    failure: Exception | None = None
    try:
        held.extend(events)
    except Exception as error:  # noqa: BLE001  it is raised below, after what came before it
        failure = error
    models = [event for event in held if isinstance(event, Output)]
    invocation.adapter = dbt.adapter()
    told = StepProgress(progress, "column lineage", len(models), parts="models")
    # Its threads change this process's folder and back, in an order that can leave it changed.
    with chdir("."):
        for model in DbtEventIterator(iter(models), invocation).fetch_column_metadata():
            told.add(1)
            yield model
    yield from (event for event in held if not isinstance(event, Output))
    if failure is not None:
        raise failure


def _known_lineage(context: AssetExecutionContext, version: str) -> Lineage | None:
    """Return the lineage of all models of this run, or None if one is not of this version."""
    known: dict[AssetKey, TableColumnLineage | None] = {}
    for key in context.selected_asset_keys:
        event = context.instance.get_latest_materialization_event(key)
        metadata = (
            event.asset_materialization.metadata if event and event.asset_materialization else {}
        )
        if _VERSION not in metadata or metadata[_VERSION].value != version:
            return None
        known[key] = _lineage_in(metadata)
    return known


def _lineage_in(metadata: Mapping[str, Any]) -> TableColumnLineage | None:
    lineage = metadata.get(_LINEAGE)
    return getattr(lineage, "value", lineage)
