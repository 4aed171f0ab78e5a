"""Run the system's Chromium with Playwright, without its background connections."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

DESK = (1280, 900)
ARTIFACTS = Path(__file__).parents[2] / "artifacts"

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    """Return the path of Chromium, or None if it is not installed."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a headless Chromium. Raises FileNotFoundError when it is not installed."""
    path = find_chromium()
    if path is None:
        raise FileNotFoundError("there is no Chromium here; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def save_screenshot(page: Page, name: str, *, full_page: bool = False) -> None:
    """Save a screenshot of the page under `artifacts/ui`."""
    page.screenshot(path=ARTIFACTS / "ui" / f"{name}.png", full_page=full_page)


class PageProblems:
    """Record problems of a page: errors, warnings, and requests to other addresses."""

    def __init__(self, page: Page) -> None:
        self.seen: list[str] = []
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self.seen.append(str(error)))
        page.on("request", lambda request: self._request(request.url))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.seen.append(f"{kind}: {text}")

    def _request(self, url: str) -> None:
        if not url.startswith(("file:", "data:")):
            self.seen.append(f"request: {url}")


@contextmanager
def open_page(
    browser: Browser, path: Path, size: tuple[int, int], scheme: str
) -> Iterator[tuple[Page, PageProblems]]:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    try:
        page = context.new_page()
        problems = PageProblems(page)
        page.goto(path.as_uri())
        page.wait_for_function(
            "document.querySelectorAll('[data-chart]').length"
            " === document.querySelectorAll('[data-chart] .main-svg:first-child').length"
        )
        yield page, problems
    finally:
        context.close()
