"""The sizing table in the documentation is that of the captured statements, and adds up."""

import pytest

from tests.snowflake.sizing import (
    DOCUMENT,
    Captured,
    captured_counts,
    count,
    credits_a_month,
    table,
)
from tests.support.query_tags import Tagged


def test_the_documents_table_is_that_of_the_captured_statements() -> None:
    assert table(captured_counts()) in DOCUMENT.read_text()


def test_only_statements_of_the_run_that_need_the_warehouse_count() -> None:
    load = {"run_id": "r", "asset": "bronze/raw_events"}
    build = {"run_id": "r", "asset": "dbt_models"}
    assert count(
        [
            Tagged("copy into t from @s", load),
            Tagged("begin", load),
            Tagged("create or replace temporary table t (a int)", load),
            Tagged("create or replace transient table t as (select 1)", build),
            Tagged("alter session set query_tag = 'x'", build),
            Tagged("delete from t", build),
            Tagged("select 1", {"command": "pytest"}),
        ]
    ) == Captured(load=1, build=2)


def test_the_arithmetic() -> None:
    # No events: 24 loads of 10 statements and the minute to suspend, and 4 builds of 100.
    captured = Captured(load=10, build=100)
    seconds = 24 * (10 * 0.3 + 60) + 4 * 100 * 0.3
    assert credits_a_month(captured, 0, 6) == pytest.approx(30 * seconds / 3600)
    more = credits_a_month(captured, 1_000_000, 6) - credits_a_month(captured, 0, 6)
    read = 1_000_000 * 2_000 / 75_000_000 + 1_000_000 * 10 / 40_000
    assert more == pytest.approx(30 * read / 3600)
    assert credits_a_month(captured, 0, 0) > credits_a_month(captured, 0, 6)
