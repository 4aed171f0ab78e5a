"""Render the graph as text to review: assets, checks, jobs, schedules and sensors.

After an intended change, write the snapshot again and review its diff:

    .venv/bin/python -m tests.support.definitions_snapshot
"""

from collections.abc import Iterator
from pathlib import Path

from dagster import AssetCheckKey, AssetKey, AssetsDefinition, Definitions, RepositoryDefinition
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from amplitude_assets.config import Settings
from amplitude_assets.definitions import CHECKS, build_definitions

_OUR_CHECKS = {check for checks in CHECKS for check in checks.check_keys}
PATH = Path(__file__).parents[1] / "unit" / "definitions_snapshot.txt"


def render() -> str:
    """Describe the graph of the default settings, one property per line, in a stable order."""
    definitions = build_definitions(Settings())
    Definitions.validate_loadable(definitions)
    repository = definitions.get_repository_def()
    lines: list[str] = []
    for title, part in (
        ("Assets", _assets(repository.asset_graph)),
        ("Checks", _checks(repository.asset_graph)),
        ("Jobs", _jobs(repository)),
        ("Schedules", _schedules(repository)),
        ("Sensors", _sensors(repository)),
    ):
        lines += [title, "=" * len(title), *part, ""]
    return "\n".join(line.rstrip() for line in lines)


def _assets(graph: AssetGraph) -> Iterator[str]:
    for key in sorted(graph.get_all_asset_keys(), key=_name):
        node = graph.get(key)
        if not node.is_executable:
            yield f"{_name(key)}  (source)"
            continue
        yield f"{_name(key)}  group {node.group_name}"
        yield f"    from     {', '.join(sorted(map(_name, node.parent_keys))) or '-'}"
        if node.partitions_def:
            yield f"    hours    {node.partitions_def}"
            yield f"    backfill {node.backfill_policy}"
        policy = node.assets_def.specs_by_key[key].freshness_policy
        if policy:
            yield f"    fresh    {policy}"
        yield f"    step     {_step(node.assets_def)}"
        tests = [check for check in graph.get_check_keys_for_assets({key}) if not _is_ours(check)]
        if tests:
            yield f"    tested   by dbt, {len(tests)} times"


def _step(assets: AssetsDefinition) -> str:
    retry = assets.op.retry_policy
    times = f"{retry.max_retries} retry" if retry else "no retry"
    return f"{assets.op.name}, {times}, pools {', '.join(sorted(assets.op.pools)) or 'none'}"


def _checks(graph: AssetGraph) -> Iterator[str]:
    ours = [
        (f"{_name(key.asset_key)}: {key.name}", graph.get_check_spec(key))
        for key in graph.asset_check_keys
        if _is_ours(key)
    ]
    for name, spec in sorted(ours, key=lambda item: item[0]):
        yield f"{name}{'  blocking' if spec.blocking else ''}"


def _is_ours(check: AssetCheckKey) -> bool:
    return check in _OUR_CHECKS


def _jobs(repository: RepositoryDefinition) -> Iterator[str]:
    for job in repository.get_all_jobs():
        if not job.name.startswith("__"):
            steps = sorted(node.name for node in job.graph.nodes)
            yield f"{job.name}  {job.executor_def.name} executor"
            yield f"    {', '.join(steps)}"


def _schedules(repository: RepositoryDefinition) -> Iterator[str]:
    for schedule in sorted(repository.schedule_defs, key=lambda item: item.name):
        when = f"{schedule.cron_schedule} {schedule.execution_timezone}"
        yield f"{schedule.name}  {when}, {schedule.job_name}, {schedule.default_status.value}"


def _sensors(repository: RepositoryDefinition) -> Iterator[str]:
    for sensor in sorted(repository.sensor_defs, key=lambda item: item.name):
        jobs = ", ".join(sorted(target.job_name for target in sensor.targets)) or "no job"
        yield (
            f"{sensor.name}  {sensor.sensor_type.value.lower()}, {jobs}, "
            f"every {sensor.minimum_interval_seconds} s, {sensor.default_status.value}"
        )


def _name(key: AssetKey) -> str:
    return key.to_user_string()


if __name__ == "__main__":
    PATH.write_text(render())
