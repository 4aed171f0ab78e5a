"""README, CONTRIBUTING and docs name only existing commands, files, links and settings."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from amplitude_assets.cli.main import cli
from amplitude_assets.config import READ_BY_AWS, Settings
from bench.cli import main as bench
from tests.support.documents import (
    DOCUMENTS,
    GENERATED_DOCUMENT,
    ROOT,
    anchors,
    example_settings,
    links,
    names_in_code,
    shell_lines,
    spans,
)

# Programs that the documents use, but the project does not install.
_FOREIGN_PROGRAMS = {"aws", "cp", "git", "openssl", "terraform", "uv", "cd", "pip", "pre-commit"}
# Dagster's own settings.
_FOREIGN_NAMES = {"DAGSTER_EVENT_BATCH_SIZE"}
# Files that runs create, folders of a lake, and the user's folders.
_CREATED = re.compile(
    r"(\.venv|\.env|\.bench|artifacts|data|DATA_DIR|LAKE_URL|merges|keys|path/to)\b"
)
_documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
_handwritten = pytest.mark.parametrize(
    "document",
    [path for path in DOCUMENTS if path != GENERATED_DOCUMENT],
    ids=lambda path: path.stem,
)


@_documents
def test_every_command_exists(document: Path) -> None:
    for line in shell_lines(document):
        words = shlex.split(line.replace("…", "2026-09-01T00"))
        while words and re.fullmatch(r"[A-Z][A-Z0-9_]*=.*", words[0]):
            assert words.pop(0).partition("=")[0] in example_settings(), line
        if words:
            _check_command(words, line)


def _check_command(words: list[str], line: str) -> None:
    """Assert that the program accepts these arguments, without running it."""
    program, *arguments = words
    if Path(program).name == "amplitude-assets":
        _parse(cli, arguments, line)
    elif program == "make":
        targets = set(re.findall(r"^([\w./-]+):(?!=)", (ROOT / "Makefile").read_text(), re.M))
        assert set(arguments) <= targets, line
    elif Path(program).name in ("python", "pytest"):
        assert program.startswith(".venv/bin/"), f"may not be on the PATH: {line}"
        _check_python(arguments, line)
    else:
        assert Path(program).name in _FOREIGN_PROGRAMS, line


def _check_python(arguments: list[str], line: str) -> None:
    if arguments[:2] == ["-m", "bench"]:
        _parse(bench, arguments[2:], line)
    elif arguments[:1] == ["-m"]:
        assert importlib.util.find_spec(arguments[1]), line
    else:
        paths = [word.partition("::")[0] for word in arguments if "/" in word]
        assert all((ROOT / path).exists() for path in paths), line


def _parse(command: click.Command, arguments: list[str], line: str) -> None:
    """Let click parse the arguments, down to the innermost command."""
    try:
        context = command.make_context("it", list(arguments), resilient_parsing=False)
        if isinstance(command, click.Group):
            _, inner, rest = command.resolve_command(
                context, [*context._protected_args, *context.args]
            )
            assert inner is not None
            _parse(inner, rest, line)
    except click.exceptions.NoArgsIsHelpError:
        return  # the bare name of a group
    except (click.ClickException, ValueError) as error:
        pytest.fail(f"{line}: {error}")


@_documents
def test_every_link_leads_somewhere(document: Path) -> None:
    for link in links(document):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@_handwritten
def test_every_file_exists(document: Path) -> None:
    for span in _paths(document):
        places = (ROOT, document.parent, ROOT / "amplitude_assets", ROOT / "dbt_project" / "seeds")
        assert any((place / span).exists() for place in places), span


def _paths(document: Path) -> Iterator[str]:
    """Yield the spans that name a file or folder of the repository."""
    for span in spans(document):
        is_path = re.fullmatch(
            r"[\w.][\w./-]*(/|\.(py|md|ya?ml|toml|csv|sql|lock|html))", span
        ) or ("/" in span and (ROOT / span.split("/")[0]).is_dir())
        is_table = re.match(r"(bronze|silver|gold)[./]", span)
        if is_path and not is_table and not _CREATED.match(span):
            yield span


@_handwritten
def test_every_name_exists_in_the_code(document: Path) -> None:
    for span in spans(document):
        if re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+(=\S+)?", span):
            assert span.partition("=")[0] in names_in_code() | _FOREIGN_NAMES, span
        elif re.fullmatch(r"[a-z][a-z0-9]*([._/][a-z0-9]+)+", span) and not _CREATED.match(span):
            assert set(re.split(r"[./]", span)) <= names_in_code(), span


def test_the_example_has_every_setting_and_no_other() -> None:
    fields = {name.upper() for name in Settings.model_fields}
    assert example_settings() == fields | set(READ_BY_AWS)


def test_the_example_shows_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATA_DIR")
    example = (ROOT / ".env.example").read_text()
    for name, shown in re.findall(r"^# ([A-Z0-9_]+)=(\S+)$", example, re.MULTILINE):
        field = name.lower()
        default = getattr(Settings(), field)
        monkeypatch.setenv(name, shown)
        assert getattr(Settings(), field) == default, name
        monkeypatch.delenv(name)


def test_the_readme_begins_with_what_no_live_account_has_proven() -> None:
    top = (ROOT / "README.md").read_text().partition("\n## ")[0]
    (status,) = [text for text in top.split("\n\n") if text.startswith("**Test status.**")]
    assert re.search(r"live\s+Amplitude,\s+AWS\s+or\s+Snowflake\s+account", status)
    assert {"emulator", "moto", "DuckDB", "doctor"} <= set(re.findall(r"\w+", status))


def test_benchmark_figures_are_on_a_page_of_their_own() -> None:
    rate = re.compile(r"per\s+second|\d\s*[kMG]?B/s|times\s+(as\s+)?fast")
    readme, page = ((ROOT / name).read_text() for name in ("README.md", "docs/performance.md"))
    assert rate.search(page)
    assert not rate.search(readme)
    assert "docs/performance.md" in links(ROOT / "README.md")


def test_the_guide_explains_the_figures_of_a_partial_history() -> None:
    guide = (ROOT / "docs" / "guide.md").read_text()
    section = guide.partition("\n## Why a figure may differ")[2].partition("\n## ")[0]
    (partial,) = [text for text in section.split("\n- ") if "part of the history" in text]
    words = ("counts as new", "cohort", "lifetime value", "7 and 30 day", "AMPLITUDE_START_HOUR")
    assert [word for word in words if word not in " ".join(partial.split())] == []


def test_every_command_is_in_the_readme() -> None:
    named = set(re.findall(r"amplitude-assets ([a-z]+)", (ROOT / "README.md").read_text()))
    # Only a deployment calls `instance`.
    assert set(cli.list_commands(click.Context(cli))) - {"instance"} <= named


def test_the_package_tree_lists_every_folder_and_module() -> None:
    page = (ROOT / "docs" / "development.md").read_text()
    tree = page.partition("```\namplitude_assets/\n")[2].partition("```")[0]
    names = {name for line in tree.splitlines() for name in _names_of_the_tree(line)}
    package = ROOT / "amplitude_assets"
    modules = {path.name for path in package.glob("*.py")} - {"__init__.py"}
    folders = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    assert names == modules | folders


def _names_of_the_tree(line: str) -> list[str]:
    """Return the names at the start of a line of the tree, before its description."""
    return re.split(r",? ", line.strip().partition("  ")[0])


def test_the_hooks_are_the_linters_of_make_lint() -> None:
    """Each hook calls a tool that `make lint` calls, from the same environment."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook["entry"].split()[0] for repo in config["repos"] for hook in repo["hooks"]]
    recipe = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    tools = re.findall(r"\$\(BIN\)/(\S+)", recipe)
    assert [hook.removeprefix(".venv/bin/") for hook in hooks] == tools
    assert {repo["repo"] for repo in config["repos"]} == {"local"}
