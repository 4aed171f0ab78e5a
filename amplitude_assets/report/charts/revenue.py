"""Charts of revenue by date and currency, and of lifetime value."""

from collections import defaultdict
from datetime import datetime, time

import plotly.graph_objects as go

from amplitude_assets.report.charts.base import Chart, Section, Table, date_axis, line
from amplitude_assets.report.model import DAY, Coverage, Overview
from amplitude_assets.report.theme import BLUE, SERIES
from amplitude_assets.wording import count, label, plural

_MAX_CURRENCIES = len(SERIES)
_MAX_DAYS_BY_DAY = 42
_UNNAMED = "no currency"


def section(overview: Overview) -> Section:
    """Return the section of revenue."""
    return Section("revenue", "Revenue", [_revenue(overview), _lifetime_value(overview)])


def _revenue(overview: Overview) -> Chart:
    coverage = overview.coverage
    by_week = coverage is not None and coverage.days > _MAX_DAYS_BY_DAY
    note = (
        f"Revenue of events by {'week' if by_week else 'date'}, net of refunds. "
        "Currencies are shown separately, without conversion."
    )
    if not overview.revenue or coverage is None:
        return Chart("revenue", "No revenue in these hours", note)
    totals: defaultdict[str, float] = defaultdict(float)
    by_currency: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for day in overview.revenue:
        currency = day.currency or _UNNAMED
        totals[currency] += day.revenue
        start = day.day - day.day.weekday() * DAY if by_week else day.day
        by_currency[currency][start.isoformat()] += day.revenue
    shown = sorted(totals, key=lambda currency: -totals[currency])[:_MAX_CURRENCIES]
    figure = go.Figure(
        [
            go.Bar(
                name=label(currency, 16),
                x=list(by_currency[currency]),
                y=list(by_currency[currency].values()),
                marker={"color": colour},
                hovertemplate="%{y:,.2f}",
            )
            for currency, colour in zip(shown, SERIES, strict=False)
        ]
    )
    figure.update_layout(
        height=320,
        bargap=0.25,
        hovermode="x unified",
        showlegend=True,
        xaxis=date_axis(coverage) | ({} if by_week else {"range": _all_days(coverage)}),
    )
    return Chart(
        "revenue",
        f"{' and '.join(f'{count(totals[name])} {name}' for name in shown[:2])} in "
        f"{plural(coverage.days, 'day')}",
        note,
        figure,
        Table(
            ("Date", "Currency", "Revenue", "Events"),
            [
                (str(day.day), day.currency or _UNNAMED, f"{day.revenue:,.2f}", count(day.events))
                for day in overview.revenue
            ],
        ),
    )


def _all_days(coverage: Coverage) -> list[str]:
    """Return an axis range that shows the bars of the first and last date at full width."""
    half = DAY / 2
    first, last = (
        datetime.combine(day, time()) for day in (coverage.first_date, coverage.last_date)
    )
    return [(first - half).isoformat(), (last + half).isoformat()]


def _unit(overview: Overview) -> str:
    """Return the suffix of an amount: the currency, or that several currencies are summed."""
    names = {day.currency or _UNNAMED for day in overview.revenue}
    return f" {names.pop()}" if len(names) == 1 else " (sum of all currencies)"


def _lifetime_value(overview: Overview) -> Chart:
    note = (
        "Cumulative revenue by the end of each user's day, divided by all new users, over cohorts "
        "whose day is over."
    )
    days = [day for day in overview.lifetime if day.cohort_users]
    if not days or not any(day.revenue for day in days):
        return Chart("lifetime-value", "No revenue from new users yet", note)
    values = [day.revenue / day.cohort_users for day in days]
    if values != sorted(values):
        note += " Later days have fewer cohorts, so the curve may fall."
    unit = _unit(overview)
    figure = go.Figure(
        line(
            "per new user",
            [day.day_number for day in days],
            values,
            BLUE,
            customdata=[(day.revenue, day.cohort_users, day.paying_users) for day in days],
            hover=(
                "day %{x}: %{y:,.2f} a user<br>%{customdata[0]:,.2f} from %{customdata[1]:,} "
                "users, of whom %{customdata[2]:,} paid<extra></extra>"
            ),
        )
    )
    figure.update_layout(
        height=320,
        xaxis={"dtick": 1 if len(days) <= 10 else 5, "title": {"text": "days since new"}},
        yaxis={"tickformat": ",.2f"},
    )
    return Chart(
        "lifetime-value",
        f"Revenue per new user by the end of day {days[-1].day_number}: {values[-1]:,.2f}{unit}",
        note,
        figure,
        Table(
            ("Day", "New users", "Revenue", "Per new user", "Users who paid"),
            [
                (str(day.day_number), count(day.cohort_users), f"{day.revenue:,.2f}",
                 f"{value:,.2f}", count(day.paying_users))
                for day, value in zip(days, values, strict=True)
            ],
        ),
    )  # fmt: skip
