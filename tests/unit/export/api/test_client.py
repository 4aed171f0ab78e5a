"""The Export API client: its requests, retries and timeouts, and its handling of responses."""

import base64
import gzip
import io
import logging
import os
import socket
import threading
import traceback
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from amplitude_assets.export.api.client import ExportClient, RetryLimits
from amplitude_assets.export.api.download import Timeouts
from amplitude_assets.export.errors import (
    ArchiveError,
    ClockError,
    CredentialsError,
    ExportError,
    ProjectError,
    RateLimitedError,
    TooLargeError,
    UnavailableError,
    UnreachableError,
)
from amplitude_assets.export.source import Delivery, Probe
from amplitude_assets.hours import HourRange
from amplitude_assets.streams.part_files import DiskError, PartFile
from tests.unit.export.building import HOUR, PROJECT, hours, name_of, one, packed, room_for

from .server import Answer, serving

pytestmark = pytest.mark.integration

API_KEY = "the-api-key"
SECRET_KEY = "the-secret-key"
NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
NOT_FOUND = Answer(404, b"Raw data files were not found.")


class Pauses(list[float]):
    """Replace waiting, and record the seconds of each wait."""

    def __call__(self, stop: threading.Event, seconds: float) -> None:
        self.append(seconds)


def client_of(origin: str, **settings: Any) -> ExportClient:
    given = {"project_id": PROJECT, "pause": Pauses(), "clock": lambda: NOW} | settings
    return ExportClient(origin, API_KEY, SECRET_KEY, **given)


def zip_of(*hours: datetime, project: int = PROJECT) -> bytes:
    """A zip with one event for each hour."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for hour in hours:
            member = zipfile.ZipInfo(name_of(0, hour, project))  # without the time of day
            archive.writestr(member, packed(b'{"uuid":"a"}'))
    return buffer.getvalue()


def at(moment: datetime) -> Callable[[], str]:
    """Return this time as the `Date` of every response."""
    return lambda: format_datetime(moment, usegmt=True)


def whole(*hours: datetime) -> Answer:
    return Answer(200, zip_of(*hours))


def in_turn(*answers: Answer) -> Callable[[int], Answer]:
    """Return each response once, then always the last one."""
    return lambda number: answers[min(number, len(answers) - 1)]


def test_a_complete_zip_is_named_by_its_hours_and_checksum(tmp_path: Path) -> None:
    with serving(in_turn(whole(HOUR))) as server:
        delivery = client_of(server.base_url).fetch(hours(3), tmp_path / "zips")
    assert delivery.path is not None
    assert delivery.crc32 == f"{zlib.crc32(zip_of(HOUR)):08x}"
    assert delivery.path.name == f"2026-09-01T05--2026-09-01T07--{delivery.crc32}.zip"
    assert delivery.path.read_bytes() == zip_of(HOUR)
    assert delivery.bytes == len(zip_of(HOUR))
    assert (delivery.hours, delivery.attempts, delivery.fetched_at) == (hours(3), 1, NOW)
    assert list((tmp_path / "zips").iterdir()) == [delivery.path]


def test_the_checksum_covers_all_chunks_of_a_body(tmp_path: Path) -> None:
    with PartFile(tmp_path) as part:
        for piece in (b"12345", b"6789"):
            part.write(piece)
        # The check value that CRC-32 is published with.
        assert part.crc32 == "cbf43926"


def test_the_request_names_both_hours_and_carries_the_keys(tmp_path: Path) -> None:
    with serving(in_turn(NOT_FOUND)) as server:
        client_of(server.base_url).fetch(hours(3), tmp_path)
    assert server.targets == ["/api/2/export?start=20260901T05&end=20260901T07"]
    keys = base64.b64encode(f"{API_KEY}:{SECRET_KEY}".encode()).decode()
    assert server.authorizations == [f"Basic {keys}"]


def test_no_data_is_a_delivery_without_a_zip(tmp_path: Path) -> None:
    with serving(in_turn(NOT_FOUND)) as server:
        delivery = client_of(server.base_url).fetch(one(HOUR), tmp_path)
    assert delivery == Delivery(one(HOUR), None, 0, None, NOW, 1)
    assert not list(tmp_path.iterdir())


def test_fetched_at_is_when_the_answered_request_was_sent(tmp_path: Path) -> None:
    moments = [NOW.replace(minute=minute) for minute in range(20)]
    with serving(in_turn(Answer(503), NOT_FOUND)) as server:
        client = client_of(server.base_url, clock=lambda: moments.pop(0))
        delivery = client.fetch(one(HOUR), tmp_path)
    # The clock was read when the first request was sent, for its Retry-After, and then again.
    assert delivery.fetched_at == NOW.replace(minute=2)


# By the server's clock, exportable up to 2026-09-01T05 in two seconds, and up to 04 until then.
BEFORE_IT_IS_READY = datetime(2026, 9, 1, 7, 59, 58, tzinfo=UTC)


@pytest.mark.parametrize("answer", [NOT_FOUND, whole(HOUR)], ids=["404", "200"])
def test_a_clock_that_is_ahead_fails_with_the_difference(tmp_path: Path, answer: Answer) -> None:
    ahead = BEFORE_IT_IS_READY + timedelta(hours=1, minutes=5)
    with serving(in_turn(answer), date=at(BEFORE_IT_IS_READY)) as server:
        client = client_of(server.base_url, clock=lambda: ahead)
        with pytest.raises(ClockError) as raised:
            client.fetch(one(HOUR), tmp_path / "zips")
    assert "the clock of this machine is 1 h 5 min ahead of 127.0.0.1" in raised.value.message
    assert "(2026-09-01 09:04:58 here, 2026-09-01 07:59:58 there, UTC)" in raised.value.message
    assert "2026-09-01T05 is not exportable before 08:00" in raised.value.message
    assert not raised.value.retryable
    assert not (tmp_path / "zips").exists()


def test_a_clock_that_is_ahead_by_seconds_waits_for_the_servers(tmp_path: Path) -> None:
    there = [at(BEFORE_IT_IS_READY)(), at(BEFORE_IT_IS_READY + timedelta(seconds=2))()]
    pauses = Pauses()
    retry = RetryLimits(base_seconds=0.0)
    with serving(in_turn(NOT_FOUND), date=lambda: there.pop(0)) as server:
        here = BEFORE_IT_IS_READY + timedelta(seconds=30)
        client = client_of(server.base_url, clock=lambda: here, pause=pauses, retry=retry)
        delivery = client.fetch(one(HOUR), tmp_path)
    assert (delivery.path, delivery.attempts, pauses) == (None, 2, [2.0])


def test_of_many_hours_only_those_that_the_servers_clock_allows_are_delivered(
    tmp_path: Path,
) -> None:
    delivered: list[HourRange] = []
    with serving(in_turn(NOT_FOUND), date=at(BEFORE_IT_IS_READY)) as server:
        errors = client_of(server.base_url).fetch_all(
            [hours(8, HOUR - timedelta(hours=5))],  # 00 to 07
            tmp_path,
            on_delivery=lambda delivery: delivered.append(delivery.hours),
        )
    failed = {hour for error in errors for hour in error.hours}
    assert {type(error) for error in errors} == {ClockError}
    assert failed == set(hours(3))
    assert {hour for part in delivered for hour in part} == set(hours(5, HOUR - timedelta(hours=5)))


@pytest.mark.parametrize("date", ["", "Tuesday at noon"])
def test_without_a_date_header_the_clock_is_not_checked(tmp_path: Path, date: str) -> None:
    with serving(in_turn(NOT_FOUND), date=lambda: date) as server:
        assert client_of(server.base_url).fetch(one(HOUR), tmp_path).path is None


def test_an_html_404_is_reported_as_another_server(tmp_path: Path) -> None:
    page = Answer(404, b"<!doctype html><title>404 Not Found</title>")
    with (
        serving(in_turn(page)) as server,
        pytest.raises(ExportError, match="not the Export API; check AMPLITUDE_BASE_URL"),
    ):
        client_of(server.base_url).fetch(one(HOUR), tmp_path)
    assert len(server.targets) == 1


def test_amplitudes_own_text_in_a_page_means_no_data(tmp_path: Path) -> None:
    page = Answer(404, b"<html><p>Raw data files were not found.</p></html>")
    with serving(in_turn(page)) as server:
        assert client_of(server.base_url).fetch(one(HOUR), tmp_path).path is None


@pytest.mark.parametrize("status", [401, 403])
def test_rejected_keys_fail_at_once_with_the_settings(tmp_path: Path, status: int) -> None:
    with (
        serving(in_turn(Answer(status, b"Invalid API Key"))) as server,
        pytest.raises(CredentialsError, match="Invalid API Key") as raised,
    ):
        client_of(server.base_url).fetch(one(HOUR), tmp_path)
    for setting in ("AMPLITUDE_API_KEY", "AMPLITUDE_SECRET_KEY", "AMPLITUDE_REGION"):
        assert setting in str(raised.value)
    assert len(server.targets) == 1


def test_rejected_keys_stop_all_requests(tmp_path: Path) -> None:
    ranges = [one(hour) for hour in hours(40)]
    with serving(in_turn(Answer(403, b"Invalid API Key"))) as server:
        errors = client_of(server.base_url, max_concurrent=2).fetch_all(
            ranges, tmp_path, on_delivery=pytest.fail
        )
    assert [error.hours for error in errors] == ranges
    assert {type(error) for error in errors} == {CredentialsError}
    assert len(server.targets) <= 4


def test_rejected_keys_end_the_waits_of_retries(tmp_path: Path) -> None:
    has_failed, woken = threading.Event(), list[bool]()
    ranges = [one(hour) for hour in hours(2)]

    def answers(number: int) -> Answer:
        if "T05&" in server.targets[number]:
            has_failed.set()
            return Answer(503)
        has_failed.wait(timeout=30)
        return Answer(403)

    with serving(answers) as server:
        client = client_of(
            server.base_url, pause=lambda stop, _: woken.append(stop.wait(timeout=30))
        )
        errors = client.fetch_all(ranges, tmp_path, on_delivery=pytest.fail)
    assert woken == [True]
    assert [(type(error), error.hours) for error in errors] == [
        (CredentialsError, hours) for hours in ranges
    ]


def test_another_projects_export_stops_all_requests(tmp_path: Path) -> None:
    body = Answer(200, zip_of(HOUR, project=8))
    with serving(in_turn(body)) as server:
        client = client_of(server.base_url, max_concurrent=1)
        errors = client.fetch_all([hours(24), one(HOUR)], tmp_path, on_delivery=pytest.fail)
    assert [type(error) for error in errors] == [ProjectError, ProjectError]
    assert "AMPLITUDE_PROJECT_ID is 7" in str(errors[0])
    assert len(server.targets) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("status", [429, 500, 502, 503, 599])
def test_server_errors_are_retried(tmp_path: Path, status: int) -> None:
    pauses = Pauses()
    with serving(in_turn(*[Answer(status, b"busy")] * 4, whole(HOUR))) as server:
        delivery = client_of(server.base_url, pause=pauses).fetch(one(HOUR), tmp_path)
    assert delivery.path is not None
    assert delivery.attempts == 5
    assert len(pauses) == 4
    assert all(0 <= pause <= 0.5 * 2**n for n, pause in enumerate(pauses))


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (429, RateLimitedError, "limits the request rate (429: busy)"),
        (500, UnavailableError, "server error (500: busy)"),
        (504, TooLargeError, "Amplitude's S3 export"),
    ],
)
def test_lasting_server_errors_are_raised(
    tmp_path: Path, status: int, error: type[ExportError], words: str
) -> None:
    pauses = Pauses()
    with serving(in_turn(Answer(status, b"busy"))) as server:
        client = client_of(server.base_url, pause=pauses, retry=RetryLimits(attempts=3))
        with pytest.raises(error) as failed:
            client.fetch(one(HOUR), tmp_path)
    assert words in str(failed.value)
    assert failed.value.hours == one(HOUR)
    assert (len(server.targets), len(pauses)) == (3, 2)


def test_waits_grow_no_longer_than_the_cap(tmp_path: Path) -> None:
    pauses = Pauses()
    limits = RetryLimits(attempts=30, base_seconds=1, cap_seconds=4)
    with serving(in_turn(Answer(500))) as server, pytest.raises(UnavailableError):
        client_of(server.base_url, pause=pauses, retry=limits).fetch(one(HOUR), tmp_path)
    assert max(pauses) <= 4
    assert len(set(pauses)) == 29  # random, so that clients do not retry at the same time


@pytest.mark.parametrize(
    ("value", "least"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("Tue, 01 Sep 2026 12:00:09 GMT", 9),
        ("Tue, 01 Sep 2026 11:00:00 GMT", 0),
        ("999999999", 60),
        ("soon", 0),
        ("-5", 0),
        ("", 0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_waited_out(tmp_path: Path, status: int, value: str, least: int) -> None:
    pauses = Pauses()
    limits = RetryLimits(base_seconds=0.5, retry_after_cap_seconds=60)
    busy = Answer(status, b"", {"Retry-After": value})
    with serving(in_turn(busy, NOT_FOUND)) as server:
        client_of(server.base_url, pause=pauses, retry=limits).fetch(one(HOUR), tmp_path)
    assert len(pauses) == 1
    assert least <= pauses[0] <= least + 0.5


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"<html>maintenance</html>", {"Content-Type": "text/html"}),
        Answer(200, b""),
        Answer(200, b"P"),
        Answer(200, zip_of()),
        Answer(200, zip_of(HOUR)[:-5]),
        Answer(200, zip_of(HOUR), {"Content-Length": "100000"}),
        Answer(200, zip_of(HOUR), {"Content-Length": "30"}),
        Answer(200, b"PK" + os.urandom(5000)),
    ],
    ids=["html", "empty", "one byte", "no members", "cut", "short", "cut by length", "noise"],
)
def test_an_incomplete_zip_is_retried(tmp_path: Path, answer: Answer) -> None:
    with serving(in_turn(answer, whole(HOUR))) as server:
        delivery = client_of(server.base_url).fetch(one(HOUR), tmp_path)
        assert delivery.attempts == 2
        assert delivery.path is not None
        assert list(tmp_path.iterdir()) == [delivery.path]
    with serving(in_turn(answer)) as server:
        client = client_of(server.base_url, retry=RetryLimits(attempts=2))
        with pytest.raises((UnavailableError, ArchiveError)):
            client.fetch(one(HOUR), tmp_path / "other")
    assert not list((tmp_path / "other").iterdir())


def test_a_body_with_a_content_encoding_is_decoded(tmp_path: Path) -> None:
    encoded = Answer(200, gzip.compress(zip_of(HOUR)), {"Content-Encoding": "gzip"})
    with serving(in_turn(encoded)) as server:
        delivery = client_of(server.base_url).fetch(one(HOUR), tmp_path)
    assert delivery.path is not None
    assert delivery.path.read_bytes() == zip_of(HOUR)


TOO_LARGE = Answer(400, b"The file size of the exported data is too large. Shorten the time ranges")


@pytest.mark.parametrize("answer", [TOO_LARGE, Answer(400), Answer(400, b"Nope"), Answer(504)])
def test_a_range_that_is_too_large_is_halved_without_waiting(
    tmp_path: Path, answer: Answer
) -> None:
    pauses, deliveries = Pauses(), list[Delivery]()
    with serving(in_turn(answer, answer, NOT_FOUND)) as server:
        client = client_of(server.base_url, pause=pauses, max_concurrent=1)
        errors = client.fetch_all([hours(8)], tmp_path, on_delivery=deliveries.append)
    assert not errors
    assert not pauses
    assert [len(delivery.hours) for delivery in deliveries] == [2, 2, 4]
    assert {hour for delivery in deliveries for hour in delivery.hours} == set(hours(8))


@pytest.mark.parametrize("answer", [TOO_LARGE, Answer(504)])
def test_an_hour_that_is_too_large_fails_alone_and_names_the_s3_export(
    tmp_path: Path, answer: Answer
) -> None:
    too_large = f"{HOUR:%Y%m%dT%H}"
    deliveries: list[Delivery] = []

    def answers(number: int) -> Answer:
        return answer if f"start={too_large}" in server.targets[number] else NOT_FOUND

    with serving(answers) as server:
        errors = client_of(server.base_url).fetch_all(
            [hours(6)], tmp_path, on_delivery=deliveries.append
        )
    assert [(type(error), error.hours) for error in errors] == [(TooLargeError, one(HOUR))]
    assert "2026-09-01T05" in str(errors[0])
    assert "Amplitude's S3 export" in str(errors[0])
    assert {hour for delivery in deliveries for hour in delivery.hours} == set(hours(6)) - {HOUR}


def test_a_malformed_request_fails_with_the_servers_message(tmp_path: Path) -> None:
    wrong = Answer(400, b"Invalid start:\n must be\tYYYYMMDDTHH " + b"x" * 500)
    with serving(in_turn(wrong)) as server:
        errors = client_of(server.base_url).fetch_all(
            [hours(24)], tmp_path, on_delivery=pytest.fail
        )
    assert [error.hours for error in errors] == [hours(24)]
    assert "(400: Invalid start: must be YYYYMMDDTHH xxx" in str(errors[0])
    assert len(str(errors[0])) < 330
    assert len(server.targets) == 1


@pytest.mark.parametrize("status", [204, 206, 302, 307, 405, 418, 451])
def test_unexpected_statuses_are_errors(tmp_path: Path, status: int) -> None:
    with (
        serving(in_turn(Answer(status))) as server,
        pytest.raises(ExportError, match=f"{status}|redirects"),
    ):
        client_of(server.base_url).fetch(one(HOUR), tmp_path)
    assert len(server.targets) == 1


def test_keys_are_not_sent_to_another_server(tmp_path: Path) -> None:
    with serving(in_turn(whole(HOUR))) as other:
        there = Answer(302, b"", {"Location": f"{other.base_url}/secret?a=b"})
        with (
            serving(in_turn(there)) as server,
            pytest.raises(ExportError, match="AMPLITUDE_BASE_URL") as raised,
        ):
            client_of(server.base_url).fetch(one(HOUR), tmp_path)
    assert not other.targets
    assert other.base_url.removeprefix("http://") in str(raised.value)


def test_a_netrc_does_not_replace_the_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with serving(in_turn(NOT_FOUND)) as server:
        client_of(server.base_url).fetch(one(HOUR), tmp_path)
    keys = base64.b64encode(f"{API_KEY}:{SECRET_KEY}".encode()).decode()
    assert server.authorizations == [f"Basic {keys}"]


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_an_unreachable_server_fails_all_ranges_after_the_first(tmp_path: Path) -> None:
    pauses = Pauses()
    ranges = [hours(24), *(one(hour) for hour in hours(30))]
    client = client_of(f"http://127.0.0.1:{closed_port()}", pause=pauses, max_concurrent=1)
    errors = client.fetch_all(ranges, tmp_path, on_delivery=pytest.fail)
    assert sorted(error.hours for error in errors) == sorted(ranges)
    assert {type(error) for error in errors} == {UnreachableError}
    assert len(pauses) == 4
    assert "AMPLITUDE_BASE_URL" in str(errors[0])


def test_an_unknown_host_is_unreachable(tmp_path: Path) -> None:
    client = client_of("http://amplitude.invalid", retry=RetryLimits(attempts=2))
    with pytest.raises(UnreachableError, match=r"amplitude\.invalid"):
        client.fetch(one(HOUR), tmp_path)


def test_a_server_that_is_down_does_not_get_a_request_for_every_hour(tmp_path: Path) -> None:
    days = [HourRange(day, day.replace(hour=23)) for day in hours(24 * 60)
            if day.hour == 0]  # fmt: skip
    with serving(in_turn(Answer(503, b"down"))) as server:
        errors = client_of(server.base_url, max_concurrent=2).fetch_all(
            days, tmp_path, on_delivery=pytest.fail
        )
    assert {hour for error in errors for hour in error.hours} == {h for d in days for h in d}
    assert sum(len(error.hours) for error in errors) == 24 * len(days)
    assert {type(error) for error in errors} == {UnavailableError}
    assert len(server.targets) < 60


@pytest.mark.parametrize("max_concurrent", [1, 4])
def test_bad_hours_of_many_days_do_not_look_like_a_server_that_is_down(
    tmp_path: Path, max_concurrent: int
) -> None:
    days = [HourRange(day, day.replace(hour=23)) for day in hours(24 * 20) if day.hour == 0]
    delivered: set[datetime] = set()

    def answers(number: int) -> Answer:
        return Answer(500) if "T00&end=" in server.targets[number] else NOT_FOUND

    with serving(answers) as server:
        errors = client_of(server.base_url, max_concurrent=max_concurrent).fetch_all(
            days, tmp_path, on_delivery=lambda delivery: delivered.update(delivery.hours)
        )
    assert [error.hours for error in errors] == [one(day.first) for day in days]
    assert len(delivered) == 23 * len(days)


def test_a_slow_body_times_out(tmp_path: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def drip() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nPK")
                while not stop.wait(0.02):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        break

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        client = client_of(
            f"http://127.0.0.1:{listener.getsockname()[1]}",
            timeout=Timeouts(read=0.3),
            retry=RetryLimits(attempts=2),
        )
        with pytest.raises(UnavailableError, match="at less than 1024 bytes a second"):
            client.fetch(one(HOUR), tmp_path)
    finally:
        stop.set()
        listener.close()
        thread.join()
    assert not list(tmp_path.iterdir())


def test_a_silent_server_times_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = client_of(
            f"http://127.0.0.1:{listener.getsockname()[1]}",
            timeout=Timeouts(read=0.2),
            retry=RetryLimits(attempts=2),
        )
        with pytest.raises(UnavailableError, match="timed out"):
            client.fetch(one(HOUR), tmp_path)


def test_concurrent_requests_do_not_exceed_the_limit(tmp_path: Path) -> None:
    """Two threads call the client; the server holds requests until enough have arrived."""
    lock, gate = threading.Lock(), threading.Barrier(3)
    active = [0, 0]

    def answers(number: int) -> Answer:
        with lock:
            active[0] += 1
            active[1] = max(active)
        if number < 6:
            gate.wait(timeout=30)
        with lock:
            active[0] -= 1
        return NOT_FOUND

    with serving(answers) as server:
        client = client_of(server.base_url, max_concurrent=3)
        found: list[ExportError] = []

        def call() -> None:
            ranges = [one(hour) for hour in hours(12)]
            found.extend(client.fetch_all(ranges, tmp_path, on_delivery=lambda _: None))

        callers = [threading.Thread(target=call) for _ in range(2)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    assert not found
    assert len(server.targets) == 24
    assert active[1] == 3


def test_deliveries_are_reported_in_the_callers_thread(tmp_path: Path) -> None:
    threads = set()
    with serving(in_turn(NOT_FOUND)) as server:
        client_of(server.base_url).fetch_all(
            [one(hour) for hour in hours(8)],
            tmp_path,
            on_delivery=lambda _: threads.add(threading.get_ident()),
        )
    assert threads == {threading.get_ident()}


def test_received_bytes_are_reported_without_those_of_failed_responses(
    tmp_path: Path,
) -> None:
    """The server sends half of a zip, waits until it is reported, and then closes once."""
    body = zip_of(HOUR)
    half = len(body) // 2
    is_reported, threads, reported = threading.Event(), set(), []

    def on_received(received: int) -> None:
        threads.add(threading.get_ident())
        reported.append(received)
        if received == half:
            is_reported.set()

    def send(listener: socket.socket, parts: list[bytes]) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            for part in parts:
                connection.sendall(part)
                assert is_reported.wait(20)
            is_reported.clear()

    def serve(listener: socket.socket) -> None:
        send(listener, [body[:half]])
        send(listener, [body[:half], body[half:]])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        client = client_of(
            f"http://127.0.0.1:{listener.getsockname()[1]}", retry=RetryLimits(attempts=2)
        )
        errors = client.fetch_all(
            [one(HOUR)], tmp_path, on_delivery=lambda _: None, on_received=on_received
        )
        server.join()
    assert not errors
    assert max(reported) == reported[-1] == len(body)
    assert threads == {threading.get_ident()}


def test_an_exception_of_the_caller_stops_the_requests(tmp_path: Path) -> None:
    def interrupt(delivery: Delivery) -> None:
        raise KeyboardInterrupt

    with serving(in_turn(NOT_FOUND)) as server:
        client = client_of(server.base_url, max_concurrent=1)
        with pytest.raises(KeyboardInterrupt):
            client.fetch_all([one(hour) for hour in hours(50)], tmp_path, on_delivery=interrupt)
    assert len(server.targets) <= 2


def test_a_full_disk_stops_with_the_folder_and_the_setting(tmp_path: Path) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr(name_of(0), os.urandom(300_000))
    with (
        serving(in_turn(Answer(200, body.getvalue()))) as server,
        room_for(50_000),
        pytest.raises(DiskError, match="DATA_DIR") as stopped,
    ):
        client_of(server.base_url).fetch_all(
            [one(HOUR)], tmp_path / "zips", on_delivery=pytest.fail
        )
    assert str(tmp_path / "zips") in str(stopped.value)
    assert not list((tmp_path / "zips").iterdir())


def test_a_folder_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        serving(in_turn(whole(HOUR))) as server,
        pytest.raises(DiskError, match="file/zips"),
    ):
        client_of(server.base_url).fetch(one(HOUR), tmp_path / "file" / "zips")


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 418, 429, 500])
def test_the_keys_are_in_no_error_log_or_repr(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """Not even when the server echoes the request."""
    caplog.set_level(logging.DEBUG)
    encoded = base64.b64encode(f"{API_KEY}:{SECRET_KEY}".encode()).decode()
    echo = f"<p>{API_KEY} {SECRET_KEY} {encoded}".encode()
    with serving(in_turn(Answer(status, echo))) as server:
        client = client_of(server.base_url, retry=RetryLimits(attempts=2))
        with pytest.raises(ExportError) as failed:
            client.fetch(one(HOUR), tmp_path)
    text = "".join(traceback.format_exception(failed.value)) + caplog.text + repr(client)
    for secret in (API_KEY, SECRET_KEY, encoded):
        assert secret not in text
    assert "***" in text or status in (302, 404)


def test_a_key_cut_off_by_the_end_of_the_quote_is_redacted(tmp_path: Path) -> None:
    echo = b"oops" + b" " * (796 - len(SECRET_KEY) + 2) + SECRET_KEY.encode()
    with (
        serving(in_turn(Answer(418, echo))) as server,
        pytest.raises(ExportError, match="oops") as raised,
    ):
        client_of(server.base_url).fetch(one(HOUR), tmp_path)
    assert SECRET_KEY[:4] not in str(raised.value)


def test_checking_the_keys_returns_their_project_and_the_clock_difference() -> None:
    other = Answer(200, zip_of(HOUR, project=8))
    late = NOW - timedelta(minutes=3)
    with serving(in_turn(whole(HOUR), NOT_FOUND, other), date=at(late)) as server:
        client = client_of(server.base_url)
        assert client.probe(one(HOUR)) == Probe(True, timedelta(minutes=3))
        assert client.probe(one(HOUR)) == Probe(False, timedelta(minutes=3))
        with pytest.raises(ProjectError, match=f"belong to project 8, .*_ID is {PROJECT}"):
            client.probe(one(HOUR))


def test_checking_the_keys_downloads_nothing(tmp_path: Path) -> None:
    with serving(in_turn(whole(HOUR), NOT_FOUND, Answer(403, b"Invalid API Key"))) as server:
        client = client_of(server.base_url)
        client.probe(one(HOUR))
        client.probe(one(HOUR))
        with pytest.raises(CredentialsError):
            client.probe(one(HOUR))
    assert len(server.targets) == 3
