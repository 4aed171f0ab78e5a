"""The dbt models as assets: bronze's view, silver and gold, in one invocation of `dbt build`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dagster import (
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    Failure,
    ResourceParam,
    RetryPolicy,
)

from amplitude_assets.assets.descriptions import OWNERS, description, link, tags
from amplitude_assets.assets.hour_figures import log_hour_figures
from amplitude_assets.assets.interrupted import no_retry_when_interrupted
from amplitude_assets.config import Settings
from amplitude_assets.connections.snowsight import table_page
from amplitude_assets.dbt.column_lineage import project_version, stream_with_lineage
from amplitude_assets.dbt.project import (
    copy_parsed,
    dbt_environment,
    dbt_project,
    dbt_targets,
    parsed_folder,
    prepare_manifest,
    project_sources,
)
from amplitude_assets.dbt.runner import (
    DagsterDbtCliRuntimeError,
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliInvocation,
    DbtCliResource,
    DbtProject,
    dbt_assets,
    ended_with_the_step,
)
from amplitude_assets.dbt.test_descriptions import describe_test
from amplitude_assets.instance.pools import WAREHOUSE_POOL
from amplitude_assets.instance.steps import current_step
from amplitude_assets.progress import ProgressSink
from amplitude_assets.warehouse.base import Warehouse
from amplitude_assets.warehouse.snowflake.query_tag import query_tag

# The data tests that a build leaves out; `dbt_project.yml` says which they are.
NIGHTLY_TESTS = "config.meta.cadence:nightly"

# What materializing a model again does, by its dbt materialization.
_REBUILT = {
    "view": "A view: nothing is stored, and it always shows what is below it.",
    "table": "Rebuilt whenever the models run.",
    "incremental": (
        "A run consumes the loads that are new to it and rebuilds what they touch; a full "
        "refresh gives the same rows."
    ),
    "seed": "A CSV file in `dbt_project/seeds`, loaded whenever the models run.",
}


def dbt_models_asset(settings: Settings) -> AssetsDefinition:
    """Return one asset for each dbt model, all built by one step.

    They have no partitions, because an hour of uploads holds events of many dates. A run consumes
    every load that is new to the models, and runs the data tests that depend on the data, over the
    rows that it touched. A run of checks alone is `dbt test`: every test, over whole tables.
    """
    project = dbt_project(settings)
    prepare_manifest(project, settings)
    version = project_version(project_sources(project.project_dir))
    lineage = project.manifest_path.with_name("column_lineage.json")

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
        dbt: DbtCliResource,
        settings: ResourceParam[Settings],
        warehouse: ResourceParam[Warehouse],
        progress: ResourceParam[ProgressSink],
    ) -> Iterator[Any]:
        with no_retry_when_interrupted(context):
            selected = context.selected_asset_keys
            command = ["build", "--exclude", NIGHTLY_TESTS] if selected else ["test"]
            tag = query_tag(current_step())
            with warehouse.exclusive(), dbt_environment(settings, tag):
                target = dbt_targets(settings) / context.run.run_id
                # The last run's parse result, or before a first run the one of the manifest.
                for parsed in (project.manifest_path.parent, parsed_folder(settings)):
                    copy_parsed(parsed, target)
                invocation = dbt.cli(
                    [*command, "--exclude-resource-type", "unit_test"],
                    context=context,
                    target_path=target,
                )
                with ended_with_the_step(invocation), _no_retry_when_only_tests_fail(invocation):
                    if not selected:
                        yield from invocation.stream()
                        return
                    yield from stream_with_lineage(
                        context, dbt, invocation, version, lineage, progress
                    )
                copy_parsed(target, parsed_folder(settings))
            log_hour_figures(context, warehouse, settings.project_id)

    return dbt_models


@contextmanager
def _no_retry_when_only_tests_fail(invocation: DbtCliInvocation) -> Iterator[None]:
    """Fail without retry when only data tests failed: they would fail again."""
    try:
        yield
    except DagsterDbtCliRuntimeError as error:
        if _statuses(invocation) & {"fail", "error"} == {"fail"}:
            raise Failure(str(error), allow_retries=False) from None
        raise


def _statuses(invocation: DbtCliInvocation) -> set[str]:
    """Return the distinct statuses of the nodes; none when dbt ended before it wrote results."""
    try:
        results = invocation.get_artifact("run_results.json")["results"]
    except FileNotFoundError:
        return set()
    return {result["status"] for result in results}


class LayerTranslator(DagsterDbtTranslator):
    """Group models by their folder: `bronze`, `silver`, `silver_batch` (silver/batch) or `gold`."""

    def __init__(self, settings: Settings) -> None:
        """Translate for the warehouse of the settings, to whose tables the assets link."""
        super().__init__(DagsterDbtTranslatorSettings(enable_code_references=True))
        self._page_settings = settings

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> AssetKey:
        """Return `<schema>/<model>`, also for a model whose schema comes from its folder's name."""
        key = super().get_asset_key(dbt_resource_props)
        if dbt_resource_props["resource_type"] == "model" and len(key.path) == 1:
            return key.with_prefix(dbt_resource_props["schema"])
        return key

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> AssetSpec:
        """Return dagster-dbt's spec with our group, kinds, description, owners, tags and link."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = manifest["nodes"].get(unique_id)
        if node is None or node["resource_type"] not in ("model", "seed"):
            return spec
        layer = node["config"].get("schema") or node["schema"]
        kind = node["config"]["materialized"]
        shown_as = "view" if kind == "view" else "table"
        page = table_page(self._page_settings, layer, node["alias"], shown_as)
        return spec.replace_attributes(
            group_name="_".join((layer, *node["fqn"][2:-1])),  # subfolders of the layer's folder
            metadata={**spec.metadata, **link("table", page)},
            kinds={"dbt", kind if kind in ("view", "seed") else layer},
            description=description(
                node["description"].strip(),
                _REBUILT.get(kind, f"Materialized by dbt as `{kind}`."),
                f"It lands in `{layer}.{node['alias']}`, and has no partitions.",
            ),
            owners=OWNERS,
            tags=tags("after_loads", personal_data=_holds_personal_data(layer, node["name"])),
        )

    def get_asset_check_spec(
        self,
        asset_spec: AssetSpec,
        manifest: Mapping[str, Any],
        unique_id: str,
        project: DbtProject | None,
    ) -> AssetCheckSpec | None:
        """Return dagster-dbt's spec of a data test with our description.

        A test that a build leaves out does not block: Dagster would warn of each in every run.
        """
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        if spec is None:
            return None
        test = manifest["nodes"][unique_id]
        blocking = spec.blocking and test["config"]["meta"].get("cadence") != "nightly"
        return spec._replace(description=describe_test(test), blocking=blocking)


def _holds_personal_data(layer: str, model: str) -> bool:
    """Return whether rows describe single people or events, as gold's agg_ and rpt_ do not."""
    return layer != "gold" or model.startswith(("dim_", "fct_"))
