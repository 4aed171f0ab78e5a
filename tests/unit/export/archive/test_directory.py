"""The zip's directory: members by hour, and damage, which is reported or has no effect."""

import gzip
import struct
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amplitude_assets.export.archive.directory import ArchiveLimits, hours_in
from amplitude_assets.export.archive.members import HourJob, unpack_hour
from amplitude_assets.export.errors import ArchiveError, ExportError, ProjectError
from amplitude_assets.hours import HOUR as AN_HOUR
from amplitude_assets.hours import HourRange
from tests.unit.export.building import (
    FETCHED_AT,
    HOUR,
    PROJECT,
    hours,
    job_of,
    kept_lines,
    name_of,
    one,
    packed,
    unpacked,
    write_zip,
)

EVENT = b'{"uuid":"a","b":6396.0}'
NIGHT = HOUR.replace(hour=0)


def read_names(tmp_path: Path, *names: str, requested: HourRange) -> dict[str, list[str]]:
    held = [(name, b"" if name.endswith("/") else packed(EVENT)) for name in names]
    path = write_zip(tmp_path / "names.zip", held)
    found = hours_in(path, PROJECT, requested)
    return {f"{hour:%d %H}": [member.name for member in members] for hour, members in found.items()}


def test_members_are_listed_by_hour_and_hours_without_any_are_empty(tmp_path: Path) -> None:
    names = [name_of(70), name_of(627), name_of(9, HOUR + 2 * AN_HOUR)]
    assert read_names(tmp_path, *names, requested=hours(3)) == {
        "01 05": names[:2],
        "01 06": [],
        "01 07": names[2:],
    }


def test_an_hour_may_be_padded_and_a_folder_be_listed(tmp_path: Path) -> None:
    padded = f"{PROJECT}/{PROJECT}_2026-09-01_05#0.json.gz"
    assert read_names(tmp_path, f"{PROJECT}/", padded, requested=one(HOUR)) == {"01 05": [padded]}


def test_a_folder_with_bytes_invalidates_the_zip(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "one.zip", [(f"{PROJECT}/", packed(EVENT))])
    with pytest.raises(ArchiveError, match="not requested"):
        hours_in(path, PROJECT, one(HOUR))


def test_midnight_and_the_last_hour_of_a_day_are_distinct(tmp_path: Path) -> None:
    first, last = name_of(0, NIGHT), name_of(0, NIGHT + 23 * AN_HOUR)
    found = read_names(tmp_path, last, first, requested=hours(24, NIGHT))
    assert found["01 00"] == [first]
    assert found["01 23"] == [last]


@pytest.mark.parametrize(
    "name",
    [
        f"../{name_of(1)}",
        f"/{name_of(1)}",
        f"./{name_of(1)}",
        name_of(1).replace("/", "\\"),
        name_of(1).replace("/", "//"),
        name_of(1).replace(f"{PROJECT}/", "8/"),
        name_of(1).replace(f"/{PROJECT}_", "/8_"),
        name_of(1).replace(f"{PROJECT}/", "07/").replace(f"/{PROJECT}_", "/07_"),
        name_of(1, project=8),
        name_of(1, HOUR - AN_HOUR),
        name_of(1, HOUR + AN_HOUR),
        name_of(1).replace("_5#", "_25#"),
        name_of(1).replace("_5#", "_005#"),
        name_of(1).replace("09-01", "09-31"),
        name_of(1).replace("#1", "#one"),
        name_of(1).replace("#1", ""),
        name_of(1).replace(".gz", ""),
        name_of(1) + "\n",
        name_of(1).replace("2026", "\uff12\uff10\uff12\uff16"),
        "events.csv",
        "7/evil.sh",
        "x" * 3000,
    ],
)
def test_a_member_that_was_not_requested_invalidates_the_zip(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArchiveError, match="which was not requested") as raised:
        read_names(tmp_path, name_of(0), name, requested=one(HOUR))
    assert raised.value.hours == one(HOUR)
    assert len(str(raised.value)) < 1200


def test_no_flipped_bit_changes_events(tmp_path: Path) -> None:
    """A zip has each member's name twice, and two checksums, so every flipped bit is noticed."""
    names = [name_of(3), name_of(4), name_of(3, HOUR + AN_HOUR)]
    path = write_zip(
        tmp_path / "whole.zip", [(name, packed(b'{"a":"%d"}' % n)) for n, name in enumerate(names)]
    )
    whole = path.read_bytes()

    def read() -> dict[datetime, str]:
        found = hours_in(path, PROJECT, hours(2)).items()
        jobs = [
            HourJob(PROJECT, hour, path, tuple(members), tmp_path / "hour", FETCHED_AT)
            for hour, members in found
        ]
        return {job.hour: unpack_hour(job).digest for job in jobs}

    expected = read()
    outcomes: Counter[str] = Counter()
    for place, bit in product(range(len(whole)), range(8)):
        changed = bytearray(whole)
        changed[place] ^= 1 << bit
        path.write_bytes(changed)
        try:
            assert read() == expected, f"bit {bit} of byte {place}"
            outcomes["the same events"] += 1
        except ExportError:
            outcomes["rejected"] += 1
    assert outcomes["rejected"] > outcomes["the same events"] > 0


def test_only_members_of_another_project_are_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="project 8, but AMPLITUDE_PROJECT_ID is 7"):
        read_names(tmp_path, name_of(0, project=8), name_of(1, project=8), requested=one(HOUR))


@pytest.mark.parametrize("data", [b"", b"<html>", b"PK\x03\x04 and no more", packed(EVENT)])
def test_a_file_that_is_not_a_zip_is_rejected(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "no.zip"
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match="is not a whole zip"):
        hours_in(path, PROJECT, one(HOUR))


def damaged_zip(path: Path) -> None:
    """Change a byte of the first member's data in a zip."""
    data = bytearray(path.read_bytes())
    data[len(name_of(0)) + 30 + 20] ^= 0xFF
    path.write_bytes(data)


MEMBER = packed(*(b'{"n":%d}' % n for n in range(500)))
DAMAGED = {
    "cut": MEMBER[:-9],
    "cut in the trailer": MEMBER[:-1],
    "cut in the next header": MEMBER + MEMBER[:5],
    "of no bytes": b"",
    "not gzip": EVENT + b"\n",
    "zero padding": MEMBER + b"\0" * 512,
    "zeros between": MEMBER + b"\0" * 8 + MEMBER,
    "trailing bytes": MEMBER + b"trailing",
    "bad checksum": MEMBER[:-8] + b"\0\0\0\0" + MEMBER[-4:],
    "bad length": MEMBER[:-4] + struct.pack("<I", 1),
    "bad data": MEMBER[:40] + b"\xff" * 40 + MEMBER[80:],
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_member_fails_the_hour(tmp_path: Path, what: str) -> None:
    with pytest.raises(
        ArchiveError, match=r"is damaged: .*raw_export_zip for 2026-09-01T05"
    ) as bad:
        unpacked(tmp_path, MEMBER, DAMAGED[what])
    assert bad.value.hours == one(HOUR)
    assert not list((tmp_path / "hour").glob("*.part"))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_wrong_checksum_in_the_zip_fails_the_hour(tmp_path: Path, compression: int) -> None:
    path = write_zip(tmp_path / "one.zip", [(name_of(0), MEMBER)], compression)
    damaged_zip(path)
    with pytest.raises(ArchiveError, match="is damaged"):
        unpack_hour(job_of(path, tmp_path / "hour"))


@pytest.mark.parametrize(
    "names", [(name_of(0), name_of(0)), (name_of(0), name_of(0).replace("_5", "_05"))]
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_part_twice_fails_the_hour(tmp_path: Path, names: tuple[str, str]) -> None:
    path = write_zip(tmp_path / "one.zip", [(name, MEMBER) for name in names])
    with pytest.raises(ArchiveError, match="two members for the same part"):
        unpack_hour(job_of(path, tmp_path / "hour"))


def test_an_encrypted_member_fails_the_hour(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "one.zip", [(name_of(0), MEMBER)])
    data = path.read_bytes()
    central = data.index(b"PK\x01\x02")
    path.write_bytes(data[:6] + b"\x01" + data[7 : central + 8] + b"\x01" + data[central + 9 :])
    with pytest.raises(ArchiveError, match="encrypted"):
        unpack_hour(job_of(path, tmp_path / "hour"))


def central(offset: int, *data: int) -> Callable[[bytes], bytes]:
    """Overwrite bytes of a zip's last entry in its central directory."""

    def changed(whole: bytes) -> bytes:
        start = whole.rindex(b"PK\x01\x02") + offset
        return whole[:start] + bytes(data) + whole[start + len(data) :]

    return changed


@pytest.mark.parametrize(
    "damage",
    [
        central(6, 64),
        central(10, 99),
        central(42, 0x00, 0x10, 0x00, 0x00),
        central(42, 0xFF, 0xFF, 0xFF, 0xFF),
        central(46, 0xFF),
        central(48, 0),  # zipfile ends the name there, which leaves the project's folder
        lambda whole: whole.replace(b"PK\x03\x04", b"PK\x03\x05"),
        lambda whole: whole[4:],
    ],
    ids=[
        "version",
        "compression",
        "offset past the end",
        "offset of zip64",
        "name",
        "name cut short",
        "local header",
        "beginning",
    ],
)
def test_a_damaged_zip_is_rejected(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = write_zip(tmp_path / "one.zip", [(name_of(0), MEMBER)])
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ArchiveError) as raised:
        unpack_hour(job_of(path, tmp_path / "hour"))
    assert raised.value.hours == one(HOUR)


SMALL = ArchiveLimits(max_ratio=50, ratio_from_bytes=100_000, max_line_bytes=50_000)


def bomb(size: int) -> bytes:
    return gzip.compress((b'{"a":"' + b"x" * 1000 + b'"}\n') * (size // 1010))


@pytest.mark.parametrize(
    ("member", "compression", "limits"),
    [
        (bomb(2_000_000), zipfile.ZIP_STORED, SMALL),
        (b"\0" * 2_000_000, zipfile.ZIP_DEFLATED, SMALL),
        (bomb(90_000) * 1000, zipfile.ZIP_DEFLATED, SMALL),
        (packed() * 100_000, zipfile.ZIP_DEFLATED, SMALL),
        (packed(*[EVENT] * 1000), zipfile.ZIP_STORED, ArchiveLimits(max_member_bytes=10_000)),
        (packed(b'{"a":"' + b"x" * 100_000 + b'"}'), zipfile.ZIP_STORED, SMALL),
    ],
    ids=[
        "gzip bomb",
        "zip bomb",
        "bomb in a bomb",
        "bomb of nothing",
        "too large",
        "line too long",
    ],
)
def test_a_member_over_the_limits_fails_the_hour(
    tmp_path: Path, member: bytes, compression: int, limits: ArchiveLimits
) -> None:
    path = write_zip(tmp_path / "one.zip", [(name_of(0), member)], compression)
    with pytest.raises(ArchiveError, match=r"over the limit|more than the limit|damaged"):
        unpack_hour(job_of(path, tmp_path / "hour", limits))
    assert sum(left.stat().st_size for left in (tmp_path / "hour").iterdir()) == 0


def test_a_forged_size_does_not_hide_a_bomb(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "one.zip", [(name_of(0), bomb(2_000_000))])
    path.write_bytes(central(20, 0xFF, 0xFF, 0xFF, 0x7F)(path.read_bytes()))
    with pytest.raises(ArchiveError, match="more than the limit"):
        unpack_hour(job_of(path, tmp_path / "hour", SMALL))


def test_a_small_member_may_have_any_ratio(tmp_path: Path) -> None:
    files, _ = unpacked(tmp_path, bomb(90_000), limits=SMALL)
    assert files.lines == 89


@settings(max_examples=150)
@given(st.data())
def test_damage_is_reported_or_has_no_effect(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """With any bytes changed or cut, unpacking gives the original lines, or none."""
    folder = tmp_path_factory.mktemp("hour")
    lines = [b'{"n":%d}' % n for n in range(20)]
    compression = data.draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    path = write_zip(folder / "one.zip", [(name_of(0), packed(*lines))], compression)
    whole = path.read_bytes()
    start = data.draw(st.integers(0, len(whole) - 1))
    end = data.draw(st.integers(start, min(start + 8, len(whole))))
    path.write_bytes(whole[:start] + data.draw(st.binary(max_size=8)) + whole[end:])
    try:
        files = unpack_hour(job_of(path, folder / "hour"))
    except (ArchiveError, ProjectError):
        return
    if files.lines:
        assert kept_lines(folder / "hour", files) == lines
