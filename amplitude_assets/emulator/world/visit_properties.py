"""The user and group properties of a visit, as JSON text."""

import numpy as np

from amplitude_assets.emulator.world.noise import I64, below, uniform
from amplitude_assets.emulator.world.people import WEB, People
from amplitude_assets.emulator.world.releases import THEME_CASES_SINCE, experiments
from amplitude_assets.emulator.world.scripts import Pool
from amplitude_assets.emulator.world.text import json_text
from amplitude_assets.emulator.world.visits import Visits

_NO_GROUPS = b',"groups":{},"group_properties":{}'
_GROUP_TYPE_ID = 1042
_PLANS = ("free", "free", "free", "plus", "team")
_TRADES = ("Bakery", "Studio", "Garage", "Clinic", "Nursery", "Press", "& Sons", "Œuvre")

_CLICK_IDS = (
    "dclid", "fbclid", "gbraid", "gclid", "ko_click_id", "li_fat_id", "msclkid", "rtd_cid",
    "ttclid", "twclid", "utm_content", "utm_id", "utm_term", "wbraid",
)  # fmt: skip
_SOURCES = (
    ("EMPTY", "EMPTY", "EMPTY", "EMPTY"),
    ("EMPTY", "EMPTY", "EMPTY", "www.google.com"),
    ("google", "cpc", "Brand | always on", "www.google.com"),
    ("newsletter", "email", "spring_2", "EMPTY"),
    ("instagram", "social", "reels “home”", "l.instagram.com"),
    ("partner", "referral", "EMPTY", "blog.example.org"),
)


def _company_name(company: int) -> str:
    return f"{_TRADES[company % len(_TRADES)]} {company}"


def groups(visits: Visits, people: People) -> list[bytes]:
    """Return the columns groups and group_properties; empty for visits without a company."""
    texts = []
    for is_business, company in zip(
        _in_company(visits, people), people.company.tolist(), strict=True
    ):
        if not is_business:
            texts.append(_NO_GROUPS)
            continue
        name = _company_name(company)
        properties = {
            "plan": _PLANS[company % 5],
            "seats": company % 90 + 1,
            "trial?": company % 7 == 0,
        }
        texts.append(
            b',"groups":%b,"group_properties":%b'
            % (json_text({"company": [name]}), json_text({"company": {name: properties}}))
        )
    return texts


def group_ids(visits: Visits, people: People) -> list[bytes]:
    """Return the ids of the groups, in the format of the column `data`."""
    return [
        b'{"%d":[%d]}' % (_GROUP_TYPE_ID, 2_300_000_000 + company) if is_business else b"{}"
        for is_business, company in zip(
            _in_company(visits, people), people.company.tolist(), strict=True
        )
    ]


def _in_company(visits: Visits, people: People) -> list[bool]:
    """Return whether a visit belongs to a company: those of business people with an account."""
    in_company: list[bool] = (people.is_business & (visits.signs_at < 0)).tolist()
    return in_company


def user_properties(visits: Visits, people: People, release: I64) -> list[bytes]:
    """Return the columns user_properties and paying at the time of the visit."""
    days = (visits.start_hour - people.join_hour) // 24
    plan = below(people.key, "plan", len(_PLANS))
    is_paying = people.is_spender & (visits.signs_at < 0) & (days >= 2)
    source = below(people.key, "source", len(_SOURCES))
    # Some visits come from a campaign, which replaces the previous one.
    latest = np.where(
        uniform(visits.key, "campaign") < 0.3, below(visits.key, "latest", len(_SOURCES)), 0
    )
    is_web = (visits.platform == WEB) & (visits.pool != Pool.SERVER)
    return [
        b',"user_properties":{%b%b},"paying":%b'
        % (
            _WEB_SOURCES[first * len(_SOURCES) + last]
            if web
            else b'"app_theme":"%b",' % (b"light", b"dark")[first % 2],
            _account(_PLANS[chosen], day, at_release, first),
            b"true" if paying else b"null",
        )
        for web, first, last, chosen, day, at_release, paying in zip(
            is_web.tolist(),
            source.tolist(),
            latest.tolist(),
            plan.tolist(),
            days.tolist(),
            release.tolist(),
            is_paying.tolist(),
            strict=True,
        )
    ]


def _account(plan: str, day: int, release: int, source: int) -> bytes:
    """Return the app's user properties, some of which change with time and release."""
    experiment = experiments(release)[-1]
    theme = (
        b',"Theme":"Dark","theme":"dark"' if release >= THEME_CASES_SINCE and source == 1 else b""
    )
    return b'"plan":"%b","days since joining":%d,"seen.%b":true,"interests":["home","%b"]%b' % (
        plan.encode(),
        day,
        experiment.encode(),
        (b"garden", b"k\xc3\xbcche")[source % 2],
        theme,
    )


def _web_sources(first: int, last: int) -> bytes:
    """Return the web SDK's campaign properties, in which EMPTY stands for absent values."""
    properties = {f"initial_{name}": "EMPTY" for name in _CLICK_IDS}
    source, medium, campaign, referrer = _SOURCES[first]
    properties |= {
        "initial_utm_source": source,
        "initial_utm_medium": medium,
        "initial_utm_campaign": campaign,
        "initial_referring_domain": referrer,
        "initial_referrer": "EMPTY" if referrer == "EMPTY" else f"https://{referrer}/",
    }
    if last:
        source, medium, campaign, referrer = _SOURCES[last]
        properties |= {"utm_source": source, "utm_medium": medium, "utm_campaign": campaign}
    return json_text(properties)[1:-1] + b","


_WEB_SOURCES = [
    _web_sources(first, last) for first in range(len(_SOURCES)) for last in range(len(_SOURCES))
]
