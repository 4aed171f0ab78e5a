"""What steps print under the command line: kept in files for Dagster's UI, and not repeated.

Dagster repeats it on the terminal by two processes a stream. Ctrl+C interrupts them as well, and
each of them prints a traceback. The command says itself what failed.
"""

import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster._core.execution.compute_logs import redirect_to_file
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.compute_log_manager import CapturedLogContext
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._serdes import ConfigurableClassData


class StepOutput(LocalComputeLogManager):
    """Keeps the output where Dagster's own class does."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "StepOutput":
        """Return what an instance's configuration describes; Dagster calls this."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Generator[CapturedLogContext, None, None]:
        """Send what this process prints to the files of a step, until the block is left."""
        kinds = ("out", "err", "complete")
        out, err, complete = (self.get_captured_local_path(log_key, kind) for kind in kinds)
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        with redirect_to_file(sys.stdout, out), redirect_to_file(sys.stderr, err):
            yield CapturedLogContext(log_key)
        Path(complete).touch()


def without_repeating(ref: InstanceRef) -> InstanceRef:
    """Return the instance with `StepOutput` in place of Dagster's class, if it has that one."""
    kept = ref.compute_logs_data
    if kept.class_name != LocalComputeLogManager.__name__:
        return ref
    ours = ConfigurableClassData(__name__, StepOutput.__name__, kept.config_yaml)
    return ref._replace(compute_logs_data=ours)
