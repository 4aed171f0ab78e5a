"""What the app sends by release: new properties appear, some leave again, one changes its type.

Release r comes out r times four weeks after 2014-01-01 and is never the last one.
"""

from amplitude_assets.emulator.noise import I64

_FIRST_HOUR = 385_704  # 2014-01-01T00 in hours since 1970
_HOURS_A_RELEASE = 28 * 24

# A property stays this many releases, so that a new one comes and an old one goes with each.
_LIFETIME = 6
_ADJECTIVES = ("sticky", "compact", "guided", "dark", "instant", "smart", "lazy", "bright", "calm")
_NOUNS = ("header", "cart", "search", "checkout", "gallery", "filter", "banner", "tour")

CONSENT_SINCE = 70  # mid-2019: every event says which consent text was agreed to
THEME_CASES_SINCE = 133  # 2024: a rewrite sends `theme` where the old code still sends `Theme`


def release_at(hours: I64) -> I64:
    """The newest release in each hour (hours since 1970); release 0 before there was any."""
    releases: I64 = (hours - _FIRST_HOUR) // _HOURS_A_RELEASE
    return releases.clip(0)


def version_name(release: int) -> str:
    """The release as an app store shows it."""
    return f"{1 + release // 26}.{release % 26}.{release * 7 % 5}"


def experiments(release: int) -> list[str]:
    """The keys of the experiments that run in a release, oldest first."""
    return [
        f"{_ADJECTIVES[born % len(_ADJECTIVES)]}_{_NOUNS[born * 5 % len(_NOUNS)]}_{born}"
        for born in range(max(release - _LIFETIME + 1, 0), release + 1)
    ]


def order_id_is_text(release: int) -> bool:
    """Whether a release sends `order_id` as a string: it began as a number and went to and fro."""
    return release % 16 >= 8
