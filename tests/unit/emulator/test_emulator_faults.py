"""Every fault reaches the client over HTTP as documented, and has no effect afterwards."""

import gzip
import io
import json
import re
import zipfile
import zlib
from datetime import UTC, datetime, timedelta

import pytest
import requests
from requests.exceptions import ChunkedEncodingError

from amplitude_assets.emulator import (
    API_KEY,
    PROJECT_ID,
    SECRET_KEY,
    Fault,
    FaultKind,
    World,
    WorldSettings,
    serve,
)
from amplitude_assets.emulator.faults.rules import LINE_KINDS, STATUSES, STRAY_MEMBER_KINDS

WORLD = World(WorldSettings(events_per_hour=60))
HOUR = datetime(2026, 9, 7, 9, tzinfo=UTC)
AFTER = HOUR + timedelta(hours=1)
CLEAN = list(WORLD.lines(HOUR))
SMALL = 3 * 1024**2
BROKEN = (requests.ConnectionError, ChunkedEncodingError)


@pytest.fixture(scope="module")
def emulator():
    with serve(WORLD, clock=lambda: HOUR + timedelta(days=30)) as emulator:
        yield emulator


@pytest.fixture
def request_with(emulator):
    """Request the hour with a fault, which is removed afterwards."""

    def request(kind: FaultKind, first=HOUR, last=HOUR, **rule) -> requests.Response:
        emulator.clear_faults()
        emulator.add_fault(Fault(kind, (HOUR, HOUR), **rule))
        return get(emulator, first, last)

    yield request
    emulator.clear_faults()
    assert lines(get(emulator)) == CLEAN


def get(emulator, first=HOUR, last=HOUR) -> requests.Response:
    return requests.get(
        f"{emulator.base_url}/api/2/export",
        params={"start": f"{first:%Y%m%dT%H}", "end": f"{last:%Y%m%dT%H}"},
        auth=(API_KEY, SECRET_KEY),
        timeout=30,
    )


def archive(response) -> zipfile.ZipFile:
    assert response.status_code == 200
    return zipfile.ZipFile(io.BytesIO(response.content))


def lines(response) -> list[bytes]:
    with archive(response) as members:
        data = [gzip.decompress(members.read(info)) for info in members.infolist()]
    return [line for text in data for line in text.split(b"\n")[:-1]]


def strays(response) -> dict[str, list[bytes]]:
    """Return the members that the hour has only with the fault, with their lines."""
    clean = {member.name for member in WORLD.members(HOUR)}
    with archive(response) as members:
        return {
            info.filename: gzip.decompress(members.read(info)).split(b"\n")[:-1]
            for info in members.infolist()
            if info.filename not in clean
        }


@pytest.mark.parametrize(("kind", "answer"), STATUSES.items())
def test_statuses(request_with, kind, answer):
    response = request_with(kind)
    assert (response.status_code, response.text) == answer
    assert "Retry-After" not in response.headers


@pytest.mark.parametrize("kind", [FaultKind.STATUS_429, FaultKind.STATUS_503])
def test_statuses_with_retry_after(request_with, kind):
    assert request_with(kind, retry_after="7").headers["Retry-After"] == "7"


def test_closed_at_once(request_with, emulator):
    with pytest.raises(requests.ConnectionError):
        request_with(FaultKind.CLOSED_AT_ONCE)
    assert emulator.requests[-1].status == 0


def test_reset_in_body(request_with):
    with pytest.raises(BROKEN, match="reset by peer"):
        request_with(FaultKind.RESET_IN_BODY)


@pytest.mark.parametrize("kind", [FaultKind.SHORT_BODY, FaultKind.SHORT_CHUNKED_BODY])
def test_truncated_bodies(request_with, kind):
    with pytest.raises(BROKEN, match=r"IncompleteRead|InvalidChunkLength|ended prematurely"):
        request_with(kind)


def test_short_body_without_length(request_with):
    response = request_with(FaultKind.SHORT_BODY_WITHOUT_LENGTH)
    assert not {"Content-Length", "Transfer-Encoding"} & set(response.headers)
    assert response.content.startswith(b"PK")
    with pytest.raises(zipfile.BadZipFile):
        archive(response)


def test_slow_drip(request_with):
    assert lines(request_with(FaultKind.SLOW_DRIP, pause_seconds=0.001)) == CLEAN


def test_html_page(request_with):
    response = request_with(FaultKind.HTML_PAGE)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/html")
    assert "<html>" in response.text


def test_empty_zip(request_with):
    with archive(request_with(FaultKind.EMPTY_ZIP)) as members:
        assert members.namelist() == []


def test_zip_cut_off(request_with):
    response = request_with(FaultKind.ZIP_CUT_OFF)
    assert int(response.headers["Content-Length"]) == len(response.content)
    with pytest.raises(zipfile.BadZipFile):
        archive(response)


def test_hour_not_found(request_with):
    response = request_with(FaultKind.HOUR_NOT_FOUND)
    assert (response.status_code, response.text) == (404, "Raw data files were not found.")
    rest = lines(request_with(FaultKind.HOUR_NOT_FOUND, last=AFTER))
    assert rest == list(WORLD.lines(AFTER))


def test_zip_bad_crc(request_with):
    with archive(request_with(FaultKind.ZIP_BAD_CRC)) as members:
        assert members.testzip() is not None


def test_gzip_bad_crc(request_with):
    with pytest.raises(gzip.BadGzipFile, match="CRC"):
        lines(request_with(FaultKind.GZIP_BAD_CRC))


def test_gzip_cut_off(request_with):
    with pytest.raises((EOFError, zlib.error)):
        lines(request_with(FaultKind.GZIP_CUT_OFF))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (FaultKind.NAME_OUTSIDE, r"\.\./\.\./\d+/.*\.json\.gz"),
        (FaultKind.NAME_ABSOLUTE, r"/\d+/.*\.json\.gz"),
        (FaultKind.UNKNOWN_PROJECT, r"999999/999999_2026-09-07_9#\d+\.json\.gz"),
    ],
)
def test_stray_members(request_with, kind, name):
    response = request_with(kind)
    [(stray, received)] = strays(response).items()
    assert re.fullmatch(name, stray)
    assert received == Fault(kind).extra_lines(HOUR)
    assert lines(response)[: len(CLEAN)] == CLEAN


def test_hour_not_asked(request_with):
    [(stray, received)] = strays(request_with(FaultKind.HOUR_NOT_ASKED)).items()
    assert stray.startswith(f"{PROJECT_ID}/{PROJECT_ID}_2026-09-07_10#")
    assert received == Fault(FaultKind.HOUR_NOT_ASKED).extra_lines(AFTER)
    assert json.loads(received[0])["server_upload_time"].startswith("2026-09-07 10:")


def test_same_part_twice(request_with):
    response = request_with(FaultKind.SAME_PART_TWICE)
    with archive(response) as members:
        names = members.namelist()
    assert names[0] == names[1]
    assert sorted(lines(response)) == sorted(CLEAN)


def test_zip_bomb(request_with):
    response = request_with(FaultKind.ZIP_BOMB, size_bytes=SMALL)
    with archive(response) as members:
        bomb = members.infolist()[-1]
        assert bomb.file_size == SMALL
        assert bomb.file_size / bomb.compress_size > 500
        assert members.testzip() is None


def test_gzip_bomb(request_with):
    with archive(request_with(FaultKind.GZIP_BOMB, size_bytes=SMALL)) as members:
        data = members.read(members.infolist()[-1])
    assert len(gzip.decompress(data)) == SMALL
    assert SMALL / len(data) > 200


@pytest.mark.parametrize("kind", sorted(LINE_KINDS))
def test_lines_are_added_to_the_clean_hour(request_with, kind):
    fault = Fault(kind, size_bytes=SMALL)
    added = fault.extra_lines(HOUR)
    assert added
    assert lines(request_with(kind, size_bytes=SMALL)) == CLEAN + added
    assert not strays(request_with(kind, size_bytes=SMALL))


def test_added_lines_have_the_defect_of_their_kind():
    added = {kind: Fault(kind, size_bytes=SMALL).extra_lines(HOUR) for kind in LINE_KINDS}
    for line in added[FaultKind.NOT_JSON]:
        with pytest.raises(json.JSONDecodeError):
            json.loads(line)
    for line in added[FaultKind.NOT_UTF8]:
        with pytest.raises(UnicodeDecodeError):
            line.decode()
    assert not any(isinstance(json.loads(x), dict) for x in added[FaultKind.NOT_AN_OBJECT])
    [huge] = added[FaultKind.HUGE_LINE]
    assert len(huge) > SMALL
    assert len(json.loads(huge)) == 55
    for line in added[FaultKind.DUPLICATE_KEYS]:
        assert json.dumps(json.loads(line), separators=(",", ":")).encode() != line
    constants: list[str] = []
    for line in added[FaultKind.NAN_AND_INFINITY]:
        json.loads(line, parse_constant=constants.append)
    assert constants == ["NaN", "Infinity", "-Infinity"]
    assert {
        line.count(b"[") > 1_999 or line.count(b"{") > 1_999
        for line in added[FaultKind.DEEP_NESTING]
    } == {True}


def test_faults_of_other_kinds_add_no_lines():
    for kind in set(FaultKind) - LINE_KINDS - STRAY_MEMBER_KINDS:
        assert Fault(kind).extra_lines(HOUR) == []


def test_a_rule_applies_to_its_hours_and_its_number_of_times(emulator):
    emulator.add_fault(Fault(FaultKind.STATUS_503, (HOUR, HOUR), times=2))
    try:
        assert get(emulator, AFTER, AFTER).status_code == 200
        around = [get(emulator, HOUR - timedelta(hours=1), AFTER).status_code for _ in range(3)]
        assert around == [503, 503, 200]
    finally:
        emulator.clear_faults()


def test_rules_about_the_whole_response_apply_one_at_a_time(emulator):
    emulator.add_fault(Fault(FaultKind.STATUS_500, times=1))
    emulator.add_fault(Fault(FaultKind.NOT_JSON, times=1))
    emulator.add_fault(Fault(FaultKind.STATUS_429, times=1))
    assert [get(emulator).status_code for _ in range(3)] == [500, 429, 200]
    assert lines(get(emulator)) == CLEAN


def test_rules_about_lines_apply_together():
    kinds = (FaultKind.NOT_JSON, FaultKind.NAN_AND_INFINITY)
    with serve(
        WORLD, clock=lambda: HOUR + timedelta(days=30), faults=[Fault(k) for k in kinds]
    ) as emulator:
        received = lines(get(emulator, HOUR, AFTER))
    expected = []
    for hour in (HOUR, AFTER):
        expected += WORLD.lines(hour)
        for kind in kinds:
            expected += Fault(kind).extra_lines(hour)
    assert received == expected


def test_wrong_keys_are_rejected_before_any_fault(emulator):
    emulator.add_fault(Fault(FaultKind.STATUS_500, times=1))
    response = requests.get(f"{emulator.base_url}/api/2/export", auth=("a", "b"), timeout=30)
    assert response.status_code == 403
    assert get(emulator).status_code == 500
