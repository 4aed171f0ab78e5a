"""The Export API's client: what it asks, how patiently, and what it makes of each answer."""

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
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from amplitude_assets.export.client import Delivery, ExportClient, RetryLimits
from amplitude_assets.export.errors import (
    ArchiveError,
    CredentialsError,
    DiskError,
    ExportError,
    ProjectError,
    RateLimitedError,
    TooLargeError,
    UnavailableError,
    UnreachableError,
)
from amplitude_assets.export.files import PartFile
from amplitude_assets.export.receiving import Timeouts
from amplitude_assets.hours import HourRange

from .building import HOUR, PROJECT, hours, name_of, one, packed, room_for
from .server import Answer, serving

API_KEY = "the-api-key"
SECRET_KEY = "the-secret-key"
NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
NOT_FOUND = Answer(404, b"Raw data files were not found.")


class Pauses(list[float]):
    """Stands in for waiting, and keeps how long each wait would have been."""

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


def whole(*hours: datetime) -> Answer:
    return Answer(200, zip_of(*hours))


def in_turn(*answers: Answer) -> Callable[[int], Answer]:
    """Give each answer once, and the last one for ever."""
    return lambda number: answers[min(number, len(answers) - 1)]


def test_a_zip_comes_whole_under_a_name_of_its_hours_and_checksum(tmp_path: Path) -> None:
    with serving(in_turn(whole(HOUR))) as server:
        delivery = client_of(server.base_url).fetch(hours(3), tmp_path / "zips")
    assert delivery.path is not None
    assert delivery.crc32 == f"{zlib.crc32(zip_of(HOUR)):08x}"
    assert delivery.path.name == f"2026-09-01T05--2026-09-01T07--{delivery.crc32}.zip"
    assert delivery.path.read_bytes() == zip_of(HOUR)
    assert delivery.bytes == len(zip_of(HOUR))
    assert (delivery.hours, delivery.attempts, delivery.fetched_at) == (hours(3), 1, NOW)
    assert list((tmp_path / "zips").iterdir()) == [delivery.path]


def test_the_checksum_is_of_all_pieces_of_a_body(tmp_path: Path) -> None:
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


def test_a_page_in_place_of_no_data_is_another_server(tmp_path: Path) -> None:
    page = Answer(404, b"<!doctype html><title>404 Not Found</title>")
    with (
        serving(in_turn(page)) as server,
        pytest.raises(ExportError, match="not the Export API; look at AMPLITUDE_BASE_URL"),
    ):
        client_of(server.base_url).fetch(one(HOUR), tmp_path)
    assert len(server.targets) == 1


def test_amplitudes_own_words_in_a_page_are_no_data(tmp_path: Path) -> None:
    page = Answer(404, b"<html><p>Raw data files were not found.</p></html>")
    with serving(in_turn(page)) as server:
        assert client_of(server.base_url).fetch(one(HOUR), tmp_path).path is None


@pytest.mark.parametrize("status", [401, 403])
def test_refused_keys_are_told_at_once_with_the_settings(tmp_path: Path, status: int) -> None:
    with (
        serving(in_turn(Answer(status, b"Invalid API Key"))) as server,
        pytest.raises(CredentialsError, match="Invalid API Key") as refused,
    ):
        client_of(server.base_url).fetch(one(HOUR), tmp_path)
    for setting in ("AMPLITUDE_API_KEY", "AMPLITUDE_SECRET_KEY", "AMPLITUDE_REGION"):
        assert setting in str(refused.value)
    assert len(server.targets) == 1


def test_refused_keys_stop_all_requests(tmp_path: Path) -> None:
    ranges = [one(hour) for hour in hours(40)]
    with serving(in_turn(Answer(403, b"Invalid API Key"))) as server:
        errors = client_of(server.base_url, max_concurrent=2).fetch_all(
            ranges, tmp_path, on_delivery=pytest.fail
        )
    assert [error.hours for error in errors] == ranges
    assert {type(error) for error in errors} == {CredentialsError}
    assert len(server.targets) <= 4


def test_refused_keys_wake_what_waits_to_ask_again(tmp_path: Path) -> None:
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
def test_a_server_in_trouble_is_asked_again(tmp_path: Path, status: int) -> None:
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
        (429, RateLimitedError, "asked us to slow down (429: busy)"),
        (500, UnavailableError, "the server failed (500: busy)"),
        (504, TooLargeError, "Amplitude's S3 export"),
    ],
)
def test_a_server_in_trouble_for_too_long_is_told(
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
    assert len(set(pauses)) == 29  # drawn, so that clients do not come back all at once


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
def test_a_body_that_is_no_whole_zip_is_asked_for_again(tmp_path: Path, answer: Answer) -> None:
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


def test_a_body_that_is_encoded_once_more_is_decoded(tmp_path: Path) -> None:
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
def test_an_hour_that_is_too_large_fails_alone_with_a_way_out(
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


def test_a_request_that_is_wrong_is_told_in_the_servers_words(tmp_path: Path) -> None:
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
def test_other_answers_are_told(tmp_path: Path, status: int) -> None:
    with (
        serving(in_turn(Answer(status))) as server,
        pytest.raises(ExportError, match=f"{status}|redirects"),
    ):
        client_of(server.base_url).fetch(one(HOUR), tmp_path)
    assert len(server.targets) == 1


def test_keys_are_not_carried_to_another_server(tmp_path: Path) -> None:
    with serving(in_turn(whole(HOUR))) as other:
        there = Answer(302, b"", {"Location": f"{other.base_url}/secret?a=b"})
        with (
            serving(in_turn(there)) as server,
            pytest.raises(ExportError, match="AMPLITUDE_BASE_URL") as refused,
        ):
            client_of(server.base_url).fetch(one(HOUR), tmp_path)
    assert not other.targets
    assert other.base_url.removeprefix("http://") in str(refused.value)


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


def test_no_server_gives_up_on_all_ranges_once_one_was_tried(tmp_path: Path) -> None:
    pauses = Pauses()
    ranges = [hours(24), *(one(hour) for hour in hours(30))]
    client = client_of(f"http://127.0.0.1:{closed_port()}", pause=pauses, max_concurrent=1)
    errors = client.fetch_all(ranges, tmp_path, on_delivery=pytest.fail)
    assert sorted(error.hours for error in errors) == sorted(ranges)
    assert {type(error) for error in errors} == {UnreachableError}
    assert len(pauses) == 4
    assert "AMPLITUDE_BASE_URL" in str(errors[0])


def test_a_name_that_is_nobodys_is_no_server(tmp_path: Path) -> None:
    client = client_of("http://amplitude.invalid", retry=RetryLimits(attempts=2))
    with pytest.raises(UnreachableError, match=r"amplitude\.invalid"):
        client.fetch(one(HOUR), tmp_path)


def test_a_server_that_is_down_is_not_asked_for_every_hour(tmp_path: Path) -> None:
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
    came: set[datetime] = set()

    def answers(number: int) -> Answer:
        return Answer(500) if "T00&end=" in server.targets[number] else NOT_FOUND

    with serving(answers) as server:
        errors = client_of(server.base_url, max_concurrent=max_concurrent).fetch_all(
            days, tmp_path, on_delivery=lambda delivery: came.update(delivery.hours)
        )
    assert [error.hours for error in errors] == [one(day.first) for day in days]
    assert len(came) == 23 * len(days)


def test_a_body_that_barely_comes_is_given_up(tmp_path: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    leave = threading.Event()

    def drip() -> None:
        while not leave.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nPK")
                while not leave.wait(0.02):
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
        leave.set()
        listener.close()
        thread.join()
    assert not list(tmp_path.iterdir())


def test_a_silent_server_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = client_of(
            f"http://127.0.0.1:{listener.getsockname()[1]}",
            timeout=Timeouts(read=0.2),
            retry=RetryLimits(attempts=2),
        )
        with pytest.raises(UnavailableError, match="was silent for too long"):
            client.fetch(one(HOUR), tmp_path)


def test_no_more_requests_are_under_way_than_allowed(tmp_path: Path) -> None:
    """Across two calls in two threads; the server holds requests until enough have come."""
    lock, gate = threading.Lock(), threading.Barrier(3)
    under_way = [0, 0]

    def answers(number: int) -> Answer:
        with lock:
            under_way[0] += 1
            under_way[1] = max(under_way)
        if number < 6:
            gate.wait(timeout=30)
        with lock:
            under_way[0] -= 1
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
    assert under_way[1] == 3


def test_deliveries_come_in_the_callers_thread(tmp_path: Path) -> None:
    threads = set()
    with serving(in_turn(NOT_FOUND)) as server:
        client_of(server.base_url).fetch_all(
            [one(hour) for hour in hours(8)],
            tmp_path,
            on_delivery=lambda _: threads.add(threading.get_ident()),
        )
    assert threads == {threading.get_ident()}


def test_bytes_are_told_as_they_arrive_and_those_of_a_failed_answer_count_no_more(
    tmp_path: Path,
) -> None:
    """The server sends half of a zip until that is told, and breaks off there the first time."""
    body = zip_of(HOUR)
    half = len(body) // 2
    is_told, threads, told = threading.Event(), set(), []

    def on_received(received: int) -> None:
        threads.add(threading.get_ident())
        told.append(received)
        if received == half:
            is_told.set()

    def send(listener: socket.socket, parts: list[bytes]) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            for part in parts:
                connection.sendall(part)
                assert is_told.wait(20)
            is_told.clear()

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
    assert max(told) == told[-1] == len(body)
    assert threads == {threading.get_ident()}


def test_what_the_caller_raises_stops_the_requests(tmp_path: Path) -> None:
    def refuse(delivery: Delivery) -> None:
        raise KeyboardInterrupt

    with serving(in_turn(NOT_FOUND)) as server:
        client = client_of(server.base_url, max_concurrent=1)
        with pytest.raises(KeyboardInterrupt):
            client.fetch_all([one(hour) for hour in hours(50)], tmp_path, on_delivery=refuse)
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


def test_a_folder_that_cannot_be_made_stops_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        serving(in_turn(whole(HOUR))) as server,
        pytest.raises(DiskError, match="file/zips"),
    ):
        client_of(server.base_url).fetch(one(HOUR), tmp_path / "file" / "zips")


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 418, 429, 500])
def test_the_keys_are_in_no_text(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """Not even when the server sends back what it was sent."""
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


def test_a_key_cut_off_by_the_end_of_the_quote_is_not_told_in_part(tmp_path: Path) -> None:
    echo = b"oops" + b" " * (796 - len(SECRET_KEY) + 2) + SECRET_KEY.encode()
    with (
        serving(in_turn(Answer(418, echo))) as server,
        pytest.raises(ExportError, match="oops") as refused,
    ):
        client_of(server.base_url).fetch(one(HOUR), tmp_path)
    assert SECRET_KEY[:4] not in str(refused.value)


def test_checking_the_keys_brings_nothing(tmp_path: Path) -> None:
    with serving(in_turn(whole(HOUR), NOT_FOUND, Answer(403, b"Invalid API Key"))) as server:
        client = client_of(server.base_url)
        client.check_keys(one(HOUR))
        client.check_keys(one(HOUR))
        with pytest.raises(CredentialsError):
            client.check_keys(one(HOUR))
    assert len(server.targets) == 3
