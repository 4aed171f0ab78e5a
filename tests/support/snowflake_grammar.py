"""Check statements against sqlfluff's grammar of Snowflake, which ignores names and types."""

from functools import cache

from sqlfluff.core import Linter


def grammar_errors(sql: str) -> list[str]:
    """Return the grammar errors of one or more statements."""
    parsed = _linter().parse_string(sql)
    unparsable = [violation.desc() for violation in parsed.violations]
    if parsed.tree is not None:
        unparsable += [part.raw[:80] for part in parsed.tree.recursive_crawl("unparsable")]
    return unparsable


@cache
def _linter() -> Linter:
    return Linter(dialect="snowflake")
