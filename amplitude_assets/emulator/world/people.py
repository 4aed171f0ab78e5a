"""The simulated people, with the traits that are constant over all visits.

People are numbered in the order in which they join; numbers are unlimited in both directions. All
traits of person n depend only on n.
"""

from dataclasses import dataclass, fields

import numpy as np

from amplitude_assets.emulator.world.noise import (
    F64,
    I64,
    U64,
    Mask,
    below,
    bits,
    joined,
    picked,
    uniform,
)
from amplitude_assets.emulator.world.rhythm import Rhythm

WEB, IOS, ANDROID = 0, 1, 2
NEVER = -1

# Days after joining on which a person signs up, and on which a member first uses a second device.
# The second device always comes later, so that its anonymous id can be merged into an account.
SIGN_UP_DAYS = (NEVER, 0, 1, 4, 12)
SECOND_DEVICE_DAYS = (NEVER, 16, 25, 40)

COMPANIES = 4_000


@dataclass(frozen=True)
class People:
    """Columns of people, one element per person; `number` is unique in the whole world."""

    key: U64
    number: I64
    join_hour: I64
    place: I64
    sign_up_day: I64
    second_device_day: I64
    is_business: Mask
    is_spender: Mask
    loyalty: F64
    company: I64

    def take(self, which: I64) -> "People":
        """Return the people at these positions."""
        return People(**{f.name: getattr(self, f.name)[which] for f in fields(self)})


class Population:
    """The people of one shard of the world."""

    def __init__(self, shard_key: U64, shard: int, shards: int, rhythm: Rhythm) -> None:
        self._key = joined(shard_key, 0)
        self._shard = shard
        self._shards = shards
        self._rhythm = rhythm

    def keys(self, index: I64) -> U64:
        """Return the random key of each person, from which all traits are drawn."""
        return joined(self._key, index)

    def people(self, index: I64) -> People:
        """Return the traits of the people with these numbers in the shard."""
        key = self.keys(index)
        join_hour = self._rhythm.join_hour(index)
        is_business = uniform(key, "business") < 0.12
        return People(
            key=key,
            number=index * self._shards + self._shard,
            join_hour=join_hour,
            place=self._rhythm.place(key, join_hour),
            sign_up_day=sign_up_day(key),
            second_device_day=second_device_day(key),
            is_business=is_business,
            is_spender=uniform(key, "spender") < 0.15,
            # Cubed, so that few people return often and most rarely; the mean is a quarter.
            loyalty=uniform(key, "loyalty") ** 3,
            company=below(key, "company", COMPANIES),
        )


def sign_up_day(keys: U64) -> I64:
    """Return the days from joining to signing up, or NEVER."""
    return _chosen(SIGN_UP_DAYS, picked(keys, "sign up", [50, 24, 12, 8, 6]))


def second_device_day(keys: U64) -> I64:
    """Return the days from joining to the first use of a second device, or NEVER.

    It applies only to people who sign up.
    """
    return _chosen(SECOND_DEVICE_DAYS, picked(keys, "second device", [70, 14, 9, 7]))


def amplitude_ids(numbers: I64, which: int) -> I64:
    """Return the Amplitude id of each person's first (0) or second (1) device before any merge.

    Ids are up to 1.2e12, as in real exports. Multiplication by an odd number modulo 2**40 is a
    bijection, so no two people share an id.
    """
    scattered = ((numbers * 2 + which) * 0x9E3779B1) % 2**40
    return scattered + 100_000_000_000


def device_platform(people: People, is_second: Mask) -> I64:
    """Return WEB, IOS or ANDROID; the second device is always of another kind than the first."""
    first = picked(people.key, "platform", [52, 26, 22])
    second = (first + 1 + below(people.key, "second platform", 2)) % 3
    return np.where(is_second, second, first)


def device_keys(people: People, is_second: Mask) -> U64:
    """Return a random key for each device, for its id and its other traits."""
    return joined(bits(people.key, "device"), is_second.astype("int64"))


def clock_errors(device: U64) -> I64:
    """Return how many milliseconds each device's clock is behind (negative: ahead).

    Most are within a second; some are off by minutes to hours, a few by days. Amplitude corrects
    errors of 60 seconds and more.
    """
    size = picked(device, "clock", [955, 38, 6, 1])
    spread = uniform(device, "clock error") * 2 - 1
    scale = _chosen((800, 3 * 3_600_000, 4 * 86_400_000, 500 * 86_400_000), size)
    return (spread * scale).astype("int64")


def _chosen(values: tuple[int, ...], positions: I64) -> I64:
    return np.array(values, dtype=np.int64)[positions]
