"""Write `docs/faults.md` from the tables of the tests: `python -m tests.faults.document`."""

from collections.abc import Iterable
from pathlib import Path

from tests.faults.cases import CASES
from tests.faults.points import POINTS

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
MATRIX = "test_matrix.py::test_a_fault_has_its_outcome_and_the_next_run_recovers"
DAMAGE, ROWS = "test_damage.py", "../pipeline/test_silver_rows.py"
FORGET, REPORT = "test_forget_during_runs.py", "../unit/report/test_page.py"
CONCURRENT, WHOLE = "test_concurrent_runs.py", "test_whole_runs.py"
CRASHES = "test_crashes.py::test_the_next_run_recovers_from_a_killed_one"

# The faults outside the two tables: the fault, the outcome, and the test.
OTHERS = [
    (
        "The command is interrupted (Ctrl+C)",
        "It stops within seconds, its run is Canceled, and it reports which hours are kept.",
        "test_interrupt.py::test_an_interrupted_command_is_canceled_and_reports_kept_hours",
    ),
    (
        "S3 refuses every hour for the same reason",
        "The reason is printed once, with the range of hours and the fix.",
        "test_s3_refused.py::test_a_missing_permission_is_reported_once_for_all_hours",
    ),
    (
        "The server is down",
        "The run fails fast; every hour is reported as missing, exit 1. Loaded hours stay.",
        "test_readiness.py::test_an_unreachable_server_keeps_loaded_hours_and_names_the_others",
    ),
    (
        "The keys belong to another project",
        "Nothing is loaded; the message names `AMPLITUDE_PROJECT_ID`.",
        "test_readiness.py::test_keys_of_another_project_are_refused_and_load_nothing",
    ),
    (
        "An hour is requested before it is ready",
        "No request is sent, and the hour is never recorded as `empty`.",
        "test_readiness.py::test_an_hour_is_not_requested_before_it_is_ready",
    ),
    (
        "This machine's clock is ahead of Amplitude's",
        "An hour that is not ready by the response's `Date` header is reported as missing, exit 1.",
        "test_readiness.py::test_a_clock_that_is_ahead_records_no_hour_as_empty",
    ),
    (
        "An hour that was empty has events now",
        "The next request for the hour replaces it.",
        "test_readiness.py::test_the_next_request_corrects_an_empty_hour",
    ),
    (
        "A loaded hour is requested again, and the response is 404 or has half of its events",
        "Kept until the response is confirmed; the ledger counts the events in question; exit 0.",
        "test_shrinking.py::test_a_smaller_response_deletes_nothing_until_it_is_accepted",
    ),
    (
        "A later response has all events of an hour in question",
        "The hour is no longer in question; no row changes.",
        "test_shrinking.py::test_a_complete_response_clears_an_hour_in_question",
    ),
    (
        "A run is paused (SIGSTOP) while another one loads a newer delivery of its hours",
        "The newer delivery stays; the first run continues, reports the superseded hours, exit 0.",
        "test_shrinking.py::test_a_paused_run_does_not_overwrite_a_newer_delivery",
    ),
    (
        "A run is killed during the dbt build",
        "The next run produces the same silver and gold.",
        "test_whole_runs.py::test_intact_hours_reach_silver_and_the_next_run_recovers_from_a_kill_during_dbt",
    ),
    (
        "Several concurrent runs, with overlapping hours",
        "They wait for each other; the result is the same as for sequential runs.",
        f"{CONCURRENT}::test_concurrent_runs_give_the_result_of_sequential_ones",
    ),
    (
        "A run loads an hour while another run's models have already selected their loads",
        "The check of silver covers consumed loads only; the next models consume the hour.",
        f"{WHOLE}::test_an_hour_loaded_by_another_run_before_the_check_does_not_fail_it",
    ),
    (
        "Another program has the DuckDB file open",
        "The run waits for it, up to a limit; then the message names the file.",
        "../unit/warehouse/duckdb/test_file.py::test_opening_waits_for_another_program_and_then_names_it",
    ),
    (
        "Objects or manifests of the lake are changed, truncated, empty or deleted",
        "Downloading the hours again repairs the lake, with or without bronze.",
        f"{DAMAGE}::test_downloading_a_damaged_hour_again_repairs_the_lake",
    ),
    (
        "The nightly verification finds a damaged hour",
        "A check fails, `new_hours` downloads it again, and the next night verifies it again.",
        f"{DAMAGE}::test_the_nightly_verification_reloads_damaged_hours_and_verifies_them_again",
    ),
    (
        "Bronze is loaded from a damaged lake",
        "The intact hours are loaded; the message names each damaged hour and the repair command.",
        f"{DAMAGE}::test_damage_is_reported_with_the_hour_and_the_repair_command",
    ),
    (
        "`forget` runs while an hour is damaged in the lake",
        "The person is removed from every other hour; the message names the hour and its repair.",
        "../unit/forgetting/test_removal.py::test_a_damaged_hour_is_named_and_blocks_no_other",
    ),
    (
        "The DuckDB file or its log is damaged, or has an older layout",
        "`status`, `doctor` and `run` report it in one line that names `rebuild`, exit 1.",
        "../unit/cli/test_damaged_state.py::test_a_damaged_warehouse_is_reported_in_one_line",
    ),
    (
        "The DuckDB file's log is truncated or missing",
        "The commits before that point are kept; `run` loads the missing hours.",
        "../unit/cli/test_damaged_state.py::test_a_truncated_or_missing_log_keeps_the_commits_before_it",
    ),
    (
        "A damaged warehouse is rebuilt",
        "Bronze, silver and gold are as before; no request to Amplitude; the damaged file is kept.",
        f"{WHOLE}::test_a_damaged_warehouse_is_rebuilt_from_the_lake_alone",
    ),
    (
        "A file of Dagster's own state is truncated",
        "The message names the file and `rebuild`, which renames it and records the hours again.",
        "../unit/cli/test_damaged_state.py::test_a_damaged_dagster_file_is_named_and_rebuild_renames_it",
    ),
    (
        "Power failure",
        "Objects, hour files and manifests are synced to disk before they get their final names.",
        f"{DAMAGE}::test_files_are_synced_before_they_get_their_final_names",
    ),
    (
        "The disk is full, or a folder is read-only",
        "The run stops with a message; existing data stays intact.",
        "test_disk.py::test_a_full_disk_stops_the_run_with_a_message_and_damages_nothing",
    ),
    (
        "A server's response contains the keys",
        "They appear in no log, file, message or `repr`.",
        "test_secrets.py::test_a_failing_run_leaves_no_secret",
    ),
    (
        "Events hold SQL, templates, paths or control characters",
        "They are treated as data in bronze and in every model.",
        "test_hostile.py::test_hostile_values_are_treated_as_data",
    ),
    (
        "One event has 200,000 property keys, 5,000 groups or a name of 1 MB",
        (
            "The models run in 1 GB. 1,000 keys are cataloged, and `silver.event_faults` has the "
            "hour, the line and how much was left out."
        ),
        f"{ROWS}::test_keys_and_groups_beyond_the_limits_are_dropped_and_recorded",
    ),
    (
        "A property key contains an image, a link or HTML",
        "It is shown as code in Dagster's UI.",
        "../unit/assets/test_markdown.py::test_a_hostile_key_in_a_list_is_escaped",
    ),
    (
        "A thousand event types contain HTML",
        "The report escapes them and shows the ten most frequent.",
        f"{REPORT}::test_a_thousand_html_event_types_are_escaped_and_limited",
    ),
    (
        "Faulty S3 responses: truncated or wrong bytes, a reset, 503, an error with status 200",
        (
            "A single one is retried in the same run. If they persist, the hours are reported as "
            "missing, exit 1. No row is missing, duplicated or wrong."
        ),
        "test_s3_partial.py::test_faulty_s3_responses_load_no_wrong_rows",
    ),
    (
        "S3 fails a part of a multipart upload, or reports an error with status 200 at its end",
        "The object is complete or does not exist.",
        "test_s3_partial.py::test_a_multipart_object_is_complete_or_absent",
    ),
    (
        "`forget` while a run loads hours",
        (
            "It refuses to run and changes nothing. If the run started during the confirmation, "
            "`forget` stops once the person is on the list, exit 1. Repeat it after the run."
        ),
        f"{FORGET}::test_forget_refuses_while_a_run_is_active_or_started_meanwhile",
    ),
    (
        "A run starts while `forget` removes a person",
        "Both finish, and the person is not loaded again. The run names hours with removed files.",
        f"{FORGET}::test_a_run_started_during_a_removal_does_not_load_the_person_again",
    ),
    (
        "The daemon and a backfill worker are killed while `run` loads the same hours",
        (
            "A new daemon continues. Both commands exit 0, every hour is loaded once, and no pool "
            "slot stays occupied."
        ),
        "../ui/test_processes.py::test_a_backfill_and_a_concurrent_run_succeed_although_a_worker_and_the_daemon_are_killed",
    ),
    (
        "The landing area is deleted during a run",
        (
            "Its hours are reported as missing, with the asset to materialize first, exit 1. The "
            "next run loads them."
        ),
        "test_deleted_and_shared_folders.py::test_deleting_the_landing_area_during_a_run_loses_no_data",
    ),
    (
        "Two data folders load into one lake concurrently",
        "Each has the same result as alone.",
        "test_deleted_and_shared_folders.py::test_two_data_folders_share_one_lake",
    ),
]


def page() -> str:
    """Return the page, in Markdown."""
    faults = [
        (case.what + (", once" if case.times == 1 else ""), case.then.value, f"`{case}`")
        for case in CASES
    ]
    kills = [(point.when, f"`{point}`") for point in POINTS]
    others = [(what, then, str(place)) for place, (what, then, _) in enumerate(OTHERS, 1)]
    return "\n".join(
        [
            "# Failures and their handling",
            "",
            "This page is generated from the tests by `python -m tests.faults.document`.",
            "",
            "## Server faults",
            "",
            "Each case has a fault in one of three hours. Once it is gone, another run of the",
            "same hours makes bronze equal to that of a run without the fault.",
            "",
            *_table(("Fault", "Outcome", "Case"), faults),
            "",
            *_test_of_the_cases(MATRIX),
            "",
            "## Killed processes",
            "",
            "The next run of the same hours makes bronze equal to that of a run that was not",
            "killed, and `nightly_maintenance` clears every temporary file.",
            "",
            *_table(("Killed when", "Case"), kills),
            "",
            *_test_of_the_cases(CRASHES),
            "",
            "## Other failures",
            "",
            *_table(("Failure", "Outcome", "Test"), others),
            "",
            "The tests, in `tests/faults/`:",
            "",
            *(f"{place}. `{test}`" for place, (_, _, test) in enumerate(OTHERS, 1)),
            "",
        ]
    )


def _test_of_the_cases(test: str) -> list[str]:
    file, _, name = test.partition("::")
    return [f"Each case is one of `{name}`", f"in `tests/faults/{file}`."]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page())
