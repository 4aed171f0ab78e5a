"""Measure Dagster's overhead: materialise the same hours of four assets that do nothing."""

import os
import time

from bench.task import Task, read_task, report_result


def main(task: Task) -> None:
    """Materialise every hour of the task in a new instance with Dagster's default storage."""
    os.environ.update(DATA_DIR=str(task.path), AMPLITUDE_START_HOUR=task.first)
    from dagster import (
        AssetExecutionContext,
        AssetsDefinition,
        DagsterInstance,
        Definitions,
        MaterializeResult,
        asset,
        define_asset_job,
    )

    from amplitude_assets.assets.partitions import export_hours, hours_per_run
    from amplitude_assets.config import load_settings
    from amplitude_assets.hours import contiguous_ranges, partition_of_hour

    settings = load_settings()
    partitions, policy = export_hours(settings), hours_per_run(settings)

    def idle(number: int) -> AssetsDefinition:
        @asset(
            name=f"idle_{number}",
            deps=[f"idle_{number - 1}"] if number else [],
            partitions_def=partitions,
            backfill_policy=policy,
        )
        def idle_asset(context: AssetExecutionContext) -> MaterializeResult[None]:
            for key in context.partition_keys:
                context.add_asset_metadata({"lines": 1}, partition_key=key)
            return MaterializeResult()

        return idle_asset

    graph = Definitions(
        assets=[idle(number) for number in range(4)],
        jobs=[define_asset_job("idle_job")],
    )
    job = graph.resolve_job_def("idle_job")
    home = settings.dagster_home_path
    home.mkdir(parents=True)
    os.environ["DAGSTER_HOME"] = str(home)
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with DagsterInstance.get() as instance:
        instance.get_runs_count()  # creates the tables
        began = time.monotonic()
        for part in contiguous_ranges(task.hours, longest=settings.run_hours):
            job.execute_in_process(
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                instance=instance,
                tags={
                    "dagster/asset_partition_range_start": partition_of_hour(part.first),
                    "dagster/asset_partition_range_end": partition_of_hour(part.last),
                },
            )
        seconds = time.monotonic() - began
    report_result(seconds, 0)


if __name__ == "__main__":
    main(read_task())
