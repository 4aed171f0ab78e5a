"""Parse the project's documents: their commands, links, anchors and names."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
# Its names are test ids; the test that compares it with its generator verifies them.
GENERATED_DOCUMENT = ROOT / "docs" / "faults.md"

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = ("*.py", "*.sql", "*.yml", "*.yaml", "*.csv", "*.toml", "*.txt", "*.tf", "*.js", "*.json")
_FOLDERS = ("amplitude_assets", "bench", "dbt_project", "deploy", "scripts", "tests")
_GENERATED_FOLDERS = {"target", "logs", "__pycache__"}


def shell_lines(document: Path) -> Iterator[str]:
    """Yield the commands of a document: lines of its shell blocks, and spans that look like one."""
    text = document.read_text()
    for _, language, block in _FENCE.findall(text):
        if language == "sh":
            for line in block.replace("\\\n", " ").splitlines():
                for command in line.partition(" #")[0].split("&&"):
                    if command.strip():
                        yield command.strip()
    yield from (span for span in spans(document) if span.split()[0] in ("make", "amplitude-assets"))


def spans(document: Path) -> Iterator[str]:
    """Yield the text between single backticks outside of code blocks."""
    yield from _SPAN.findall(_FENCE.sub("", document.read_text()))


def links(document: Path) -> Iterator[str]:
    """Yield the targets of links and pictures."""
    yield from _LINK.findall(_FENCE.sub("", document.read_text()))


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def example_settings() -> set[str]:
    """Return the variables that `.env.example` explains."""
    return set(re.findall(r"^# ([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


@cache
def names_in_code() -> frozenset[str]:
    """Return every name that occurs in the code, the models or the tests' data."""
    files = [ROOT / "Makefile", ROOT / ".env.example", ROOT / "pyproject.toml"]
    for folder in _FOLDERS:
        for pattern in _CODE:
            files += [
                path
                for path in (ROOT / folder).rglob(pattern)
                if not _GENERATED_FOLDERS & set(path.parts)
            ]
    names = frozenset(path.stem for path in files)
    return names.union(*(re.findall(r"\w+", path.read_text()) for path in files))
