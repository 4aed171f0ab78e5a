"""Each line of an hour's members is either kept unchanged or rejected."""

import gzip
import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amplitude_assets.export.archive.hour_files import RejectedLine, read_rejected
from amplitude_assets.export.archive.members import HourJob, unpack_hour
from amplitude_assets.streams.json_lines import fault_of, is_blank
from tests.unit.export.building import (
    FETCHED_AT,
    HOUR,
    PROJECT,
    gzipped,
    job_of,
    kept_lines,
    name_of,
    packed,
    some_lines,
    unpacked,
    write_zip,
)

EVENT = b'{"uuid":"a","b":6396.0}'


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_pass_through_byte_for_byte(tmp_path: Path, compression: int) -> None:
    member = packed(EVENT, b'{"uuid":"b"}')
    path = write_zip(tmp_path / "one.zip", [(name_of(3), member)], compression)
    files = unpack_hour(job_of(path, tmp_path / "hour"))
    (file,) = files.files
    assert (tmp_path / "hour" / file.name).read_bytes() == member
    assert file.name == f"{hashlib.sha256(member).hexdigest()}.json.gz"
    assert (file.member, file.bytes, file.lines) == (name_of(3), len(member), 2)
    assert (files.status, files.lines, files.rejected_lines) == ("loaded", 2, 0)
    assert files.fetched_at == FETCHED_AT
    assert [path.name for path in (tmp_path / "hour").iterdir()] == [file.name]


def test_concatenated_gzip_is_one_file(tmp_path: Path) -> None:
    member = packed(EVENT) + gzip.compress(b'{"uuid":') + gzip.compress(b'"b"}\n') + packed()
    files, folder = unpacked(tmp_path, member)
    assert files.files[0].bytes == len(member)
    assert kept_lines(folder, files) == [EVENT, b'{"uuid":"b"}']


def test_the_last_line_needs_no_newline(tmp_path: Path) -> None:
    member = gzip.compress(EVENT + b"\n" + EVENT)
    files, _ = unpacked(tmp_path, member)
    assert (files.lines, files.files[0].bytes) == (2, len(member))


def test_a_line_of_20_megabytes_is_kept(tmp_path: Path) -> None:
    line = b'{"a":"' + b"x" * 20_000_000 + b'"}'
    files, folder = unpacked(tmp_path, packed(EVENT, line, EVENT))
    assert kept_lines(folder, files) == [EVENT, line, EVENT]


def test_bad_lines_are_rejected_with_their_position_and_reason(tmp_path: Path) -> None:
    files, folder = unpacked(
        tmp_path, packed(EVENT), packed(b"oops", EVENT, b'{"a":"\xff\\"}', b"[1]")
    )
    assert (files.lines, files.rejected_lines) == (5, 3)
    assert kept_lines(folder, files) == [EVENT, EVENT]
    assert list(read_rejected(folder, files)) == [
        RejectedLine(name_of(1), 1, "not JSON: unexpected character, expected a JSON value"
                     " (character 1)", "oops"),
        RejectedLine(name_of(1), 3, "not UTF-8", '{"a":"\\xff\\"}'),
        RejectedLine(name_of(1), 4, "not a JSON object", "[1]"),
    ]  # fmt: skip


def test_the_rejected_file_is_json_lines_under_the_names_that_bronze_reads(tmp_path: Path) -> None:
    files, folder = unpacked(tmp_path, packed(b"oops"), packed(b"oh"))
    assert files.rejected_file is not None
    text = gzip.decompress((folder / files.rejected_file.name).read_bytes())
    records = [json.loads(line) for line in text.splitlines()]
    assert [set(record) for record in records] == [{"member", "line_number", "reason", "line"}] * 2
    assert files.rejected_file.lines == 2
    assert hashlib.sha256((folder / files.rejected_file.name).read_bytes()).hexdigest() == (
        files.rejected_file.sha256
    )


def test_a_huge_bad_line_is_truncated_and_its_reason_says_so(tmp_path: Path) -> None:
    files, folder = unpacked(tmp_path, packed(b"\x00" * 20_000_000))
    (rejected,) = read_rejected(folder, files)
    assert rejected.reason.endswith("this is the start of 20000000 bytes")
    assert rejected.line == "\x00" * 2 * 1024**2


def test_blank_lines_are_dropped_and_still_numbered(tmp_path: Path) -> None:
    files, folder = unpacked(tmp_path, packed(b"", EVENT, b" \t\r", b"oops", EVENT, b""))
    assert (files.lines, files.rejected_lines) == (3, 1)
    assert gzip.decompress((folder / files.files[0].name).read_bytes()) == (EVENT + b"\n") * 2
    assert [line.line_number for line in read_rejected(folder, files)] == [4]


cuts = st.lists(st.integers(0, 400), max_size=3)


@settings(max_examples=60)
@given(st.lists(st.tuples(some_lines, cuts, st.booleans()), max_size=4))
def test_every_line_is_kept_or_rejected(
    tmp_path_factory: pytest.TempPathFactory,
    members: list[tuple[list[bytes], list[int], bool]],
) -> None:
    files, folder = unpacked(
        tmp_path_factory.mktemp("hour"), *(gzipped(*member) for member in members)
    )
    lines = [line for member, _, _ in members for line in member if not is_blank(line)]
    good = [line for line in lines if fault_of(line) is None]
    bad = [line.decode("utf-8", "backslashreplace") for line in lines if fault_of(line)]
    assert sorted(kept_lines(folder, files)) == sorted(good)
    assert sorted(line.line for line in read_rejected(folder, files)) == sorted(bad)
    assert (files.lines, files.rejected_lines) == (len(lines), len(bad))
    assert sum(file.lines for file in files.files) == len(good)


def test_a_job_without_members_needs_no_zip(tmp_path: Path) -> None:
    job = HourJob(PROJECT, HOUR, None, (), tmp_path / "hour", FETCHED_AT)
    assert unpack_hour(job).status == "empty"
