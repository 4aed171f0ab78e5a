"""What a run of the command leaves in Dagster's instance: no old runs, and no unfinished ones."""

import os
from datetime import UTC, datetime

import pytest
from dagster import DagsterRun, DagsterRunStatus

from amplitude_assets.config import Settings
from amplitude_assets.hours import HourRange, parse_hour
from amplitude_assets.instance.home import open_instance
from amplitude_assets.runs.in_process import MainRun, run_main_job

pytestmark = pytest.mark.integration

HOUR = parse_hour("2026-09-01T05")
DAY_SECONDS = 86_400


def test_a_run_deletes_artifacts_older_than_the_retention(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(retention_days=30)
    now = datetime.now(UTC).timestamp()
    for days in (29, 31):
        folder = settings.data_dir / "dbt" / f"{days}"
        folder.mkdir(parents=True)
        (folder / "run_results.json").write_text("{}")
        os.utime(folder, (now - days * DAY_SECONDS, now - days * DAY_SECONDS))
    monkeypatch.setattr(MainRun, "load_hours", lambda _: None)
    with open_instance(settings) as instance:
        run_main_job(settings, instance, HourRange(HOUR, HOUR), lambda _: None)
    assert [path.name for path in (settings.data_dir / "dbt").iterdir()] == ["29"]


def test_an_interrupt_before_a_run_starts_cancels_only_that_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings()

    def interrupted(run: MainRun) -> None:
        run._instance.add_run(DagsterRun(job_name="mine", tags=dict(run._tags)))
        raise KeyboardInterrupt

    monkeypatch.setattr(MainRun, "load_hours", interrupted)
    with open_instance(settings) as instance:
        instance.add_run(DagsterRun(job_name="another"))
        with pytest.raises(KeyboardInterrupt):
            run_main_job(settings, instance, HourRange(HOUR, HOUR), lambda _: None)
        assert {run.job_name: run.status for run in instance.get_runs()} == {
            "mine": DagsterRunStatus.CANCELED,
            "another": DagsterRunStatus.NOT_STARTED,
        }
