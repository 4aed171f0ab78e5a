"""The command `amplitude-assets dev`: Dagster's UI and daemon, and the report that the UI links."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import click

import amplitude_assets
from amplitude_assets.cli.display import print_error
from amplitude_assets.config import Settings, load_settings
from amplitude_assets.instance.home import open_instance
from amplitude_assets.report.server import serve_report

_PACKAGE = Path(amplitude_assets.__file__).parent


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=3000, show_default=True, help="Port to listen on.")
def dev(host: str, port: int) -> None:
    """Start Dagster's UI and daemon over the state of `run`."""
    settings = load_settings()
    # The wheel contains workspace.yaml; in a checkout it is beside the package.
    packaged = _PACKAGE / "workspace.yaml"
    workspace = packaged if packaged.exists() else _PACKAGE.parent / "workspace.yaml"
    dagster = Path(sys.executable).parent / "dagster"
    command = [str(dagster), "dev", "--workspace", str(workspace)]
    command += ["--host", host, "--port", str(port)]
    # The libraries' warnings for developers would scroll the UI's address off the screen.
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    click.echo(f"Dagster's UI will be at http://{host}:{port} in some seconds. Ctrl+C stops it.")
    with open_instance(settings), _report_served(settings, host, port + 1):
        status = run_until_interrupted(command)
    sys.exit(status)


@contextmanager
def _report_served(settings: Settings, host: str, port: int) -> Iterator[None]:
    """Serve the report, and set `REPORT_URL` for Dagster's processes, unless it is set."""
    if settings.report_url is not None:
        yield
        return
    with ExitStack() as served:
        try:
            served.enter_context(serve_report(settings.report_path, host, port))
        except (OSError, OverflowError) as error:  # OverflowError: the port is above 65535
            print_error(f"no link to the report: cannot serve it on port {port}: {error}")
        else:
            # A browser that reaches Dagster's UI reaches the next port of the same host too.
            name = urlsplit(settings.dagster_url).hostname
            os.environ["REPORT_URL"] = f"http://{name}:{port}/"
        yield


def run_until_interrupted(command: Sequence[str]) -> int:
    """Run a command that shuts down on SIGINT; return its exit status, or 0 if interrupted.

    The command runs in its own process group and gets exactly one SIGINT, whether we are ended by
    Ctrl+C, SIGTERM or a closed terminal. We wait for it to exit. A shell that starts us with `&`
    makes us ignore SIGINT; the command does not inherit that.
    """
    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it
        signals.append(signal.SIGHUP)
    interrupted = threading.Event()
    before = {number: signal.signal(number, lambda *_: interrupted.set()) for number in signals}
    try:
        process = subprocess.Popen(command, process_group=0)  # noqa: S603 - our own command

        def forward(*_: object) -> None:
            interrupted.set()
            process.send_signal(signal.SIGINT)

        for number in signals:
            signal.signal(number, forward)
        if interrupted.is_set():  # before the process existed
            process.send_signal(signal.SIGINT)
        status = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0 if interrupted.is_set() else status
