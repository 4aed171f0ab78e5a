"""The app's properties by release: some appear, some disappear, and one changes its type.

A release appears every four weeks, without end; release 0 appeared on 2014-01-01.
"""

from amplitude_assets.emulator.world.noise import I64

_FIRST_HOUR = 385_704  # 2014-01-01T00 in hours since 1970
_HOURS_A_RELEASE = 28 * 24

# An experiment runs for this many releases, so each release starts one and ends one.
_LIFETIME = 6
_ADJECTIVES = ("sticky", "compact", "guided", "dark", "instant", "smart", "lazy", "bright", "calm")
_NOUNS = ("header", "cart", "search", "checkout", "gallery", "filter", "banner", "tour")

CONSENT_SINCE = 70  # mid-2019: every event has the version of the consent text
THEME_CASES_SINCE = 133  # 2024: new code sends `theme`, old code still sends `Theme`


def release_at(hours: I64) -> I64:
    """Return the newest release in each hour (hours since 1970); 0 before the first release."""
    releases: I64 = (hours - _FIRST_HOUR) // _HOURS_A_RELEASE
    return releases.clip(0)


def version_name(release: int) -> str:
    """Return the version number of a release."""
    return f"{1 + release // 26}.{release % 26}.{release * 7 % 5}"


def experiments(release: int) -> list[str]:
    """Return the keys of the experiments that run in a release, oldest first."""
    return [
        f"{_ADJECTIVES[born % len(_ADJECTIVES)]}_{_NOUNS[born * 5 % len(_NOUNS)]}_{born}"
        for born in range(max(release - _LIFETIME + 1, 0), release + 1)
    ]


def order_id_is_text(release: int) -> bool:
    """Return whether a release sends `order_id` as a string; releases alternate with numbers."""
    return release % 16 >= 8
