"""A reason is one line, even if keys, digests or numbers in it differ by hour."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amplitude_assets.assets.failed_hours import reasons_of
from amplitude_assets.hours import HOUR, HourRange, format_hour, parse_hour

DAY = HourRange(parse_hour("2026-09-07T00"), parse_hour("2026-09-07T23"))


def denied(hour: object, key: str) -> str:
    return (
        f"cannot write s3://events-1/p/events/100011/2026-09-07/{key}: access denied: these "
        f"credentials lack permission (User: arn:aws:iam::123456789012:user/loader is not "
        f"authorized to perform: s3:PutObject on resource: arn:aws:s3:::events-1/p/{key}, request "
        f"{hashlib.md5(key.encode()).hexdigest()[:16].upper()}); attach the policy"
    )


def test_a_denied_day_is_one_line_that_ends_with_the_fix() -> None:
    failed = {
        hour: denied(hour, f"{hour:%H}/{hashlib.sha256(str(hour).encode()).hexdigest()}.json.gz")
        for hour in DAY
    }
    (line,) = reasons_of(failed)
    assert line.startswith(
        "24 hours, 2026-09-07T00 to 2026-09-07T23: cannot write "
        "s3://events-1/p/events/100011/2026-09-07/…/…: access denied"
    )
    assert "user/loader is not" in line  # text that all reasons share stays
    assert line.endswith("; attach the policy")
    assert not any(hashlib.sha256(str(hour).encode()).hexdigest()[:8] in line for hour in DAY)


def test_the_reason_of_a_single_hour_is_complete() -> None:
    reason = denied(DAY.first, "00/0a1b.json.gz")
    assert reasons_of({DAY.first: reason}) == [f"2026-09-07T00: {reason}"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("the server returned 500", "the server returned 503"),
        ("cannot read s3://b/1: access denied", "cannot write s3://b/1: access denied"),
    ],
)
def test_different_reasons_stay_separate(one: str, other: str) -> None:
    assert len(reasons_of({DAY.first: one, DAY.last: other})) == 2


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("holds 1,204 of 98.5 kB", "holds 7 of 98.5 kB", "holds … of 98.5 kB"),
        (
            "materialise 2026-09-07T00 to 2026-09-07T03 again",
            "materialise 2026-09-07T23 again",
            "materialise … again",
        ),
        (
            "123_2026-09-07_0#3.json.gz is damaged",
            "123_2026-09-07_23#1.json.gz is damaged",
            "… is damaged",
        ),
    ],
)
def test_hours_numbers_and_names_are_replaced(one: str, other: str, both: str) -> None:
    assert reasons_of({DAY.first: one, DAY.last: other}) == [
        f"2 hours, 2026-09-07T00, 2026-09-07T23: {both}"
    ]


def test_many_ranges_and_many_reasons_are_counted() -> None:
    every_other = {DAY.first + 2 * place * HOUR: "no" for place in range(9)}
    (line,) = reasons_of(every_other)
    assert line.endswith(f"{format_hour(DAY.first + 8 * HOUR)} and 4 other ranges: no")
    lines = reasons_of({hour: "no " + "x" * place for place, hour in enumerate(DAY)})
    assert len(lines) == 21
    assert lines[-1] == "and 4 other reasons for 4 hours"


@given(st.dictionaries(st.sampled_from(list(DAY)), st.text(max_size=40)))
def test_no_hour_is_lost_whatever_the_text(failed: dict[object, str]) -> None:
    lines = reasons_of(failed)  # type: ignore[arg-type]
    assert bool(lines) == bool(failed)
    assert all("\n" not in line for line in lines)


@given(st.lists(st.text("0123456789abcdef", min_size=8, max_size=64), min_size=24, max_size=24))
def test_ids_of_any_kind_make_one_line(ids: list[str]) -> None:
    failed = {hour: f"request 7{one} was refused" for hour, one in zip(DAY, ids, strict=True)}
    assert len(reasons_of(failed)) == 1
