"""What a visit is like: where it begins and ends, on which device, of which kind, known or not."""

from dataclasses import dataclass, fields

import numpy as np

from amplitude_assets.emulator.noise import F64, I64, U64, Mask, joined, uniform
from amplitude_assets.emulator.people import (
    NEVER,
    WEB,
    People,
    clock_errors,
    device_keys,
    device_platform,
)
from amplitude_assets.emulator.scripts import PACES, Pool, Scripts

HOUR_MS = 3_600_000
DAY_HOURS = 24


@dataclass(frozen=True)
class Visits:
    """Columns about visits, one element a visit. Times are in ms since 1970 UTC, by the true clock.

    `delivered_ms` is when a late visit is uploaded, -1 for a prompt one. `delivery` is 1 when the
    visit is sent for the second time. `signs_at` is the step from which the person is known by
    name: before the first for members, never reached by strangers. `merges` says that the anonymous
    id of a second device is absorbed at that step.
    """

    key: U64
    start_hour: I64
    start_ms: I64
    delivered_ms: I64
    delivery: I64
    same_uuid: Mask
    resent_next_hour: Mask
    script: I64
    pace: F64
    pool: I64
    is_second_device: Mask
    platform: I64
    device: U64
    clock_error_ms: I64
    held_ms: I64
    signs_at: I64
    is_logged_out: Mask
    is_first: Mask
    merges: Mask

    def take(self, which: Mask | I64) -> "Visits":
        """The visits at these positions."""
        return Visits(**{f.name: getattr(self, f.name)[which] for f in fields(self)})


@dataclass(frozen=True)
class Found:
    """Visits as first found: who, in which hour they began, how they are delivered."""

    key: U64
    person: I64
    start_hour: I64
    lag: I64
    resent_after: I64
    milestone_day: I64  # NEVER for a return visit

    def take(self, which: Mask | I64) -> "Found":
        """The visits at these positions."""
        return Found(**{f.name: getattr(self, f.name)[which] for f in fields(self)})


def detailed(found: Found, people: People, hour: int, scripts: Scripts) -> Visits:
    """Say of each visit found what it is like, when it is delivered in this hour (since 1970)."""
    key = found.key
    is_late = found.lag > 0
    is_resent = found.resent_after != NEVER
    upload_key = joined(key, found.resent_after)
    delivered = hour * HOUR_MS + (uniform(upload_key, "upload") * 3_500_000).astype(np.int64)
    is_second = _on_second_device(found, people)
    platform = device_platform(people, is_second)
    is_known = _is_known(found, people)
    pool = _pools(found, people, platform, is_known)
    device = device_keys(people, is_second)
    is_server = pool == Pool.SERVER
    # A mobile app without a connection sends what it has once it is back.
    is_held = (platform != WEB) & (uniform(key, "held") < 0.07) & ~is_server
    low, high = PACES
    script = scripts.choose(pool, uniform(key, "script"))
    return Visits(
        key=key,
        start_hour=found.start_hour,
        start_ms=found.start_hour * HOUR_MS + (uniform(key, "start") * HOUR_MS).astype(np.int64),
        delivered_ms=np.where(is_late, delivered, -1),
        delivery=is_resent.astype(np.int64),
        same_uuid=found.resent_after == 1,
        resent_next_hour=~is_late & (uniform(key, "next hour") < 0.004),
        script=script,
        pace=low + uniform(key, "pace") * (high - low),
        pool=pool,
        is_second_device=is_second,
        platform=platform,
        device=device,
        clock_error_ms=clock_errors(device) * ~is_server,
        held_ms=(uniform(key, "held for") * 100 * 60_000).astype(np.int64) * is_held,
        signs_at=np.where(is_known & (pool != Pool.SIGN_IN), -1, scripts.signs_at[script]),
        is_logged_out=is_known & (uniform(key, "logged out") < 0.08) & ~is_server,
        is_first=found.milestone_day == 0,
        merges=(pool == Pool.SIGN_IN) & (uniform(people.key, "merge payload") < 0.6),
    )


def _on_second_device(found: Found, people: People) -> Mask:
    has_one = (people.second_device_day != NEVER) & (people.sign_up_day != NEVER)
    since = people.join_hour + people.second_device_day * DAY_HOURS
    starts_on_it = has_one & (found.milestone_day == people.second_device_day)
    uses_it = has_one & (found.start_hour > since) & (uniform(found.key, "device") < 0.4)
    is_on_it: Mask = starts_on_it | (uses_it & (found.milestone_day == NEVER))
    return is_on_it


def _is_known(found: Found, people: People) -> Mask:
    """Whether the person has signed up before this visit begins."""
    since = people.join_hour + people.sign_up_day * DAY_HOURS
    known: Mask = (people.sign_up_day != NEVER) & (found.start_hour > since)
    return known


def _pools(found: Found, people: People, platform: I64, is_known: Mask) -> I64:
    """The kind of each visit."""
    chance = uniform(found.key, "pool")
    is_return = found.milestone_day == NEVER
    signs_up = ~is_return & (found.milestone_day == people.sign_up_day)
    signs_in = ~is_return & ~signs_up & (found.milestone_day != 0)
    kiosk = is_return & (found.lag >= 48) & (chance > 0.95)
    server = is_return & is_known & (chance < 0.12)
    background = is_return & (platform != WEB) & (chance < 0.17)
    work = people.is_business & is_known
    pools = np.select(
        [signs_up, signs_in, kiosk, server, background, work, people.is_spender],
        [Pool.SIGN_UP, Pool.SIGN_IN, Pool.KIOSK, Pool.SERVER, Pool.BACKGROUND, Pool.WORK, Pool.BUY],
        Pool.BROWSE,
    )
    return pools.astype(np.int64)


def longest(scripts: Scripts, visits: Visits) -> I64:
    """Until how long after its start a prompt visit may still upload, in ms."""
    lasting = (scripts.duration_ms[visits.script] * visits.pace).astype(np.int64)
    return np.maximum(lasting + 32 * 60_000, visits.held_ms + 2 * 60_000)
