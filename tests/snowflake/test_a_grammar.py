"""Level a: every statement for Snowflake matches sqlfluff's grammar.

This finds syntax errors in statements that no local engine can run: COPY, grants, integrations,
tasks. It does not check names and types.
"""

import re
from pathlib import Path

import pytest

import amplitude_assets.bootstrap
import amplitude_assets.warehouse
from amplitude_assets.bootstrap import snowflake as bootstrap
from amplitude_assets.warehouse.snowflake.session import statements_of
from tests.support import dbt
from tests.support.snowflake import SnowflakeUnderTest
from tests.support.snowflake_grammar import grammar_errors

_ROOT = Path(__file__).parents[2]
_LOADER = Path(amplitude_assets.warehouse.__file__).parent
_BOOTSTRAP = Path(amplitude_assets.bootstrap.__file__).parent / "sql"
_QUERIES = [
    path
    for folder in ("assets", "checks", "report")
    for path in sorted((_ROOT / "amplitude_assets" / folder).rglob("*.sql"))
]
_NAMES = bootstrap.SnowflakeNames(
    database="AMPLITUDE",
    role="AMPLITUDE_PIPELINE",
    user="AMPLITUDE_PIPELINE",
    warehouse="AMPLITUDE_WH",
    stage="bronze.lake",
    location="s3://bucket/prefix/",
    role_arn="arn:aws:iam::1:role/it's",
    public_key="MIIB",
    identity_arn="arn:aws:iam::1:role/pipeline",
    reader_key="MIIC",
    rebuild_warehouse="AMPLITUDE_REBUILD_WH",
)


@pytest.mark.parametrize(
    "name",
    sorted({path.stem for path in [*_LOADER.glob("snowflake/sql/*"), *_LOADER.glob("sql/*")]}),
)
def test_statements_of_the_loader(name: str) -> None:
    for statement in statements_of(name):
        filled = statement.format(stage="bronze.lake", files="'a/b', 'c'", digests="'a', 'b'")
        # The connector replaces parameters with literals.
        assert not grammar_errors(re.sub(r"%\((\w+)\)s", "'value'", filled) + ";\n")


@pytest.mark.parametrize("path", _QUERIES, ids=lambda path: path.stem)
def test_queries_of_checks_and_report(path: Path) -> None:
    assert not grammar_errors(re.sub(r"\{\w+\}", "1", path.read_text()).strip() + "\n")


@pytest.mark.parametrize("name", sorted(path.stem for path in _BOOTSTRAP.glob("*.sql")))
def test_statements_of_the_setup(name: str) -> None:
    sql = bootstrap.render(_NAMES, [name])
    assert not grammar_errors(sql)
    assert "replace" not in sql.lower().replace("never replaced", "")


def test_the_transaction_of_an_incremental_model() -> None:
    macros = (_ROOT / "dbt_project" / "macros" / "batch.sql").read_text()
    block = macros[macros.index("execute immediate $$") : macros.rindex("$$") + 2]
    dml = (
        "delete from a where (b, c) in (select b, c from d);\n    insert into a (b) select b from e"
    )
    block = block.replace("{{ dml | trim }}", dml)
    assert not grammar_errors(f"{block};\n")
    # To the statement around it, the block is text.
    assert not grammar_errors(f"{block.split('$$')[1].strip()}\n")


def test_every_compiled_model(fake_account: SnowflakeUnderTest) -> None:
    fake_account.empty()
    # dbt signs in without a key here, and with one in levels b and c.
    without_key = {**fake_account.environment, **fake_account.identity}
    del without_key["SNOWFLAKE_PRIVATE_KEY_PATH"]
    compiled = dbt.compiled_on(without_key)
    assert len(compiled) > 30
    wrong = {name: grammar_errors(f"{sql.strip()}\n") for name, sql in compiled.items()}
    assert not {name: found for name, found in wrong.items() if found}


@pytest.mark.parametrize(
    "broken",
    [
        "copy into t from (select $1 from @stage files = ('a');",
        "create storage integration if not exists i type = external_stage storage = 's3';",
        "grant usage on on database d to role r;",
        "create task t warehouse = w schedule '5 minutes' as select 1;",
    ],
)
def test_the_grammar_rejects_invalid_statements(broken: str) -> None:
    assert grammar_errors(broken)
