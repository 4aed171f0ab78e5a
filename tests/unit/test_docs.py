"""What README, CONTRIBUTING and docs name is there: commands, files, links, settings, names."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from amplitude_assets.cli import cli
from amplitude_assets.config import Settings
from bench.cli import main as bench
from tests.support.documents import (
    DOCUMENTS,
    ROOT,
    WRITTEN_BY_A_TEST,
    anchors,
    links,
    settings_of_the_example,
    shell_lines,
    spans,
    words_of_the_code,
)

# Beside ours: what a machine with an AWS account, Snowflake's own client or git would have.
_FOREIGN_PROGRAMS = {"aws", "cp", "git", "openssl", "terraform", "uv", "cd", "pip", "pre-commit"}
# Settings of Dagster's own.
_FOREIGN_NAMES = {"DAGSTER_EVENT_BATCH_SIZE"}
# What runs make, and folders of a lake or of the user's.
_MADE = re.compile(r"(\.venv|\.env|\.bench|artifacts|data|DATA_DIR|LAKE_URL|merges|keys|path/to)\b")
_documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
_written_by_people = pytest.mark.parametrize(
    "document",
    [path for path in DOCUMENTS if path != WRITTEN_BY_A_TEST],
    ids=lambda path: path.stem,
)


@_documents
def test_every_command_is_one(document: Path) -> None:
    for line in shell_lines(document):
        words = shlex.split(line.replace("…", "2026-09-01T00"))
        while words and re.fullmatch(r"[A-Z][A-Z0-9_]*=.*", words[0]):
            assert words.pop(0).partition("=")[0] in settings_of_the_example(), line
        if words:
            _accept(words, line)


def _accept(words: list[str], line: str) -> None:
    """Fail unless the program takes these arguments. Nothing is run."""
    program, *arguments = words
    if Path(program).name == "amplitude-assets":
        _parse(cli, arguments, line)
    elif program == "make":
        targets = set(re.findall(r"^([\w./]+):(?!=)", (ROOT / "Makefile").read_text(), re.M))
        assert set(arguments) <= targets, line
    elif Path(program).name in ("python", "pytest"):
        assert program.startswith(".venv/bin/"), f"not on everybody's PATH: {line}"
        _accept_python(arguments, line)
    else:
        assert Path(program).name in _FOREIGN_PROGRAMS, line


def _accept_python(arguments: list[str], line: str) -> None:
    if arguments[:2] == ["-m", "bench"]:
        _parse(bench, arguments[2:], line)
    elif arguments[:1] == ["-m"]:
        assert importlib.util.find_spec(arguments[1]), line
    else:
        paths = [word.partition("::")[0] for word in arguments if "/" in word]
        assert all((ROOT / path).exists() for path in paths), line


def _parse(command: click.Command, arguments: list[str], line: str) -> None:
    """Let click read the arguments, down to the innermost command."""
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


@_written_by_people
def test_every_file_is_there(document: Path) -> None:
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
        if is_path and not is_table and not _MADE.match(span):
            yield span


@_written_by_people
def test_every_name_is_one_of_the_code(document: Path) -> None:
    for span in spans(document):
        if re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+(=\S+)?", span):
            assert span.partition("=")[0] in words_of_the_code() | _FOREIGN_NAMES, span
        elif re.fullmatch(r"[a-z][a-z0-9]*([._/][a-z0-9]+)+", span) and not _MADE.match(span):
            assert set(re.split(r"[./]", span)) <= words_of_the_code(), span


def test_the_example_has_every_setting_and_no_other() -> None:
    fields = {name.upper() for name in Settings.model_fields}
    # boto3 and its like read these by themselves.
    of_aws = {"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_S3"}
    assert settings_of_the_example() == fields | of_aws


def test_the_example_shows_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATA_DIR")
    example = (ROOT / ".env.example").read_text()
    for name, shown in re.findall(r"^# ([A-Z0-9_]+)=(\S+)$", example, re.MULTILINE):
        field = name.lower()
        usual = getattr(Settings(), field)
        monkeypatch.setenv(name, shown)
        assert getattr(Settings(), field) == usual, name
        monkeypatch.delenv(name)


def test_every_command_is_in_the_readme() -> None:
    named = set(re.findall(r"amplitude-assets ([a-z]+)", (ROOT / "README.md").read_text()))
    # Only a deployment calls `instance`.
    assert set(cli.commands) - {"instance"} <= named


def test_the_hooks_are_the_linters_of_make_lint() -> None:
    """Each hook calls a tool that `make lint` calls, from the same environment."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook["entry"].split()[0] for repo in config["repos"] for hook in repo["hooks"]]
    recipe = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    tools = re.findall(r"\$\(BIN\)/(\S+)", recipe)
    assert [hook.removeprefix(".venv/bin/") for hook in hooks] == tools
    assert {repo["repo"] for repo in config["repos"]} == {"local"}
