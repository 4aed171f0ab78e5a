"""The JSON text of event properties, by event type and release.

Properties depend on the event type, the release and one of a thousand variants (item, quantity and
currency), so their text is cached; only a running number differs.
"""

from collections.abc import Callable
from typing import Any

from amplitude_assets.emulator.world.noise import I64
from amplitude_assets.emulator.world.releases import (
    CONSENT_SINCE,
    THEME_CASES_SINCE,
    experiments,
    order_id_is_text,
)
from amplitude_assets.emulator.world.scripts import Event
from amplitude_assets.emulator.world.text import json_text

PRODUCTS, QUANTITIES, CURRENCIES = 64, 4, ("USD", "EUR", "GBP", "INR")
VARIANTS = PRODUCTS * QUANTITIES * len(CURRENCIES)

# The number of cached texts at which the cache is cleared; about 400 bytes each.
_MAX_CACHED = 60_000

_MATERIALS = ("Oak", "Linen", "Brass", "Cork", "Wool", "Ash ◊", "Cotton “soft”", "Steel 🔩")
_THINGS = ("Lamp", "Chair", "Blanket", "Tray", "Shelf", "Mirror", "Basket", "Clock")
_PAGES = (
    "/",
    "/new",
    "/sale",
    "/journal/how-we-make-it",
    "/stores",
    "/help/returns",
    "/about",
    "/account",
)
_SEARCHES = (
    "lamp",
    "blue chair",
    'blanket "xl"',
    "größe 40",
    "時計",
    "gift < 50",
    "c:\\temp",
    "sale?",
)

Properties = dict[str, Any]


class PropertyTexts:
    """A cache of event properties as JSON text."""

    def __init__(self) -> None:
        self._texts: dict[int, tuple[bytes, bytes]] = {}

    def opened(self, releases: I64, events: I64, variants: I64) -> list[tuple[bytes, bytes]]:
        """Return the end of each event's line in two parts: before and after its running number."""
        keys = ((releases * len(Event) + events) * VARIANTS + variants).tolist()
        if len(self._texts) > _MAX_CACHED:
            # A new dict, since another thread may be reading the old one.
            self._texts = {}
        texts = self._texts
        for key in set(keys):
            if key not in texts:
                texts[key] = _written(key)
        return [texts[key] for key in keys]


def _written(key: int) -> tuple[bytes, bytes]:
    rest, variant = divmod(key, VARIANTS)
    release, event = divmod(rest, len(Event))
    if event <= Event.SESSION_END:
        return b',"event_properties":{}}', b""
    properties = _WRITERS[Event(event)](variant) | _of_release(release, variant)
    text = json_text(properties).decode()[:-1]
    number, quote = "elapsed_ms", ""
    if event in ORDER_EVENTS:
        number, quote = "order_id", '"' * order_id_is_text(release)
    return f',"event_properties":{text},"{number}":{quote}'.encode(), f"{quote}}}}}".encode()


def _of_release(release: int, variant: int) -> Properties:
    added: Properties = {
        f"exp.{name}": ("control", "treatment")[(variant >> nth) & 1]
        for nth, name in enumerate(experiments(release)[-2:])
    }
    if release >= CONSENT_SINCE:
        added["consent version"] = 1 + release // 13
    if release >= THEME_CASES_SINCE and variant % 3 == 0:
        added |= {"Theme": "Dark", "theme": "dark"}
    return added


def _product(variant: int) -> tuple[str, str, float, int, str]:
    """Return the product id, name, price, quantity and currency of a variant."""
    product = variant % PRODUCTS
    quantity = (1, 1, 1, 3)[variant // PRODUCTS % QUANTITIES]
    currency = CURRENCIES[variant // (PRODUCTS * QUANTITIES)]
    name = f"{_MATERIALS[product % 8]} {_THINGS[product // 8]}"
    rate = {"USD": 1.0, "EUR": 0.9, "GBP": 0.8, "INR": 80.0}[currency]
    price = round((9 + product * product % 97) * rate + (0.0 if product % 4 == 0 else 0.95), 2)
    return f"P-{product:03d}", name, price, quantity, currency


def _page(variant: int) -> Properties:
    page = _PAGES[variant % len(_PAGES)]
    return {
        "[Amplitude] Page Path": page,
        "[Amplitude] Page Domain": "shop.example.com",
        "[Amplitude] Page Location": f"https://shop.example.com{page}",
        "title": f"Page {page} | Shop",
        "referrer": None if variant % 5 else "https://www.example.org/search?q=lamp&page=2",
        "is returning?": variant % 2 == 0,
        "viewport": {"width": 320 + variant % 9 * 160, "height": 640 + variant % 5 * 90},
    }


def _search(variant: int) -> Properties:
    query = _SEARCHES[variant % len(_SEARCHES)]
    return {
        "query": query,
        "results": variant % 41,
        "filters": ["in stock", f"size:{variant % 7}"][: variant % 3],
    }


def _click(variant: int) -> Properties:
    return {
        "element.id": f"btn-{variant % 23}",
        "text": ("Add to bag", "Menü", "→", "OK")[variant % 4],
        "nth": variant % 12,
    }


def _item(variant: int) -> Properties:
    product_id, name, price, _, currency = _product(variant)
    # Some code paths send the price as a float and some as an integer, as real clients do.
    return {
        "product_id": product_id,
        "product name": name,
        "price": int(price) if price == int(price) and variant % 2 else price,
        "currency": currency,
        "categories": ["home", _THINGS[variant % PRODUCTS // 8].lower()],
        "in_stock": variant % 11 != 0,
    }


def _added(variant: int) -> Properties:
    return _item(variant) | {"quantity": _product(variant)[3]}


def _order(variant: int) -> Properties:
    product_id, name, price, quantity, currency = _product(variant)
    return {
        "items": [{"product_id": product_id, "name": name, "quantity": quantity, "price": price}],
        "Total Price": round(price * quantity, 2),
        "currency": currency,
        "coupon": "SPRING" if variant % 9 == 0 else None,
        "gift wrap?": variant % 8 == 0,
    }


def _revenue(variant: int) -> Properties:
    """Return the properties of a revenue event; one in sixteen lacks `$revenue`."""
    product_id, _, price, quantity, currency = _product(variant)
    properties: Properties = {
        "$productId": product_id,
        "$price": price,
        "$quantity": quantity,
        "$revenueType": "purchase",
        "$currency": currency,
    }
    if variant % 16 != 5:
        return properties | {"$revenue": round(price * quantity, 2)}
    if quantity == 1:
        del properties["$quantity"]
    return properties


def _twin(variant: int) -> Properties:
    """Return a second event of the same purchase without `$revenue`, which must not be counted."""
    product_id, _, price, quantity, _ = _product(variant)
    return {"$productId": product_id, "$price": price, "$quantity": quantity}


def _renewed(variant: int) -> Properties:
    price = (9.0, 29.0, 99.0)[variant % 3]
    return {
        "$productId": f"plan-{variant % 3}",
        "$price": price,
        "$quantity": 1,
        "$revenue": price,
        "$revenueType": "renewal",
        "$currency": CURRENCIES[variant // (PRODUCTS * QUANTITIES)],
    }


def _refund(variant: int) -> Properties:
    product_id, _, price, quantity, currency = _product(variant)
    return {
        "$productId": product_id,
        "$price": -price,
        "$quantity": quantity,
        "$revenue": round(-price * quantity, 2),
        "$revenueType": "refund",
        "$currency": currency,
    }


def _account(variant: int) -> Properties:
    return {
        "method": ("password", "google", "apple", "sso")[variant % 4],
        "newsletter?": variant % 3 == 0,
    }


def _notification(variant: int) -> Properties:
    return {"campaign": f"push-{variant % 5}", "opened": variant % 4 == 0}


def _report(variant: int) -> Properties:
    return {
        "report": f"r-{variant}",
        "rows": variant * 37,
        "columns": ["day", "sum", "Δ %"][: 1 + variant % 3],
    }


def _invited(variant: int) -> Properties:
    return {"role": ("viewer", "editor", "admin")[variant % 3], "seats left": 20 - variant % 20}


def _shipped(variant: int) -> Properties:
    return {
        "carrier": ("Post", "Courier")[variant % 2],
        "parcels": 1 + variant % 3,
        "weight": variant % 50 / 10,
    }


def _scheduled(variant: int) -> Properties:
    return {"plan": f"plan-{variant % 3}", "auto": variant % 2 == 0}


# Event types whose number is an `order_id`, the same in all events of a visit.
ORDER_EVENTS = frozenset(
    {
        Event.CHECKOUT_STARTED,
        Event.ORDER_COMPLETED,
        Event.REVENUE_VERIFIED,
        Event.REVENUE_UNVERIFIED,
        Event.REVENUE,
        Event.ORDER_SHIPPED,
        Event.REFUND_ISSUED,
    }
)

_WRITERS: dict[Event, Callable[[int], Properties]] = {
    Event.PAGE_VIEWED: _page,
    Event.SEARCH: _search,
    Event.BUTTON_CLICKED: _click,
    Event.ITEM_VIEWED: _item,
    Event.ITEM_ADDED: _added,
    Event.CHECKOUT_STARTED: _order,
    Event.ORDER_COMPLETED: _order,
    Event.REVENUE_VERIFIED: _revenue,
    Event.REVENUE_UNVERIFIED: _revenue,
    Event.REVENUE: _twin,
    Event.SIGNED_UP: _account,
    Event.SIGNED_IN: _account,
    Event.NOTIFICATION: _notification,
    Event.REPORT_OPENED: _report,
    Event.REPORT_SHARED: _report,
    Event.MEMBER_INVITED: _invited,
    Event.ORDER_SHIPPED: _shipped,
    Event.SUBSCRIPTION_RENEWED: _renewed,
    Event.REFUND_ISSUED: _refund,
    Event.RENEWAL_SCHEDULED: _scheduled,
}
