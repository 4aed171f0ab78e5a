"""The files of an hour: the status, distinct files, and one digest for equal lines."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amplitude_assets.export.archive.hour_files import HourFiles
from amplitude_assets.export.archive.members import unpack_hour
from tests.unit.export.building import (
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


@pytest.mark.parametrize("members", [[], [packed()], [packed(b"", b"")]])
def test_an_hour_without_lines_is_empty(tmp_path: Path, members: list[bytes]) -> None:
    files, _ = unpacked(tmp_path, *members)
    assert (files.status, files.files, files.rejected_file) == ("empty", (), None)
    assert (files.lines, files.bytes) == (0, 0)
    assert files.digest == hashlib.sha256(b"").hexdigest()


def test_an_hour_of_bad_lines_alone_is_not_empty(tmp_path: Path) -> None:
    files, _ = unpacked(tmp_path, packed(b"oops"))
    assert (files.status, files.files, files.rejected_lines) == ("loaded", (), 1)
    assert files.digest != hashlib.sha256(b"").hexdigest()


def test_parts_with_the_same_bytes_are_distinct_files(tmp_path: Path) -> None:
    files, folder = unpacked(tmp_path, packed(EVENT), packed(EVENT), packed(EVENT))
    assert len({file.name for file in files.files}) == 3
    assert files.lines == 3
    assert kept_lines(folder, files) == [EVENT] * 3


@settings(max_examples=30)
@given(st.data())
def test_order_and_part_numbers_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    members = [
        gzipped(lines, [], has_end=True)
        for lines in data.draw(st.lists(some_lines, min_size=1, max_size=4))
    ]
    parts = data.draw(
        st.lists(st.integers(0, 999), min_size=len(members), max_size=len(members), unique=True)
    )
    shuffled = data.draw(st.permutations(list(zip(parts, members, strict=True))))
    folder = tmp_path_factory.mktemp("hour")
    first, _ = unpacked(folder, *members)
    path = write_zip(folder / "other.zip", [(name_of(part), member) for part, member in shuffled])
    second = unpack_hour(job_of(path, folder / "other"))
    assert digest_and_names(second) == digest_and_names(first)


def digest_and_names(files: HourFiles) -> tuple[str, list[str], int]:
    return files.digest, [file.name for file in files.files], files.rejected_lines


@settings(max_examples=30)
@given(st.lists(some_lines, min_size=1, max_size=3), st.data())
def test_other_lines_have_another_digest(
    tmp_path_factory: pytest.TempPathFactory, members: list[list[bytes]], data: st.DataObject
) -> None:
    changed = [list(lines) for lines in members]
    data.draw(st.sampled_from(changed)).append(data.draw(st.sampled_from([b'{"new":1}', b"new"])))
    digests = {
        unpacked(
            tmp_path_factory.mktemp("hour"),
            *(gzipped(lines, [], has_end=True) for lines in version),
        )[0].digest
        for version in (members, changed)
    }
    assert len(digests) == 2
