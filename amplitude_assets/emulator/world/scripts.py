"""The scripts of visits: sequences of events, and the times between them.

A few thousand scripts are generated for a seed; each visit follows one of them at its own pace.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from random import Random

import numpy as np

from amplitude_assets.emulator.world.noise import F64, I64


class Event(IntEnum):
    """The event types of the world, as indexes into EVENT_NAMES."""

    SESSION_START = 0
    SESSION_END = 1
    PAGE_VIEWED = 2
    SEARCH = 3
    BUTTON_CLICKED = 4
    ITEM_VIEWED = 5
    ITEM_ADDED = 6
    CHECKOUT_STARTED = 7
    ORDER_COMPLETED = 8
    REVENUE_VERIFIED = 9
    REVENUE_UNVERIFIED = 10
    REVENUE = 11
    SIGNED_UP = 12
    SIGNED_IN = 13
    NOTIFICATION = 14
    REPORT_OPENED = 15
    REPORT_SHARED = 16
    MEMBER_INVITED = 17
    ORDER_SHIPPED = 18
    SUBSCRIPTION_RENEWED = 19
    REFUND_ISSUED = 20
    RENEWAL_SCHEDULED = 21


EVENT_NAMES = (
    "session_start",
    "session_end",
    "Page Viewed",
    "Search Performed",
    "Button Clicked",
    "Item Viewed",
    "Item Added",
    "Checkout Started",
    "Order Completed",
    "Revenue (Verified)",
    "Revenue (Unverified)",
    "Revenue",
    "Signed Up",
    "Signed In",
    "Notification Received",
    "Report Opened",
    "Report Shared",
    "Member Invited",
    "Order Shipped",
    "Subscription Renewed",
    "Refund Issued",
    "Renewal Scheduled",
)

# With the slowest pace, a visit stays under three hours.
LONGEST_VISIT_MS = 8_400_000
PACES = (0.7, 1.25)


class Pool(IntEnum):
    """The kinds of visit."""

    BROWSE = 0
    BUY = 1
    SIGN_UP = 2
    SIGN_IN = 3
    WORK = 4
    BACKGROUND = 5
    SERVER = 6
    KIOSK = 7


@dataclass(frozen=True)
class Scripts:
    """All scripts, concatenated. Script s has the steps `first[s]` to `first[s] + count[s] - 1`.

    `event` and `offset_ms` (since the visit's start) have one element for each step. `signs_at` is
    the step of the script from which the user id is known; the number of steps if there is none.
    The scripts of a Pool are `pool_size` from `pool_first` on.
    """

    event: I64
    offset_ms: I64
    first: I64
    count: I64
    duration_ms: I64
    signs_at: I64
    pool_first: I64
    pool_size: I64

    def choose(self, pools: I64, chance: F64) -> I64:
        """Return a script of each pool, selected by `chance` in [0, 1)."""
        return self.pool_first[pools] + (chance * self.pool_size[pools]).astype(np.int64)

    def mean_count(self, pool: Pool) -> float:
        """Return the mean number of steps of a pool's scripts."""
        first, size = int(self.pool_first[pool]), int(self.pool_size[pool])
        return int(self.count[first : first + size].sum()) / size


def write_scripts(seed: int) -> Scripts:
    """Generate the scripts of a seed."""
    rng = Random(seed)
    writers: dict[Pool, tuple[int, Callable[[Random], list[Event]]]] = {
        Pool.BROWSE: (1200, lambda r: _shop(r, interest=0.10)),
        Pool.BUY: (600, lambda r: _shop(r, interest=0.55)),
        Pool.SIGN_UP: (400, lambda r: _signing(r, Event.SIGNED_UP)),
        Pool.SIGN_IN: (300, lambda r: _signing(r, Event.SIGNED_IN)),
        Pool.WORK: (500, _work),
        Pool.BACKGROUND: (60, lambda r: [Event.NOTIFICATION] * (1 + int(r.random() * 3))),
        Pool.SERVER: (200, _server),
        Pool.KIOSK: (40, lambda r: _shop(r, interest=0.2) + _shop(r, interest=0.2)),
    }
    steps: list[list[Event]] = []
    offsets: list[list[int]] = []
    pool_first, pool_size = [], []
    for pool in Pool:
        size, write = writers[pool]
        pool_first.append(len(steps))
        pool_size.append(size)
        for _ in range(size):
            steps.append(write(rng))
            offsets.append(_timed(rng, steps[-1], pool))
    return _laid_out(steps, offsets, pool_first, pool_size)


def _laid_out(
    steps: list[list[Event]], offsets: list[list[int]], pool_first: list[int], pool_size: list[int]
) -> Scripts:
    count = np.array([len(script) for script in steps], dtype=np.int64)
    return Scripts(
        event=np.array([event for script in steps for event in script], dtype=np.int64),
        offset_ms=np.array([at for script in offsets for at in script], dtype=np.int64),
        first=np.concatenate([[0], np.cumsum(count)[:-1]]).astype(np.int64),
        count=count,
        duration_ms=np.array([script[-1] for script in offsets], dtype=np.int64),
        signs_at=np.array([_signs_at(script) for script in steps], dtype=np.int64),
        pool_first=np.array(pool_first, dtype=np.int64),
        pool_size=np.array(pool_size, dtype=np.int64),
    )


def _signs_at(script: list[Event]) -> int:
    for position, event in enumerate(script):
        if event in (Event.SIGNED_UP, Event.SIGNED_IN):
            return position
    return len(script)


def _in_session(rng: Random, steps: list[Event]) -> list[Event]:
    """Surround the steps with the browser SDK's session events, which not every client sends."""
    if rng.random() < 0.15:
        return steps
    ends = [Event.SESSION_END] if rng.random() < 0.6 else []
    return [Event.SESSION_START, *steps, *ends]


def _browsing(rng: Random) -> list[Event]:
    steps = [Event.PAGE_VIEWED]
    # Three percent of visits are very long.
    going_on, most = (0.985, 260) if rng.random() < 0.03 else (0.72, 60)
    while rng.random() < going_on and len(steps) < most:
        chance = rng.random()
        if chance < 0.46:
            steps.append(Event.PAGE_VIEWED)
        elif chance < 0.78:
            steps.append(Event.ITEM_VIEWED)
        elif chance < 0.89:
            steps.append(Event.SEARCH)
        else:
            steps.append(Event.BUTTON_CLICKED)
    return steps


def _shop(rng: Random, interest: float) -> list[Event]:
    """Generate a visit to the shop; `interest` scales the probability of adding to the cart."""
    steps = _browsing(rng)
    if Event.ITEM_VIEWED in steps and rng.random() < interest * 2:
        steps.append(Event.ITEM_ADDED)
        if rng.random() < 0.55:
            steps += [Event.PAGE_VIEWED, Event.CHECKOUT_STARTED]
            if rng.random() < 0.6:
                steps += [Event.ORDER_COMPLETED, *_paid(rng)]
    return _in_session(rng, steps)


def _paid(rng: Random) -> list[Event]:
    """Generate the revenue event, and usually the second event that the SDK logs with it."""
    verified = Event.REVENUE_VERIFIED if rng.random() < 0.6 else Event.REVENUE_UNVERIFIED
    return [Event.REVENUE, verified] if rng.random() < 0.8 else [verified]


def _signing(rng: Random, how: Event) -> list[Event]:
    before = _browsing(rng)[:12]
    after = _browsing(rng)[:12]
    return _in_session(rng, [*before, how, *after])


def _work(rng: Random) -> list[Event]:
    steps = [Event.PAGE_VIEWED]
    while rng.random() < 0.86 and len(steps) < 120:
        chance = rng.random()
        if chance < 0.5:
            steps.append(Event.REPORT_OPENED)
        elif chance < 0.62:
            steps.append(Event.REPORT_SHARED)
        elif chance < 0.65:
            steps.append(Event.MEMBER_INVITED)
        else:
            steps.append(Event.BUTTON_CLICKED)
    return _in_session(rng, steps)


def _server(rng: Random) -> list[Event]:
    chance = rng.random()
    if chance < 0.62:
        return [Event.ORDER_SHIPPED]
    if chance < 0.86:
        return [Event.SUBSCRIPTION_RENEWED]
    if chance < 0.95:
        return [Event.REFUND_ISSUED]
    return [Event.RENEWAL_SCHEDULED]


def _timed(rng: Random, steps: list[Event], pool: Pool) -> list[int]:
    """Return the offset of each step in milliseconds since the start, ascending."""
    at, offsets = 0, []
    for event in steps:
        offsets.append(at)
        at += _pause(rng, event)
    if pool is Pool.KIOSK:
        # A session of more than a day, as on a tablet that is never locked.
        stretch = (90_000_000 + int(rng.random() * 40_000_000)) // max(offsets[-1], 1)
        return [offset * max(stretch, 1) for offset in offsets]
    too_long = offsets[-1] - LONGEST_VISIT_MS
    return (
        [offset * LONGEST_VISIT_MS // offsets[-1] for offset in offsets]
        if too_long > 0
        else offsets
    )


def _pause(rng: Random, event: Event) -> int:
    if event is Event.SESSION_START:
        return 5
    if event in (Event.ORDER_COMPLETED, Event.REVENUE):
        return 20 + int(rng.random() * 400)
    if rng.random() < 0.03:
        return int(rng.random() * 1_500_000)
    chance = rng.random()
    return 700 + int(chance * chance * chance * 90_000)
