"""Describe each dbt data test in one sentence for Dagster's UI."""

import re
from collections.abc import Callable, Mapping
from typing import Any

Arguments = Mapping[str, Any]

_REF = re.compile(r"""ref\(\s*['"](\w+)['"]\s*\)""")


def describe_test(node: Mapping[str, Any]) -> str | None:
    """Return the sentence for a test of the manifest, or None for an unknown generic test.

    A description in the project's YAML takes precedence.
    """
    written = str(node.get("description") or "").strip()
    test = node.get("test_metadata")
    if written or test is None:
        return written or None
    sentence = _GENERIC.get(test["name"])
    return sentence(test["kwargs"]) if sentence else None


def _columns(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _is_found(column: str, to: str, field: str) -> str:
    model = _REF.search(to)
    return f"Every `{column}` is found as `{field}` in `{model[1] if model else to}`"


_GENERIC: Mapping[str, Callable[[Arguments], str]] = {
    "not_null": lambda a: f"`{a['column_name']}` has a value in every row.",
    "no_nulls": lambda a: f"These columns have a value in every row: {_columns(a['columns'])}.",
    "unique": lambda a: f"No two rows have the same `{a['column_name']}`.",
    "unique_together": lambda a: f"No two rows agree in all of {_columns(a['columns'])}.",
    "accepted_values": lambda a: (
        f"`{a['column_name']}` is one of {_columns([str(value) for value in a['values']])}."
    ),
    "relationships": lambda a: f"{_is_found(a['column_name'], a['to'], a['field'])}.",
    "relationships_within_project": lambda a: (
        f"{_is_found(a['column'], a['to'], a['field'])}, within the same project."
    ),
    "row_is_true": lambda a: f"Every row satisfies `{a['condition']}`.",
    "no_date_missing": lambda a: f"`{a['date_column']}` has every date from the first to the last.",
}
