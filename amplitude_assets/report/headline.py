"""The headline figures of the page, and the subtitle with the dates that it covers."""

from dataclasses import dataclass

from amplitude_assets.report.model import DAY, ActiveDay, Overview
from amplitude_assets.wording import (
    count,
    long_day,
    moment,
    plural,
    share,
    short_count,
    short_day,
)


@dataclass(frozen=True)
class Headline:
    """One figure with its name, and a remark that puts it in context."""

    name: str
    value: str
    remark: str


def subtitle(overview: Overview) -> str:
    """Return the sentence with the dates covered and the time of the newest upload."""
    coverage = overview.coverage
    if coverage is None:
        return "No export hour is loaded yet. Materialise the hourly assets, then this one."
    return (
        f"{long_day(coverage.first_date)} to {long_day(coverage.last_date)} "
        f"({plural(coverage.days, 'day')}, {coverage.zone.key}), with uploads up to "
        f"{moment(coverage.ends_at)}."
    )


def headline_figures(overview: Overview) -> list[Headline]:
    """Return the most important figures. User counts are of the newest complete date."""
    if overview.coverage is None:
        return []
    return [*_people(overview), *_pipeline(overview)]


def _people(overview: Overview) -> list[Headline]:
    main = overview.main_day
    if main is None:
        return [Headline("Daily active users", "0", "no active users")]
    before = next((day for day in overview.active_days if day.day == main.day - DAY), None)
    complete = overview.coverage is not None and overview.coverage.is_complete(main.day)
    on = f"on {short_day(main.day)}" + ("" if complete else ", incomplete")
    return [
        Headline(
            "Daily active users", short_count(main.dau), f"{on}{_change(main, before, overview)}"
        ),
        Headline(
            "Weekly active users", short_count(main.wau), f"in the 7 days to {short_day(main.day)}"
        ),
        Headline(
            "Monthly active users",
            short_count(main.mau),
            f"in the 30 days to {short_day(main.day)}",
        ),
        Headline("New users", short_count(main.new_users), on),
    ]


def _change(main: ActiveDay, before: ActiveDay | None, overview: Overview) -> str:
    """Return the relative change from the date before, if both dates are complete."""
    coverage = overview.coverage
    if before is None or not before.dau or coverage is None:
        return ""
    if not (coverage.is_complete(main.day) and coverage.is_complete(before.day)):
        return ""
    change = main.dau / before.dau - 1
    return f", {share(abs(change))} {'more' if change >= 0 else 'fewer'} than the day before"


def _pipeline(overview: Overview) -> list[Headline]:
    lines = sum(hour.lines for hour in overview.hours)
    empty = sum(1 for hour in overview.hours if hour.status == "empty")
    missing = sum(len(gap) for gap in overview.gaps)
    broken = sum(1 for hour in overview.hours if not hour.is_reconciled)
    remark = f"{plural(empty, 'empty hour')}, {count(missing)} missing"
    return [
        Headline("Hours loaded", count(len(overview.hours)), remark),
        Headline(
            "Lines exported",
            short_count(lines),
            "all reconciled" if not broken else f"{plural(broken, 'hour')} with a mismatch",
        ),
    ]
