"""Values from data in Markdown render as text only."""

from collections.abc import Iterator, Sequence

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from amplitude_assets.assets.markdown import code_span

# As Dagster's UI renders it: CommonMark with tables, HTML and automatic links.
RENDERER = MarkdownIt("commonmark").enable("table")
HARMLESS = {"inline", "code_inline", "text"} | {
    f"{block}_{side}"
    for block in (
        "bullet_list", "list_item", "paragraph", "table", "thead", "tbody", "tr", "th", "td",
    )
    for side in ("open", "close")
}  # fmt: skip
MARKUP = st.sampled_from([
    "![x](https://evil.example/x.png)", "[x](javascript:1)", "<img src=x>", "https://evil.example",
    "`", "``", "\n", "\n\n", "\r", "|", "\\", "\\|", "- ", "# ", "    ", "&lt;", "<!--", "a", " ",
    "\0",
])  # fmt: skip
HOSTILE = st.lists(st.one_of(MARKUP, st.text(max_size=5)), max_size=8).map("".join)


def rendered(markdown: str) -> list[Token]:
    return list(_flat(RENDERER.parse(markdown)))


def _flat(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _flat(token.children or [])


@given(HOSTILE)
@example("`` ![x](https://evil.example/x.png) ``")
@example("\n\n![x](https://evil.example/x.png)")
def test_a_hostile_key_in_a_list_is_escaped(key: str) -> None:
    tokens = rendered(f"- new: {code_span(key)}, {code_span('after')}")
    assert {token.type for token in tokens} <= HARMLESS
    codes = [token.content for token in tokens if token.type == "code_inline"]
    expected = " ".join(key.split()).replace("|", "¦").replace("\0", "�")
    assert codes == [expected or " ", "after"]
    # Outside code, a URL becomes a link.
    texts = [token.content for token in tokens if token.type == "text"]
    assert texts == ["new: ", ", "]


@given(HOSTILE)
@example("a | b")
def test_a_hostile_name_in_a_table_stays_in_its_cell(name: str) -> None:
    tokens = rendered(f"| event |\n|---|\n| {code_span(name)} |\n")
    assert {token.type for token in tokens} <= HARMLESS
    assert [token.type for token in tokens].count("td_open") == 1
    assert [token.type for token in tokens].count("code_inline") == 1


def test_long_text_is_truncated() -> None:
    assert code_span("k" * 10_000) == f"`{'k' * 200}…`"
