"""Revenue events, and the lifetime value of cohorts of new users.

An SDK logs a purchase as two events: a plain one, and a computed one that has `$revenue`. Their
names: https://amplitude.com/docs/apis/analytics/dashboard-rest (event format). The plain one "will
not populate the `$revenue` property"; any event with its own `$revenue` is a revenue event.
Definitions: https://amplitude.com/docs/data/sources/instrument-track-revenue and
https://amplitude.com/docs/analytics/charts/revenue-ltv/revenue-ltv-track-new-user-monetization.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from tests.oracle.events import Event, Log, local_date
from tests.oracle.retention import hours_between, unit_is_over
from tests.oracle.settings import Settings

LARGEST_NUMBER = Decimal("1e29")
LARGEST_REVENUE = Decimal("1e18")

PLAIN = frozenset({"Revenue", "[Amplitude] Revenue", "revenue_amount"})
COMPUTED = frozenset(
    f"{prefix}Revenue ({state})"
    for prefix in ("", "[Amplitude] ")
    for state in ("Verified", "Unverified")
) | {"verified_revenue", "unverified_revenue"}


@dataclass(frozen=True)
class RevenueEvent:
    """One event with revenue, negative for a refund."""

    uuid: str
    user_key: str
    event_type: str
    event_time: datetime
    event_date: date
    product_id: str | None
    quantity: Decimal | None
    price: Decimal | None
    revenue: Decimal
    currency: str | None


def number(value: object) -> Decimal | None:
    """Parse an amount, sent as a number or as text; None if it does not fit the column."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    try:
        read = Decimal(value)
    except InvalidOperation:
        return None
    return read if read.is_finite() and abs(read) < LARGEST_NUMBER else None


def revenue_events(events: Iterable[Event]) -> list[RevenueEvent]:
    """Return the events with `$revenue`, or else with a `$price` for each of `$quantity` or 1."""
    found = []
    for event in events:
        price = number(event.properties.get("$price"))
        quantity = number(event.properties.get("$quantity"))
        revenue = number(event.properties.get("$revenue"))
        is_stated = revenue is not None and abs(revenue) < LARGEST_REVENUE
        if not is_stated and event.event_type in PLAIN:
            continue
        if not is_stated and price is not None:
            revenue = price * (Decimal(1) if quantity is None else quantity)
        if revenue is None or abs(revenue) >= LARGEST_REVENUE:
            continue
        found.append(
            RevenueEvent(
                uuid=event.uuid,
                event_type=event.event_type,
                user_key=event.user_key,
                event_time=event.event_time,
                event_date=event.event_date,
                product_id=event.properties.get("$productId"),
                quantity=quantity,
                price=price,
                revenue=revenue,
                currency=event.properties.get("$currency"),
            )
        )
    computed = {(sale.user_key, sale.event_time) for sale in found if sale.event_type in COMPUTED}
    return [
        sale
        for sale in found
        if sale.event_type not in PLAIN or (sale.user_key, sale.event_time) not in computed
    ]


def lifetime_value(
    log: Log, new_at: dict[str, datetime], revenue: Sequence[RevenueEvent], settings: Settings
) -> list[tuple[object, ...]]:
    """Return `agg_ltv`: cumulative revenue of each cohort up to the end of each user's day n.

    Day n ends 24 * (n + 1) hours after the hour of the first event: day 5 after 144 hours. A
    paying user is one who ever paid, even after day n.
    """
    cohorts: defaultdict[date, list[str]] = defaultdict(list)
    for user, time in new_at.items():
        cohorts[local_date(time, settings)].append(user)
    sales: defaultdict[str, list[RevenueEvent]] = defaultdict(list)
    for sale in revenue:
        sales[sale.user_key].append(sale)
    rows: list[tuple[object, ...]] = []
    for cohort_date, cohort in cohorts.items():
        last_start = max(new_at[user] for user in cohort)
        for n in range(settings.retention_days + 1):
            total = sum(
                (
                    sale.revenue
                    for user in cohort
                    for sale in sales[user]
                    if hours_between(new_at[user], sale.event_time) // 24 <= n
                ),
                start=Decimal(0),
            )
            rows.append(
                (
                    cohort_date,
                    n,
                    len(cohort),
                    total,
                    float(total) / len(cohort),
                    sum(1 for user in cohort if sales[user]),
                    unit_is_over(log.end, last_start, n),
                )
            )
    return rows
