"""The dbt models as assets: bronze's view, silver and gold, in one invocation of `dbt build`."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    AssetSpec,
    Failure,
    MaterializeResult,
    Output,
    ResourceParam,
    RetryPolicy,
)
from filelock import FileLock

from amplitude_assets.assets.about import OWNERS, description, link, tags
from amplitude_assets.assets.column_lineage import project_version, with_column_lineage
from amplitude_assets.assets.hour_figures import tell_hour_figures
from amplitude_assets.config import Settings, dbt_environment
from amplitude_assets.dbt_apart import (
    DagsterDbtCliRuntimeError,
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    Dbt,
    DbtCliInvocation,
    DbtProject,
    dbt_assets,
)
from amplitude_assets.instance import WAREHOUSE_POOL
from amplitude_assets.progress import ProgressSink, StepProgress
from amplitude_assets.resources import DBT_PROJECT_DIR, dbt_resource
from amplitude_assets.snowsight import table_page
from amplitude_assets.warehouse.base import Warehouse

_PARSED = "partial_parse.msgpack"  # dbt's name for it

# What building a model again does, by how dbt materialises it.
_REBUILT = {
    "view": "A view: nothing is stored, and it always shows what is below it.",
    "table": "Made anew whenever the models run.",
    "incremental": (
        "A run takes in the loads that it has not consumed and rebuilds what they touch; a full "
        "refresh gives the same rows."
    ),
    "seed": "A CSV file in `dbt_project/seeds`, loaded whenever the models run.",
}


def dbt_models_asset(settings: Settings) -> AssetsDefinition:
    """Return one asset for each dbt model, all built by one step.

    They have no partitions: an hour of uploads holds events of many dates. A run takes in every
    load that the models have not consumed yet, however it came about. Their data tests look at what
    the run touched; a run of checks alone is `dbt test`, which looks at whole tables.
    """
    project = dbt_project(settings)
    _prepare_manifest(project, settings)
    version = project_version(project_sources(project.project_dir))
    kept = project.manifest_path.with_name("column_lineage.json")

    @dbt_assets(
        name="dbt_models",
        manifest=project.manifest_path,
        project=project,
        dagster_dbt_translator=LayerTranslator(settings),
        pool=WAREHOUSE_POOL,
        retry_policy=RetryPolicy(max_retries=1, delay=10),
    )
    def dbt_models(
        context: AssetExecutionContext,
        dbt: Dbt,
        settings: ResourceParam[Settings],
        warehouse: ResourceParam[Warehouse],
        progress: ResourceParam[ProgressSink],
    ) -> Iterator[Any]:
        selected = context.selected_asset_keys
        command = "build" if selected else "test"
        with warehouse.exclusive(), dbt_environment(settings):
            target = dbt_targets(settings) / context.run.run_id
            # The first run has what the manifest was made from, if it was made here.
            for parsed in (project.manifest_path.parent, _parsed_folder(settings)):
                _hand_on_parsed(parsed, target)
            invocation = dbt.cli(
                [command, "--exclude-resource-type", "unit_test"],
                context=context,
                target_path=target,
            )
            with _ended_where_only_data_is_wrong(invocation):
                if not selected:
                    yield from invocation.stream()
                    return
                told = StepProgress(progress, "dbt", len(selected), parts="models")
                events = _counted(invocation.stream(), told)
                yield from with_column_lineage(
                    context, dbt, invocation, events, version, kept, progress
                )
            _hand_on_parsed(target, _parsed_folder(settings))
        tell_hour_figures(context, warehouse, settings.project_id)

    return dbt_models


def dbt_project(settings: Settings) -> DbtProject:
    """Return the project with the manifest of the warehouse that the settings name."""
    return DbtProject(
        project_dir=DBT_PROJECT_DIR,
        profiles_dir=DBT_PROJECT_DIR,
        target=settings.warehouse,
        # A manifest names the tables of its database, so each has its own.
        target_path=Path("target") / settings.warehouse / settings.database,
    )


@contextmanager
def _ended_where_only_data_is_wrong(invocation: DbtCliInvocation) -> Iterator[None]:
    """End the step for good when data tests failed and nothing else: they would fail again."""
    try:
        yield
    except DagsterDbtCliRuntimeError as error:
        if _statuses(invocation) & {"fail", "error"} == {"fail"}:
            raise Failure(str(error), allow_retries=False) from None
        raise


def _statuses(invocation: DbtCliInvocation) -> set[str]:
    """Return how nodes ended, each word once; none when dbt did not get to say it."""
    try:
        results = invocation.get_artifact("run_results.json")["results"]
    except FileNotFoundError:
        return set()
    return {result["status"] for result in results}


def _counted(events: Iterator[Any], told: StepProgress) -> Iterator[Any]:
    for event in events:
        if isinstance(event, Output | MaterializeResult):
            told.add(1)
        yield event


def _hand_on_parsed(source: Path, target: Path) -> None:
    """Copy the project as dbt has parsed it, which spares it some seconds of the next run.

    dbt takes it for what it is: where files or settings have changed since, it parses anew.
    """
    parsed, whole = source / _PARSED, target / f".{_PARSED}"
    with suppress(OSError):  # no run is to fail for it
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(parsed, whole)
        whole.replace(target / _PARSED)


def _parsed_folder(settings: Settings) -> Path:
    """Return the folder of the project as the last run's dbt has parsed it for this warehouse."""
    return dbt_targets(settings) / settings.warehouse


def dbt_targets(settings: Settings) -> Path:
    """Return the folder under `DATA_DIR` where dbt writes its log and the SQL of each run."""
    return settings.data_dir / "dbt"


class LayerTranslator(DagsterDbtTranslator):
    """Puts each model in the group of its layer, which is its folder: bronze, silver or gold."""

    def __init__(self, settings: Settings) -> None:
        """Link to the tables in the warehouse that the settings name."""
        super().__init__(DagsterDbtTranslatorSettings(enable_code_references=True))
        self._page_settings = settings

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> AssetSpec:
        """Return dagster-dbt's own spec, with the layer as its group and as a kind."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = manifest["nodes"].get(unique_id)
        if node is None or node["resource_type"] not in ("model", "seed"):
            return spec
        layer = node["config"].get("schema") or node["schema"]
        kind = node["config"]["materialized"]
        shown_as = "view" if kind == "view" else "table"
        page = table_page(self._page_settings, layer, node["alias"], shown_as)
        return spec.replace_attributes(
            group_name=layer,
            metadata={**spec.metadata, **link("table", page)},
            kinds={"dbt", kind if kind in ("view", "seed") else layer},
            description=description(
                node["description"].strip(),
                _REBUILT[kind],
                f"It lands in `{layer}.{node['alias']}`, and has no partitions.",
            ),
            owners=OWNERS,
            tags=tags("after_loads", personal_data=_holds_personal_data(layer, node["name"])),
        )


def _holds_personal_data(layer: str, model: str) -> bool:
    """Say whether rows are about single people or events; gold's agg_ and rpt_ are not."""
    return layer != "gold" or model.startswith(("dim_", "fct_"))


def _prepare_manifest(project: DbtProject, settings: Settings) -> None:
    """Let dbt parse the project when its manifest is older than what it was made from.

    In production the manifest is built with the image, newer than every file, so nothing runs.
    """
    manifest = project.manifest_path
    with FileLock(str(project.project_dir / ".manifest.lock")):
        made_at = manifest.stat().st_mtime if manifest.exists() else 0.0
        if any(path.stat().st_mtime > made_at for path in project_sources(project.project_dir)):
            with dbt_environment(settings):
                dbt_resource(settings).cli(["parse"], target_path=manifest.parent).wait()


def project_sources(project_dir: Path) -> Iterator[Path]:
    """Yield the files of a dbt project that its manifest is made from."""
    yield project_dir / "dbt_project.yml"
    for folder in ("models", "macros", "seeds", "tests"):
        yield from (path for path in (project_dir / folder).rglob("*") if path.is_file())
