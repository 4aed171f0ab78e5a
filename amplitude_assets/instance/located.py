"""Execute a job in this process as a run of the code location, so that Dagster's UI lists it."""

import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from dagster import (
    AssetKey,
    DagsterInstance,
    ExecuteInProcessResult,
    JobDefinition,
    JobExecutionResult,
)

from amplitude_assets.config import public_api_only

# The location's name in `workspace.yaml` and pyproject.toml, and Dagster's name of its repository.
CODE_LOCATION = "amplitude_assets"
REPOSITORY = "__repository__"

RunResult = JobExecutionResult | ExecuteInProcessResult


def execute_located(
    job: JobDefinition,
    instance: DagsterInstance,
    *,
    tags: Mapping[str, str],
    run_config: Mapping[str, Any],
    assets: Sequence[AssetKey] | None = None,
) -> RunResult:
    """Execute a job, or some of its assets, and return the result; a failure is not raised.

    The job's executor must be `in_process_executor`.
    """
    if public_api_only():
        return job.execute_in_process(
            run_config=run_config,
            instance=instance,
            tags=dict(tags),
            asset_selection=assets,
            raise_on_error=False,
        )
    # Private API. Gain: Dagster's pages Overview and Jobs list the run (test_located.py); a run
    # of the public `JobDefinition.execute_in_process` belongs to no code location, and both pages
    # leave it out. To be replaced by `execute_in_process` once it accepts a code location.
    from dagster._core.definitions.job_base import InMemoryJob
    from dagster._core.execution.api import execute_run
    from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin

    origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(CODE_LOCATION), REPOSITORY)
    with _interrupts_delayed():
        run = instance.create_run_for_job(
            job,
            run_config=run_config,
            tags={**job.run_tags, **tags},
            asset_selection=frozenset(assets) if assets else None,
            remote_job_origin=origin.get_job_origin(job.name),
        )
    return execute_run(InMemoryJob(job), run, instance)


@contextmanager
def _interrupts_delayed() -> Iterator[None]:
    """Raise the KeyboardInterrupt of a Ctrl+C in the block when the block has ended.

    Within SQLAlchemy, an interrupt can leave a transaction open: the run then stays "Not started",
    because the database is locked for the process that wants to cancel it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread receives signals
        return
    received: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: received.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if received:
        raise KeyboardInterrupt
