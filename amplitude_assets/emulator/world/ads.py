"""Advertising figures that an ads platform sends in a daily batch, as events without a user.

Each morning's batch contains yesterday's figures, and repeats those of the day before with the
same `$insert_id`.
"""

from datetime import UTC, datetime, timedelta

import numpy as np

from amplitude_assets.emulator.world.columns import COLUMNS
from amplitude_assets.emulator.world.noise import U64, bits, joined, uniform
from amplitude_assets.emulator.world.text import json_text, rows, times, uuids

_HOUR_OF_DAY = 7
_CAMPAIGNS = 12
_HOUR_MS = 3_600_000
_KINDS = ("DISPLAY", "SEARCH", "VIDEO")


def ad_lines(project_id: int, key: U64, hour: int, uploaded_hour: int) -> list[bytes]:
    """Return the lines of the batch that is due in `hour`; empty except at 07:00 UTC.

    `uploaded_hour` is the hour of the upload, later than `hour` if that has no uploads. Both are
    in hours since 1970. `key` is the world's key.
    """
    if hour % 24 != _HOUR_OF_DAY:
        return []
    today = hour // 24
    return [
        _line(
            project_id, joined(joined(key, day), campaign), (day, campaign), (today, uploaded_hour)
        )
        for day in (today - 1, today - 2)
        for campaign in range(_CAMPAIGNS)
    ]


def _line(project_id: int, key: U64, about: tuple[int, int], sent: tuple[int, int]) -> bytes:
    day, campaign = about
    today, uploaded_hour = sent
    row_key = joined(key, today)
    uploaded = uploaded_hour * _HOUR_MS + int(uniform(row_key, "upload")[0] * 3_000_000) + 12_000
    client = f"google-ad-{4_651_612_872 + campaign}-{643_022_056_303 + campaign * 17}"
    date = f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day):%Y-%m-%d}"
    received = _time(uploaded - 800)
    filled = {
        "uuid": rows([uuids(bits(row_key, "high"), bits(row_key, "low"))])[0].decode(),
        "$insert_id": f"{client}-DESKTOP-{date}",
        "app": project_id,
        "amplitude_id": 2_000_000_000_000 + campaign,
        "device_id": client,
        "session_id": -1,
        "event_id": int(uniform(row_key, "event id")[0] * 1_000_000_000),
        "event_type": "Daily Ad Metrics",
        "event_time": f"{date} 07:00:00.000000",
        "client_event_time": f"{date} 07:00:00.000000",
        "client_upload_time": received,
        "server_received_time": received,
        "server_upload_time": _time(uploaded),
        "processed_time": _time(uploaded + 900),
        "library": "google_ads",
        "data_type": "event",
        "data": {
            "path": "/batch",
            "user_properties_updated": True,
            "vacuum_source_id": "5955",
            "group_first_event": {},
            "group_ids": {},
        },
        "plan": {},
        "groups": {},
        "group_properties": {},
        "event_properties": _figures(key, campaign),
        "user_properties": {"city": "test", "City": "Leeds", "country": "test", "Country": "UK"},
    }
    return json_text(dict.fromkeys(COLUMNS) | filled)


def _figures(key: U64, campaign: int) -> dict[str, object]:
    shown = int(uniform(key, "shown")[0] * 3_000)
    return {
        "ad_metrics.cost": round(shown * 0.000_344, 6),
        "ad_metrics.impressions": shown,
        "ad_metrics.clicks": shown // 90,
        "ad_metrics.conversions": float(shown // 900),
        "ad_platform": "google",
        "ad_id": 643_022_056_303 + campaign,
        "campaign_id": 19_410_069_806 + campaign,
        "campaign_name": f"Always on | {_KINDS[campaign % 3].title()} {campaign}",
        "campaign_advertising_channel_type": _KINDS[campaign % 3],
        "final_url": "https://shop.example.com/?utm_source=google&utm_medium=cpc",
    }


def _time(milliseconds: int) -> str:
    return rows([times(np.array([milliseconds], dtype=np.int64))])[0].decode()
