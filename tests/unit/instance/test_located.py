"""A run of the command belongs to the code location, and Dagster's daemon does not retry it."""

from dagster import Definitions, Failure, RunsFilter, asset, define_asset_job, in_process_executor

from amplitude_assets.automation.requests import HOURS, range_tags
from amplitude_assets.config import Settings
from amplitude_assets.hours import HourRange, parse_hour
from amplitude_assets.instance.home import open_instance
from amplitude_assets.instance.located import execute_located
from amplitude_assets.instance.presence import presence

REQUESTED = HourRange(parse_hour("2026-09-01T05"), parse_hour("2026-09-01T08"))


@asset
def good() -> None: ...


@asset
def bad() -> None:
    raise Failure("cannot")


JOB = Definitions(
    [good, bad], jobs=[define_asset_job("both")], executor=in_process_executor
).resolve_job_def("both")


def test_the_run_is_listed_under_its_job_with_its_hours_first() -> None:
    settings = Settings()
    with open_instance(settings) as instance, presence(settings.dagster_home_path) as tags:
        done = execute_located(
            JOB, instance, tags={**range_tags(REQUESTED), **tags}, run_config={}, assets=[good.key]
        )
        # The UI's pages Overview and Jobs filter by these.
        listed = RunsFilter(
            job_name="both", tags={".dagster/repository": "__repository__@amplitude_assets"}
        )
        (run,) = instance.get_runs(listed)
    assert done.success
    assert run.run_id == done.run_id
    assert run.asset_selection == {good.key}
    shown = {k: v for k, v in run.tags.items() if not k.lstrip(".").startswith("dagster/")}
    assert shown == {HOURS: "2026-09-01T05 to 2026-09-01T08"}


def test_the_daemon_does_not_retry_the_run() -> None:
    """Dagster retries a run whose process was killed, unless the command started it."""
    settings = Settings()
    with open_instance(settings) as instance:
        for tags, retried in (({}, "true"), (None, "false")):
            with presence(settings.dagster_home_path) as ours:
                run = instance.create_run_for_job(JOB, tags=ours if tags is None else tags)
            instance.report_run_failed(run, "The process of this run was ended.")
            ended = instance.get_run_by_id(run.run_id)
            assert ended is not None
            assert ended.tags["dagster/will_retry"] == retried
