"""The formats of numbers and durations, and escaped labels."""

import pytest

from amplitude_assets.wording import duration, label, plural, share, short_count

NO_BREAK = "\u00a0"


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0 s"),
        (0.04, "0 s"),
        (2.74, "2.7 s"),
        (1, "1 s"),
        (42.4, "42 s"),
        (59.6, "60 s"),
        (60, "1 min"),
        (192, "3 min 12 s"),
        (3600, "1 h"),
        (3224, "54 min"),
        (7500, "2 h 5 min"),
        (3605, "1 h"),
        (86400, "1 day"),
        (273600, "3 days 4 h"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, written: str) -> None:
    assert duration(seconds) == written.replace(" ", NO_BREAK)


@pytest.mark.parametrize(
    ("part", "written"),
    [(0, "0%"), (0.034, "3.4%"), (0.0996, "10%"), (0.12, "12%"), (1, "100%")],
)
def test_a_share_is_a_percentage(part: float, written: str) -> None:
    assert share(part) == written


def test_large_counts_stay_short() -> None:
    assert short_count(9_999_999) == "9,999,999"
    assert short_count(2_179_569_000) == "2,179.6 M"


def test_one_is_singular() -> None:
    assert [plural(n, "hour") for n in (0, 1, 2)] == ["0 hours", "1 hour", "2 hours"]
    assert plural(2, "person", "people") == "2 people"


def test_a_label_is_escaped_truncated_and_on_one_line() -> None:
    assert label("<b>a</b>\n&") == "&lt;b&gt;a&lt;/b&gt; &amp;"
    assert label("x" * 50, 10) == "x" * 9 + "…"
