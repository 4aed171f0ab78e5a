"""The warehouse file: one process at a time, while others wait, and rewriting without old rows."""

from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path

import duckdb
import pytest

from amplitude_assets.hours import parse_hour
from amplitude_assets.lake.store import Lake
from amplitude_assets.warehouse.base import WarehouseError
from amplitude_assets.warehouse.duckdb.file import DuckDBFile
from amplitude_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.support.lake import publish

pytestmark = pytest.mark.integration

FIRST = parse_hour("2026-09-01T05")


def test_waiting_for_another_writer_times_out_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with (
        DuckDBFile(path).exclusive(),
        pytest.raises(WarehouseError, match="another run that is writing"),
        DuckDBFile(path, lock_seconds=0.2).connection(),
    ):
        pass


def hold(path: Path, is_held: Event, release: Event) -> None:
    """Hold a DuckDB file open without our lock, like another program."""
    with duckdb.connect(str(path)):
        is_held.set()
        release.wait(60)


def test_opening_waits_for_another_program_and_then_names_it(tmp_path: Path) -> None:
    file = DuckDBFile(tmp_path / "warehouse.duckdb", lock_seconds=0.5)
    duckdb.connect(str(file.path)).close()
    context = get_context("spawn")
    is_held, release = context.Event(), context.Event()
    other = context.Process(target=hold, args=(file.path, is_held, release))
    other.start()
    try:
        assert is_held.wait(60)
        # dbt opens the file itself, so holding the lock is not enough.
        for opening in (file.connection, file.exclusive):
            with pytest.raises(WarehouseError, match="Close other programs that use it"), opening():
                pass
    finally:
        release.set()
        other.join()
    with file.exclusive():
        duckdb.connect(str(file.path)).close()


def test_a_rewritten_file_has_the_same_rows_and_no_byte_of_replaced_ones(tmp_path: Path) -> None:
    lake = Lake((tmp_path / "lake").as_uri())
    path = tmp_path / 'an "odd\'s" name.duckdb'
    warehouse = DuckDBWarehouse(path)
    theirs, ours = b'{"who":"anna@example.com"}', b'{"who":"bob"}'
    warehouse.load(lake, [publish(lake, FIRST, [[theirs, ours]], tmp_path / "files")], "load-1")
    warehouse.load(lake, [publish(lake, FIRST, [[ours]], tmp_path / "files")], "load-2")
    with duckdb.connect(str(path)) as con:
        con.execute("create view bronze.a_view as select count(*) as lines from bronze.raw_events")
    assert b"anna@example.com" in path.read_bytes()  # a delete alone does not remove it
    link = tmp_path / "link.duckdb"
    link.symlink_to(path)
    DuckDBWarehouse(link).rewrite()
    assert link.is_symlink()
    assert warehouse.query("select event from bronze.raw_events") == [(ours.decode(),)]
    assert warehouse.query("select lines from bronze.a_view") == [(1,)]
    assert b"anna@example.com" not in path.read_bytes()
    assert sorted(one.name for one in tmp_path.glob("*.copy*")) == []
