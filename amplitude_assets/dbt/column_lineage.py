"""Column lineage of the dbt models: the columns that each column is computed from.

dagster-dbt derives it from the compiled SQL, which takes seconds of CPU and changes only with the
project's files. So it is derived once per version of the project and then attached to each
materialization, where Dagster's UI reads it. It is kept in a file beside the manifest; where that
folder is read-only, as in an image, it comes from the models' last materializations.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import chdir, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    MaterializeResult,
    Output,
    TableColumnDep,
    TableColumnLineage,
)

from amplitude_assets.dbt.runner import Dbt, DbtCliInvocation, DbtCliResource
from amplitude_assets.progress import ProgressSink, StepProgress

# By model; None for a model whose columns come from no other columns, such as a seed.
Lineage = Mapping[AssetKey, TableColumnLineage | None]

_LINEAGE = "dagster/column_lineage"
_SCHEMA = "dagster/column_schema"
_VERSION = "dbt_project_version"


def project_version(sources: Iterable[Path]) -> str:
    """Return a digest of the project's files."""
    digest = hashlib.sha256()
    for path in sorted(sources):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def stream_with_lineage(
    context: AssetExecutionContext,
    dbt: DbtCliResource,
    invocation: DbtCliInvocation,
    version: str,
    path: Path,
    progress: ProgressSink,
) -> Iterator[Any]:
    """Yield the events of a dbt build, with column lineage on the models; report its progress.

    `version` is the project's, and `path` the file that keeps the lineage.
    """
    models = context.selected_asset_keys
    known = read_lineage(path, version, models) or _lineage_of_last_build(context, version)
    counter = StepProgress(progress, "dbt", len(models), parts="models")
    if known is not None:
        events = _counted(invocation.stream(), counter)
    elif isinstance(dbt, Dbt):
        events = _with_columns(dbt, invocation, counter, progress)
    else:  # the public API
        events = _counted(invocation.stream().fetch_column_metadata(), counter)
    found: dict[AssetKey, TableColumnLineage | None] = {}
    for event in events:
        if not isinstance(event, Output):
            yield event
            continue
        key = context.asset_key_for_output(event.output_name)
        metadata: dict[str, Any] = {**event.metadata, _VERSION: version}
        if known and known[key]:
            metadata[_LINEAGE] = known[key]
        found[key] = _lineage_in(metadata)
        # The schema in the asset's definition also has the columns' descriptions.
        metadata.pop(_SCHEMA, None)
        yield event.with_metadata(metadata)
    if known is None:
        write_lineage(path, version, found)


def read_lineage(path: Path, version: str, models: Collection[AssetKey]) -> Lineage | None:
    """Return the lineage of these models, or None if the file lacks one or has another version."""
    if not path.exists():
        return None
    kept = json.loads(path.read_text())
    names = {key.to_user_string(): key for key in models}
    if kept["version"] != version or names.keys() - kept["models"].keys():
        return None
    return {key: _from_json(kept["models"][name]) for name, key in names.items()}


def write_lineage(path: Path, version: str, lineage: Lineage) -> None:
    """Write the file; do nothing where the folder is read-only."""
    models = {key.to_user_string(): _to_json(of_model) for key, of_model in lineage.items()}
    with suppress(OSError):
        with NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            json.dump({"version": version, "models": models}, file)
        Path(file.name).replace(path)


def _with_columns(
    dbt: Dbt, invocation: DbtCliInvocation, counter: StepProgress, progress: ProgressSink
) -> Iterator[Any]:
    """Wait for dbt to end, then yield its events: the models first, with lineage and columns.

    dbt's failure is raised after the events that preceded it.

    Private API: `DbtEventIterator`. Gain: a first `run` of 3 hours takes 108 s of CPU in place of
    166 with `DAGSTER_PUBLIC_API_ONLY`, where 20 of the difference are other private APIs. The
    public `stream().fetch_column_metadata()` waits for dbt in a loop that keeps a core busy, and
    looks up the columns of each data test, which has no table: Snowflake logs an error for each.
    It replaces this once it does neither.
    """
    from dagster_dbt.core.dbt_event_iterator import DbtEventIterator

    events: list[Any] = []
    failure: Exception | None = None
    try:
        events.extend(_counted(invocation.stream(), counter))
    except Exception as error:  # noqa: BLE001  it is raised below, after the events before it
        failure = error
    models = [event for event in events if isinstance(event, Output)]
    # Only now: dbt holds the DuckDB file until it ends.
    invocation.adapter = dbt.adapter()
    derived = StepProgress(progress, "column lineage", len(models), parts="models")
    # The iterator's threads change the working directory, and may restore it in the wrong order.
    with chdir("."):
        for model in DbtEventIterator(iter(models), invocation).fetch_column_metadata():
            derived.add(1)
            yield model
    yield from (event for event in events if not isinstance(event, Output))
    if failure is not None:
        raise failure


def _counted(events: Iterator[Any], counter: StepProgress) -> Iterator[Any]:
    for event in events:
        if isinstance(event, Output | MaterializeResult):
            counter.add(1)
        yield event


def _lineage_of_last_build(context: AssetExecutionContext, version: str) -> Lineage | None:
    """Return the lineage in the models' last materializations, or None if a version differs."""
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


def _to_json(lineage: TableColumnLineage | None) -> dict[str, list[tuple[str, str]]] | None:
    if lineage is None:
        return None
    return {
        column: [(dep.asset_key.to_user_string(), dep.column_name) for dep in deps]
        for column, deps in lineage.deps_by_column.items()
    }


def _from_json(kept: dict[str, list[tuple[str, str]]] | None) -> TableColumnLineage | None:
    if kept is None:
        return None
    return TableColumnLineage(
        {
            column: [TableColumnDep(AssetKey.from_user_string(asset), name) for asset, name in deps]
            for column, deps in kept.items()
        }
    )
