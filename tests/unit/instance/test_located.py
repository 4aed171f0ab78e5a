"""A run of the command belongs to the code location, and Dagster's daemon does not retry it."""

import signal

import pytest
from dagster import (
    DagsterEventType,
    DagsterRun,
    DagsterRunStatus,
    Definitions,
    Failure,
    RunsFilter,
    asset,
    define_asset_job,
    in_process_executor,
)

from amplitude_assets.automation.requests import HOURS, range_tags
from amplitude_assets.config import Settings
from amplitude_assets.hours import HourRange, parse_hour
from amplitude_assets.instance.home import open_instance
from amplitude_assets.instance.located import execute_located
from amplitude_assets.instance.presence import presence

PLANNED = DagsterEventType.ASSET_MATERIALIZATION_PLANNED
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


def test_an_interrupt_while_a_run_is_created_waits_until_it_is_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings()
    with open_instance(settings) as instance:
        add_run = instance.run_storage.add_run

        def interrupted(run: DagsterRun) -> DagsterRun:
            signal.raise_signal(signal.SIGINT)
            return add_run(run)

        monkeypatch.setattr(instance.run_storage, "add_run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            execute_located(JOB, instance, tags={}, run_config={})
        (run,) = instance.get_runs()
        planned = instance.event_log_storage.get_logs_for_run(run.run_id)
        assert run.status is DagsterRunStatus.NOT_STARTED
        assert len([e for e in planned if e.dagster_event_type is PLANNED]) == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


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
