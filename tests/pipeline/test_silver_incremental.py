"""Silver does not depend on the order in which hours arrive.

Each case is a random history: hours in any order, re-delivered with other lines, shrunk, emptied
and forgotten, late merges, events in the past and the future, interrupted runs. At its end every
table must equal, row for row, those of a warehouse that was built once from the final bronze.
"""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.support import dedupe
from tests.support.bronze import create_bronze, forget_hours, load_hours
from tests.support.dbt import PROJECT, build, models_in_build_order, silver_only

FIRST_HOUR = datetime(2026, 3, 28)
PROJECTS = (100011, 200022)

# Tables whose rows depend on the last run only.
RUN_TABLES = {
    "load_batch", "dedup_candidates", "dedup_results", "rekeyed_ids", "changed_keys",
    "touched_users", "touched_user_dates", "touched_hours", "touched_devices", "touched_events",
    "dedup_candidate_keys",
}  # fmt: skip


@pytest.fixture(scope="module")
def silver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the silver half of the project."""
    return silver_only(tmp_path_factory.mktemp("silver"))


@pytest.mark.parametrize("seed", range(2))
def test_any_history_equals_one_build(seed: int, silver: Path, tmp_path: Path) -> None:
    check_any_history(random.Random(seed), silver, tmp_path)


def test_any_history_equals_one_build_in_gold_too(tmp_path: Path) -> None:
    check_any_history(random.Random(99), PROJECT, tmp_path)


def test_a_new_first_copy_with_another_insert_id_restores_what_the_old_insert_id_dropped(
    silver: Path, tmp_path: Path
) -> None:
    path = tmp_path / "warehouse.duckdb"
    earlier, first, second = (FIRST_HOUR + timedelta(hours=n) for n in range(3))

    def load(load_id: str, lines: dict[datetime, tuple[str, str]]) -> None:
        with duckdb.connect(str(path)) as con:
            hours = {
                hour: [
                    {
                        "uuid": uuid,
                        "$insert_id": insert_id,
                        "device_id": "d",
                        "server_upload_time": f"{hour}",
                    }
                ]
                for hour, (uuid, insert_id) in lines.items()
            }
            load_hours(con, hours, load_id=load_id)
        build(path, tests=False, project=silver)

    load("load-1", {first: ("u1", "i1"), second: ("u2", "i1")})
    load("load-2", {earlier: ("u1", "i9")})
    with duckdb.connect(str(path), read_only=True) as con:
        kept = con.execute("select uuid, insert_id from silver.events order by uuid").fetchall()
        assert dedupe.recorded(con) == dedupe.expected(con)
    assert kept == [("u1", "i9"), ("u2", "i1")]


def check_any_history(chance: random.Random, project: Path, tmp_path: Path) -> None:
    history = History(chance, tmp_path / "warehouse.duckdb", project)
    for _ in range(6):
        history.change_bronze()
        history.build_or_stop_halfway()
    history.merge_late()
    history.build()
    once = tmp_path / "once" / "warehouse.duckdb"
    once.parent.mkdir()
    copy_bronze(history.path, once)
    build(once, tests=False, variables=history.variables, project=project)

    assert differences(history.path, once) == {}
    with duckdb.connect(str(history.path), read_only=True) as con:
        assert dedupe.recorded(con) == dedupe.expected(con)
        assert unreconciled_hours(con) == []


class History:
    """A warehouse, and methods that change it step by step."""

    def __init__(self, chance: random.Random, path: Path, project: Path) -> None:
        self.chance = chance
        self.path = path
        self.project = project
        self.variables = {"infer_merges_from_devices": chance.random() < 0.5}
        self._hours = [FIRST_HOUR + timedelta(hours=61 * n) for n in range(8)]
        self._models = models_in_build_order(project)
        self._loads = 0
        with duckdb.connect(str(path)) as con:
            create_bronze(con)

    def change_bronze(self) -> None:
        """Load a few hours of one or two projects, some of them again, or delete one."""
        with duckdb.connect(str(self.path)) as con:
            for project_id in self.chance.sample(PROJECTS, self.chance.choice((1, 1, 2))):
                hours = self.chance.sample(self._hours, self.chance.randint(1, 3))
                self._loads += 1
                load_hours(
                    con,
                    {hour: self._lines(hour) for hour in hours},
                    project_id,
                    load_id=f"load-{self._loads}",
                )
                if self.chance.random() < 0.15:
                    forget_hours(con, [self.chance.choice(self._hours)], project_id)

    def merge_late(self) -> None:
        """Add late merges: a chain, and a cycle."""
        with duckdb.connect(str(self.path)) as con:
            con.executemany(
                "insert into bronze.merge_ids values (?, 'merges', ?, ?, ?, ?, null, '2026-05-01')",
                [
                    (PROJECTS[0], n, absorbed, surviving, "2026-04-20")
                    for n, (absorbed, surviving) in enumerate([(1, 2), (2, 3), (5, 6), (6, 5)])
                ],
            )

    def build_or_stop_halfway(self) -> None:
        """Run dbt completely, or only its first models, as an interrupted run does."""
        stop = self.chance.randint(1, len(self._models) - 1) if self.chance.random() < 0.5 else None
        self.build(["resource_type:seed", *self._models[:stop]] if stop else ())

    def build(self, select: Sequence[str] = ()) -> None:
        """Run dbt to its end, or only the selected models."""
        build(
            self.path,
            select=select,
            tests=False,
            variables=self.variables,
            project=self.project,
        )

    def _lines(self, hour: datetime) -> list[dict[str, Any]]:
        return [self._line(hour) for _ in range(self.chance.choice((0, 1, 5, 12, 25)))]

    def _line(self, hour: datetime) -> dict[str, Any]:
        pick = self.chance.choice
        uploaded = hour + timedelta(seconds=self.chance.randint(0, 3599))
        event_time = uploaded - timedelta(
            seconds=pick(
                (0, 1, 60, 3600, 86400 * 3, 86400 * 20, 86400 * 9999, -86400 * 400, -86400 * 6, -30)
            )
        )
        properties = [
            ("plan", pick(("free", "pro", 3))),
            ("Plan", "x"),
            ("a.b", {"z": 1, "y": [2]}),
        ]
        self.chance.shuffle(properties)
        line = {
            "uuid": f"u{self.chance.randint(1, 60)}",
            "$insert_id": pick((None, "", "null", "i1", "i2", "i3", "i4", "i5")),
            "device_id": pick((None, "0", "d1", "d2", "d3")),
            "user_id": pick((None, "", "ann", "bob")),
            "amplitude_id": pick((None, 0, 1, 2, 3, 4, 5, 6)),
            "session_id": pick((-1, None, 1700000000000, 1700000360000)),
            "event_id": self.chance.randint(1, 99),
            "event_type": pick(("visit", "purchase", "session_start")),
            "event_time": f"{event_time}",
            "client_event_time": pick((None, f"{event_time - timedelta(seconds=9)}")),
            "server_upload_time": pick((f"{uploaded}", f"{uploaded}", f"{hour}", None)),
            "platform": pick(("iOS", "Web", None)),
            "country": pick(("France", "Chile", None)),
            "paying": pick((None, "true", True)),
            "event_properties": pick(({}, {"$revenue": 1.5}, {"$price": 2, "$quantity": 3}, None)),
            "user_properties": pick(({}, dict(properties), dict(properties[:1]), None, "EMPTY")),
            "groups": pick(({}, None, {"org": "acme"}, {"org": ["acme", "b/c"], "team": [7]})),
            "group_properties": pick(
                ({}, None, {"org": {"acme": {"size": 3}, "b/c": {"size": "L"}}})
            ),
            "data": pick(({}, {}, {}, {}, {"merged_amplitude_id": pick((0, 2, 3, 4))})),
        }
        if self.chance.random() < 0.05:
            line["uuid"] = None
        return line


def copy_bronze(source: Path, target: Path) -> None:
    """Copy the bronze tables into a new warehouse, without silver and gold."""
    with duckdb.connect(str(target)) as con:
        create_bronze(con)
        con.execute(f"attach '{source}' as other (read_only)")
        for table in ("raw_events", "export_hours", "rejected_lines", "merge_ids"):
            con.execute(f"insert into bronze.{table} select * from other.bronze.{table}")


def differences(left: Path, right: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return, for each table that differs, a few rows that only one of the two warehouses has."""
    found = {}
    with duckdb.connect(str(left), read_only=True) as con:
        con.execute(f"attach '{right}' as other (read_only)")
        for schema, table in _tables(con):
            here, there = f"{schema}.{table}", f"other.{schema}.{table}"
            rows = con.execute(
                f"(select 'left', * from (from {here} except all from {there}))"
                f" union all (select 'right', * from (from {there} except all from {here})) limit 5"
            ).fetchall()
            if rows:
                found[f"{schema}.{table}"] = rows
    return found


def unreconciled_hours(con: duckdb.DuckDBPyConnection) -> Sequence[tuple[object, ...]]:
    """Return the hours whose bronze rows are not exactly their events and duplicates."""
    return con.execute(
        """
        select project_id, export_hour, bronze_rows, silver_events, duplicates
        from (select project_id, export_hour from bronze.export_hours
              union select project_id, export_hour from silver.events
              union select project_id, export_hour from silver.event_duplicates)
        left join (select project_id, export_hour, count(*) as bronze_rows
                   from bronze.raw_events group by all) using (project_id, export_hour)
        left join (select project_id, export_hour, count(*) as silver_events
                   from silver.events group by all) using (project_id, export_hour)
        left join (select project_id, export_hour, count(*) as duplicates
                   from silver.event_duplicates group by all) using (project_id, export_hour)
        where coalesce(bronze_rows, 0) <> coalesce(silver_events, 0) + coalesce(duplicates, 0)
        """
    ).fetchall()


def _tables(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    rows = con.execute(
        "select table_schema, table_name from information_schema.tables"
        " where table_catalog = current_database() and table_schema in ('silver', 'gold')"
    ).fetchall()
    assert len(rows) > 14
    return sorted((schema, table) for schema, table in rows if table not in RUN_TABLES)
