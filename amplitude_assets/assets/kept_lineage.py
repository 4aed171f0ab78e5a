"""Column lineage in a file beside the project's manifest: made once for a version of the project.

A new home of Dagster's, such as that of another data folder, has it from there. Where the folder
cannot be written, as in an image, Dagster's own record has to do.
"""

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from dagster import AssetKey, TableColumnDep, TableColumnLineage

# Of each model; None has one that is made of no columns, such as a seed.
Lineage = Mapping[AssetKey, TableColumnLineage | None]


def read_lineage(path: Path, version: str, models: Collection[AssetKey]) -> Lineage | None:
    """Return the lineage of these models, None if the file does not have all of this version."""
    if not path.exists():
        return None
    kept = json.loads(path.read_text())
    names = {key.to_user_string(): key for key in models}
    if kept["version"] != version or names.keys() - kept["models"].keys():
        return None
    return {key: _from_json(kept["models"][name]) for name, key in names.items()}


def keep_lineage(path: Path, version: str, lineage: Lineage) -> None:
    """Write the file, if it can be written: without it the lineage is only worked out again."""
    models = {key.to_user_string(): _to_json(of_model) for key, of_model in lineage.items()}
    with suppress(OSError):
        with NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            json.dump({"version": version, "models": models}, file)
        Path(file.name).replace(path)


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
