"""The details of visits: times, device, kind of visit, and identity."""

from dataclasses import dataclass, fields

import numpy as np

from amplitude_assets.emulator.world.noise import F64, I64, U64, Mask, joined, uniform
from amplitude_assets.emulator.world.people import (
    NEVER,
    WEB,
    People,
    clock_errors,
    device_keys,
    device_platform,
)
from amplitude_assets.emulator.world.scripts import PACES, Pool, Scripts

HOUR_MS = 3_600_000
DAY_HOURS = 24


@dataclass(frozen=True)
class Visits:
    """Columns of visits, one element per visit. Times are true times in ms since 1970 UTC.

    `delivered_ms` is when a late visit is uploaded, -1 for a prompt one. `delivery` is 1 when the
    visit is sent for the second time. `signs_at` is the step from which the user id is known: -1
    for members, past the last step for anonymous people. With `merges`, the anonymous id of a
    second device is merged at that step.
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
        """Return the visits at these positions."""
        return Visits(**{f.name: getattr(self, f.name)[which] for f in fields(self)})


@dataclass(frozen=True)
class ScheduledVisits:
    """Visits before their details are drawn: person, start hour and delivery.

    `lag` is the time from start to delivery (0: prompt), and `resent_after` the further time until
    this second delivery (NEVER for a first one), both in hours.
    """

    key: U64
    person: I64
    start_hour: I64
    lag: I64
    resent_after: I64
    milestone_day: I64  # NEVER for a return visit

    def take(self, which: Mask | I64) -> "ScheduledVisits":
        """Return the visits at these positions."""
        return ScheduledVisits(**{f.name: getattr(self, f.name)[which] for f in fields(self)})


def visits_from(found: ScheduledVisits, people: People, hour: int, scripts: Scripts) -> Visits:
    """Draw the details of visits that are delivered in `hour` (hours since 1970)."""
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
    # A mobile app without a connection sends its events once it is online again.
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


def _on_second_device(found: ScheduledVisits, people: People) -> Mask:
    has_one = (people.second_device_day != NEVER) & (people.sign_up_day != NEVER)
    since = people.join_hour + people.second_device_day * DAY_HOURS
    starts_on_it = has_one & (found.milestone_day == people.second_device_day)
    uses_it = has_one & (found.start_hour > since) & (uniform(found.key, "device") < 0.4)
    is_on_it: Mask = starts_on_it | (uses_it & (found.milestone_day == NEVER))
    return is_on_it


def _is_known(found: ScheduledVisits, people: People) -> Mask:
    """Return whether the person has signed up before the visit begins."""
    since = people.join_hour + people.sign_up_day * DAY_HOURS
    known: Mask = (people.sign_up_day != NEVER) & (found.start_hour > since)
    return known


def _pools(found: ScheduledVisits, people: People, platform: I64, is_known: Mask) -> I64:
    """Return the kind of each visit."""
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


def longest_delay(scripts: Scripts, visits: Visits) -> I64:
    """Return how long after its start a prompt visit may still upload, in ms."""
    lasting = (scripts.duration_ms[visits.script] * visits.pace).astype(np.int64)
    return np.maximum(lasting + 32 * 60_000, visits.held_ms + 2 * 60_000)
