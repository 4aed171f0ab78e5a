"""End a step without retry when it is interrupted, by Ctrl+C or a termination in the UI."""

from collections.abc import Iterator
from contextlib import contextmanager

from dagster import AssetExecutionContext, DagsterExecutionInterruptedError, Failure

from amplitude_assets.instance.presence import PROCESS


@contextmanager
def no_retry_when_interrupted(context: AssetExecutionContext) -> Iterator[None]:
    """Turn an interrupt into a Failure without retry.

    With a retry policy, Dagster would retry an interrupted step after the policy's delay, and a
    terminated run would continue. A run of the command is marked as canceling, as the UI does
    before it terminates a run, so that Dagster ends it as canceled and not as failed.
    """
    try:
        yield
    except DagsterExecutionInterruptedError as interrupt:
        if PROCESS in context.run.tags:
            context.instance.report_run_canceling(context.run)
        raise Failure("interrupted", allow_retries=False) from interrupt
