"""The server behaves like Amplitude's Export API."""

import io
import re
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import requests

from amplitude_assets.emulator import API_KEY, SECRET_KEY, Request, World, WorldSettings, serve

pytestmark = pytest.mark.integration

KEYS = (API_KEY, SECRET_KEY)
WORLD = World(WorldSettings(events_per_hour=60))
# A morning with events in every hour from T06 to T12.
DAY = datetime(2026, 9, 7, tzinfo=UTC)


class Clock:
    """A clock that shows a fixed time."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock():
    return Clock(DAY + timedelta(days=30))


@pytest.fixture
def emulator(clock):
    with serve(WORLD, clock=clock) as emulator:
        yield emulator


def export(emulator, auth=KEYS, **params):
    return requests.get(f"{emulator.base_url}/api/2/export", params=params, auth=auth, timeout=30)


def members(response) -> list[str]:
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def hours_of(names: list[str]) -> list[int]:
    return sorted({int(re.search(r"_(\d+)#", name)[1]) for name in names})


def test_sends_the_members_of_a_range_with_both_ends(emulator):
    response = export(emulator, start="20260907T08", end="20260907T10")
    names = members(response)
    assert hours_of(names) == [8, 9, 10]
    expected = [m.name for n in (8, 9, 10) for m in WORLD.members(DAY + timedelta(hours=n))]
    assert names == expected
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        first = archive.read(names[0])
    assert first == next(WORLD.members(DAY + timedelta(hours=8))).data


def test_sends_one_hour_when_start_is_end(emulator):
    assert hours_of(members(export(emulator, start="20260907T09", end="20260907T09"))) == [9]


def test_sends_the_same_bytes_again(emulator):
    first = export(emulator, start="20260907T08", end="20260907T09")
    second = export(emulator, start="20260907T08", end="20260907T09")
    assert first.content == second.content


def test_usually_sends_a_content_length_and_sometimes_chunks(emulator):
    kinds = set()
    for hour in range(6, 24):
        response = export(emulator, start=f"20260907T{hour:02d}", end=f"20260907T{hour:02d}")
        if response.status_code == 200:
            members(response)
            kinds.add("Content-Length" in response.headers)
    assert kinds == {True, False}


def test_requires_credentials(emulator):
    response = export(emulator, auth=None, start="20260907T08", end="20260907T08")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize("auth", [(API_KEY, "wrong"), ("wrong", SECRET_KEY), ("", "")])
def test_rejects_wrong_keys(emulator, auth):
    response = export(emulator, auth=auth, start="20260907T08", end="20260907T08")
    assert (response.status_code, response.text) == (403, "Invalid API Key")


def test_accepts_the_given_keys():
    with serve(WORLD, api_key="key", secret_key="secret") as emulator:
        hour = {"start": "20260907T08", "end": "20260907T08"}
        assert export(emulator, auth=("key", "secret"), **hour).status_code == 200
        assert export(emulator, auth=KEYS, **hour).status_code == 403


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"start": "20260907T08"},
        {"end": "20260907T08"},
        {"start": "2026-09-07T08", "end": "20260907T08"},
        {"start": "20260907T8", "end": "20260907T08"},
        {"start": "20260907T24", "end": "20260908T08"},
        {"start": "20260231T00", "end": "20260301T00"},
        {"start": "20260907T09", "end": "20260907T08"},
        {"start": "20250907T00", "end": "20260907T00"},
    ],
)
def test_rejects_invalid_ranges(emulator, params):
    response = export(emulator, **params)
    assert response.status_code == 400
    assert response.text


def test_accepts_a_range_of_a_whole_year(clock):
    clock.now = datetime(2025, 9, 7, 9, tzinfo=UTC)
    with serve(WORLD, clock=clock) as emulator:
        assert export(emulator, start="20250907T00", end="20260906T23").status_code == 200


def test_exports_an_hour_only_two_hours_after_its_end(emulator, clock):
    hour = {"start": "20260907T09", "end": "20260907T09"}
    clock.now = DAY + timedelta(hours=11, minutes=59, seconds=59)
    response = export(emulator, **hour)
    assert (response.status_code, response.text) == (404, "Raw data files were not found.")
    clock.now = DAY + timedelta(hours=12)
    assert hours_of(members(export(emulator, **hour))) == [9]


def test_sends_the_date_of_its_clock(emulator, clock):
    clock.now = datetime(2026, 9, 7, 12, 0, 1, tzinfo=UTC)
    response = export(emulator, start="20260907T09", end="20260907T09")
    assert response.headers["Date"] == "Mon, 07 Sep 2026 12:00:01 GMT"


def test_omits_hours_that_are_not_ready(emulator, clock):
    clock.now = DAY + timedelta(hours=12)
    assert hours_of(members(export(emulator, start="20260907T08", end="20260907T15"))) == [8, 9]


def test_the_delay_is_configurable(clock):
    clock.now = DAY + timedelta(hours=12)
    hour = {"start": "20260907T09", "end": "20260907T09"}
    with serve(WORLD, clock=clock, delay_hours=3) as emulator:
        assert export(emulator, **hour).status_code == 404
    with serve(WORLD, clock=clock, delay_hours=0) as emulator:
        assert export(emulator, **hour).status_code == 200


def test_returns_the_same_404_for_an_hour_without_events(emulator):
    quiet = next(h for h in (DAY + timedelta(hours=n) for n in range(600)) if WORLD.is_quiet(h))
    response = export(emulator, start=f"{quiet:%Y%m%dT%H}", end=f"{quiet:%Y%m%dT%H}")
    assert (response.status_code, response.text) == (404, "Raw data files were not found.")


def test_rejects_more_bytes_than_the_limit(clock):
    one = sum(len(member.data) for member in WORLD.members(DAY + timedelta(hours=9)))
    with serve(WORLD, clock=clock, max_response_bytes=one + 4_000) as emulator:
        assert export(emulator, start="20260907T09", end="20260907T09").status_code == 200
        response = export(emulator, start="20260907T08", end="20260907T12")
        assert response.status_code == 400
        assert "too large" in response.text


def test_times_out_for_more_hours_than_the_limit(clock):
    with serve(WORLD, clock=clock, max_range_hours=3) as emulator:
        assert export(emulator, start="20260907T08", end="20260907T10").status_code == 200
        assert export(emulator, start="20260907T08", end="20260907T11").status_code == 504


def test_other_paths_return_404(emulator):
    response = requests.get(f"{emulator.base_url}/api/2/events", auth=KEYS, timeout=30)
    assert response.status_code == 404
    assert emulator.requests == []


def test_records_the_requests(emulator):
    export(emulator, start="20260907T08", end="20260907T09")
    export(emulator, auth=None, start="20260907T08", end="20260907T08")
    export(emulator, start="20260907T08")
    assert emulator.requests == [
        Request("20260907T08", "20260907T09", 200),
        Request("20260907T08", "20260907T08", 401),
        Request("20260907T08", "", 400),
    ]


def test_counts_concurrent_requests():
    arrived = threading.Barrier(3)

    def clock() -> datetime:
        arrived.wait(timeout=30)
        return DAY + timedelta(days=30)

    with serve(WORLD, clock=clock) as emulator, ThreadPoolExecutor(3) as pool:
        hours = [f"20260907T{hour:02d}" for hour in (8, 9, 10)]
        answers = list(pool.map(lambda hour: export(emulator, start=hour, end=hour), hours))
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert emulator.max_concurrent == 3


def test_responses_are_equal_for_concurrent_threads(emulator):
    with ThreadPoolExecutor(6) as pool:
        hours = [f"20260907T{hour:02d}" for hour in (8, 9, 10)] * 4
        answers = list(pool.map(lambda hour: export(emulator, start=hour, end=hour), hours))
    for hour, answer in zip(hours, answers, strict=True):
        expected = WORLD.members(DAY + timedelta(hours=int(hour[-2:])))
        assert members(answer) == [member.name for member in expected]


def test_stops_when_the_block_ends():
    before = threading.active_count()
    with serve(WORLD) as emulator, requests.Session() as session:
        url = f"{emulator.base_url}/api/2/export"
        assert session.get(url, timeout=30).status_code == 401
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=30)
    assert threading.active_count() <= before + 1


def test_serves_the_default_world():
    with serve() as emulator:
        response = export(emulator, start="20260907T09", end="20260907T09")
        with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
            assert archive.namelist() == [m.name for m in World().members(DAY + timedelta(hours=9))]
