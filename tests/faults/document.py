"""Writes `docs/faults.md` from the tables of the tests: `python -m tests.faults.document`."""

from collections.abc import Iterable
from pathlib import Path

from tests.faults.cases import CASES
from tests.faults.points import POINTS

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
MATRIX = "test_matrix.py::test_a_fault_is_met_and_one_run_after_it_all_is_well"
AT_ONCE, WHOLE = "test_at_once.py", "test_whole_runs.py"
CRASHES = "test_crashes.py::test_a_killed_run_is_made_good_by_the_next"

# What is tested beside the two tables: what goes wrong, what happens then, and the test.
OTHERS = [
    (
        "The server is down",
        "The run ends at once; every hour is named as missing, exit 1. What was loaded stays.",
        "test_readiness.py::test_a_server_that_is_down_leaves_finished_hours_and_names_the_rest",
    ),
    (
        "The keys are another project's",
        "Nothing is loaded; the message names `AMPLITUDE_PROJECT_ID`.",
        "test_readiness.py::test_keys_of_another_project_are_refused_and_load_nothing",
    ),
    (
        "An hour is asked for before it is ready",
        "Amplitude is not asked, and the hour is never recorded as `empty`.",
        "test_readiness.py::test_an_hour_is_not_asked_for_before_it_is_ready",
    ),
    (
        "An hour that was empty has events now",
        "Asked for again, it is replaced.",
        "test_readiness.py::test_an_hour_that_was_empty_is_corrected_when_it_is_asked_for_again",
    ),
    (
        "A run is killed while dbt builds",
        "The next run ends in the same silver and gold.",
        "test_whole_runs.py::test_good_hours_reach_silver_and_a_kill_while_dbt_builds_is_made_good",
    ),
    (
        "Several runs at once, over the same hours and others",
        "They wait for each other; the end is that of one after the other.",
        f"{AT_ONCE}::test_runs_at_once_over_the_same_and_other_hours_end_as_one_after_the_other",
    ),
    (
        "Another program has the DuckDB file open",
        "It is waited for, up to a bound; then the message names the file.",
        "../unit/warehouse/test_duckdb_file.py::test_a_program_that_has_the_file_open_is_waited_for_and_then_named",
    ),
    (
        "The disk is full, or a folder read-only",
        "The run stops with a message; what was there is intact.",
        "test_disk.py::test_no_room_stops_the_run_with_a_message_and_harms_nothing",
    ),
    (
        "A server repeats the keys in its answer",
        "They are in no log, file, message or `repr`.",
        "test_secrets.py::test_a_run_that_fails_leaves_no_secret_behind",
    ),
    (
        "Events hold SQL, templates, paths or control characters",
        "They are data in bronze and in every model, and nothing more.",
        "test_hostile.py::test_hostile_values_are_data_and_nothing_more",
    ),
]


def page() -> str:
    """Return the page, in Markdown."""
    faults = (
        (case.what + (", once" if case.times == 1 else ""), case.then.value, f"{MATRIX}[{case}]")
        for case in CASES
    )
    kills = ((point.when, "", f"{CRASHES}[{point}]") for point in POINTS)
    return "\n".join(
        [
            "# What can go wrong, and what happens then",
            "",
            "This page is made from the tests: `python -m tests.faults.document` writes it. Tests",
            "are named from `tests/faults/`.",
            "",
            "## The server misbehaves",
            "",
            "A fault is of one hour among three. After it is gone, one more run of the same hours",
            "makes bronze equal to that of a run that never saw it.",
            "",
            *_table(("What goes wrong", "What happens", "Test"), faults),
            "",
            "## The process is killed",
            "",
            "The next run of the same hours makes bronze equal to that of a run that was not",
            "killed, and `nightly_maintenance` clears every temporary file.",
            "",
            *_table(("Killed when", "Test"), ((when, test) for when, _, test in kills)),
            "",
            "## All else",
            "",
            *_table(("What goes wrong", "What happens", "Test"), OTHERS),
            "",
        ]
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    marked = ((*row[:-1], f"`{row[-1]}`") for row in rows)
    lines = [head, tuple("---" for _ in head), *marked]
    return [f"| {' | '.join(line)} |" for line in lines]


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page())
