"""Take the screenshots in docs/images from the data of `make demo`.

    make demo && .venv/bin/python scripts/screenshots.py

It uses `DATA_DIR` like the commands, starts Dagster's UI, and needs Chromium.
"""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from amplitude_assets.config import load_settings  # noqa: E402
from amplitude_assets.connections.warehouse import open_warehouse  # noqa: E402
from amplitude_assets.hours import partition_of_hour  # noqa: E402
from amplitude_assets.instance.home import prepare_home  # noqa: E402
from tests.support.browser import chromium  # noqa: E402

IMAGES = ROOT / "docs" / "images"
_START_SECONDS = 180


def main() -> None:
    """Take all screenshots."""
    settings = load_settings()
    prepare_home(settings)
    IMAGES.mkdir(parents=True, exist_ok=True)
    ((newest,),) = open_warehouse(settings).query(
        "select max(export_hour) from bronze.export_hours"
    )
    with chromium() as browser, dagster_ui() as url:
        lineage(browser, url)
        hour(browser, url, partition_of_hour(newest))
        for scheme in ("light", "dark"):
            report(browser, settings.report_path, scheme)


def lineage(browser: Browser, url: str) -> None:
    """Take the lineage page as it opens, with all groups collapsed."""
    page = open_page(browser, f"{url}/asset-groups", width=1700, height=560)
    page.locator("foreignObject").filter(has_text=re.compile("^report$")).first.wait_for()
    page.wait_for_timeout(2000)  # the graph scrolls to fit the window
    page.screenshot(path=IMAGES / "lineage.png")


def hour(browser: Browser, url: str, key: str) -> None:
    """Take the page of an hour in bronze with the given partition key."""
    address = f"{url}/assets/bronze/raw_events?view=partitions&partition={key}"
    page = open_page(browser, address, width=1280, height=860)
    page.get_by_text("partition_row_count").first.wait_for()
    page.screenshot(path=IMAGES / "hour.png")


def report(browser: Browser, path: Path, scheme: str) -> None:
    """Take the top of the overview report in one colour scheme."""
    context = browser.new_context(
        viewport={"width": 1200, "height": 760},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    page.goto(path.as_uri())
    page.locator("[data-chart=lag] .main-svg").first.wait_for()
    page.wait_for_timeout(1000)
    page.screenshot(path=IMAGES / f"report-{scheme}.png")


def open_page(browser: Browser, url: str, width: int, height: int) -> Page:
    """Open a page in a window of this size."""
    page = browser.new_context(viewport={"width": width, "height": height}).new_page()
    page.set_default_timeout(_START_SECONDS * 1000)
    page.goto(url)
    return page


@contextmanager
def dagster_ui() -> Iterator[str]:
    """Run Dagster's web server on a free port, and yield its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [str(Path(sys.executable).parent / "dagster-webserver"), "-p", str(port)]
    command += ["-w", str(ROOT / "workspace.yaml")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)  # noqa: S603 - fixed
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _is_up(url):
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError("Dagster's web server did not start; try `make dev`")
            time.sleep(0.5)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _is_up(url: str) -> bool:
    try:
        return requests.get(f"{url}/server_info", timeout=5).ok
    except requests.RequestException:
        return False


if __name__ == "__main__":
    main()
