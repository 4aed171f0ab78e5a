"""Write what steps print to files for Dagster's UI, and keep it out of the progress display.

Private API. Gain: Dagster's class also repeats it on the terminal, by four helper processes for
each run, over the progress display. Without them an empty run takes 90 ms of CPU less (256 in
place of 346), and Ctrl+C prints no tracebacks of theirs. The public API that replaces this is
Dagster's own class; its settings have no way to switch the repetition off.
"""

import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster import DagsterInstance
from dagster._core.execution.compute_logs import redirect_to_file
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.compute_log_manager import CapturedLogContext
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._serdes import ConfigurableClassData


class StepOutput(LocalComputeLogManager):
    """Dagster's compute logs in the same files, without the echo on the terminal."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "StepOutput":
        """Create the object from an instance's configuration; Dagster calls this."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Generator[CapturedLogContext, None, None]:
        """Redirect this process's stdout and stderr to a step's files inside the block."""
        kinds = ("out", "err", "complete")
        out, err, complete = (self.get_captured_local_path(log_key, kind) for kind in kinds)
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        with redirect_to_file(sys.stdout, out), redirect_to_file(sys.stderr, err):
            yield CapturedLogContext(log_key)
        for path in map(Path, (out, err)):
            if path.stat().st_size == 0:
                path.unlink()  # most steps print nothing
        Path(complete).touch()


def open_without_echo(home: Path) -> DagsterInstance:
    """Open the instance of a Dagster home, with `StepOutput` in place of Dagster's local class."""
    ref = InstanceRef.from_dir(str(home))
    logs = ref.compute_logs_data
    if logs.class_name == LocalComputeLogManager.__name__:
        ours = ConfigurableClassData(__name__, StepOutput.__name__, logs.config_yaml)
        ref = ref._replace(compute_logs_data=ours)
    return DagsterInstance.from_ref(ref)
