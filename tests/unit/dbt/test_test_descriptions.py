"""The description of a data test comes from the project's YAML or its arguments."""

import pytest

from amplitude_assets.dbt.test_descriptions import describe_test


@pytest.mark.parametrize(
    ("name", "kwargs", "described"),
    [
        ("not_null", {"column_name": "uuid"}, "`uuid` has a value in every row."),
        (
            "relationships",
            {"column_name": "user_key", "to": "ref('users')", "field": "user_key"},
            "Every `user_key` is found as `user_key` in `users`.",
        ),
        (
            "accepted_values",
            {"column_name": "is_cycle", "values": [False]},
            "`is_cycle` is one of `False`.",
        ),
        ("of_a_user_of_ours", {}, None),
    ],
)
def test_a_generic_test_is_described_from_its_arguments(
    name: str, kwargs: dict[str, object], described: str | None
) -> None:
    node = {"description": "", "test_metadata": {"name": name, "kwargs": kwargs}}
    assert describe_test(node) == described


def test_a_description_in_the_project_takes_precedence() -> None:
    node = {
        "description": "Every id is there.\n",
        "test_metadata": {"name": "not_null", "kwargs": {"column_name": "id"}},
    }
    assert describe_test(node) == "Every id is there."
    assert describe_test({"description": "", "test_metadata": None}) is None
