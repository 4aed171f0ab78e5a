"""Fuzz the archive reader with damaged zips for a minute: `make fuzz`.

It is not part of the default test run. Add its findings as cases to `test_directory.py` or
`test_members.py`.
"""

import gzip
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amplitude_assets.export.archive.directory import ArchiveLimits
from amplitude_assets.export.archive.hour_files import HourFiles, read_rejected
from amplitude_assets.export.archive.members import unpack_hour
from amplitude_assets.export.errors import ArchiveError, ProjectError
from amplitude_assets.streams.json_lines import fault_of, is_blank
from tests.unit.export.building import job_of, kept_lines, name_of, write_zip

FOR_A_MINUTE = settings(max_examples=4000, suppress_health_check=list(HealthCheck), database=None)
LIMITS = ArchiveLimits(max_member_bytes=10_000_000, max_line_bytes=1_000_000)

pieces = st.sampled_from(
    [
        *(b'{"a":1}', b"{}", b"\n", b"\r", b"[", b"]", b'"', b"\\", b"NaN", b"1e999", b"\x00"),
        *(b"\xff", "\u2028".encode(), b'{"a":{"b":[]}}', b"\n\n", b" ", b"null", b"\x1f\x8b"),
    ]
)
texts = st.lists(pieces | st.binary(max_size=6), max_size=20).map(b"".join)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Draw bytes with up to three places overwritten, removed, duplicated or truncated."""
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(whole)))
        end = draw(st.integers(start, min(start + 20, len(whole))))
        between = draw(
            st.binary(max_size=12)
            | st.just(whole[start:end] * 2)
            | st.just(bytes(draw(st.integers(0, 40))))
        )
        rest = b"" if draw(st.integers(0, 9)) == 0 else whole[end:]
        whole = whole[:start] + between + rest
    return whole


@st.composite
def members(draw: st.DrawFn) -> bytes:
    """Draw concatenated gzip streams, possibly damaged."""
    streams = [gzip.compress(text, mtime=1) for text in draw(st.lists(texts, max_size=3))]
    return draw(damaged(b"".join(streams)))


def account_for(lines: list[bytes], folder: Path, files: HourFiles) -> None:
    """Check that each line is kept unchanged or rejected, exactly once."""
    lines = [line for line in lines if not is_blank(line)]
    bad = [line for line in lines if fault_of(line) is not None]
    good = [line for line in lines if fault_of(line) is None]
    assert sorted(kept_lines(folder, files)) == sorted(good)
    assert sorted(line.line for line in read_rejected(folder, files)) == sorted(
        line.decode("utf-8", "backslashreplace") for line in bad
    )
    assert (files.lines, files.rejected_lines) == (len(lines), len(bad))


@FOR_A_MINUTE
@given(st.lists(members(), max_size=3), st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
def test_members_are_read_as_python_reads_them(
    tmp_path_factory: pytest.TempPathFactory, packed: list[bytes], compression: int
) -> None:
    folder = tmp_path_factory.mktemp("hour")
    named = [(name_of(part), data) for part, data in enumerate(packed)]
    path = write_zip(folder / "one.zip", named, compression)
    try:
        lines = [line for data in packed for line in gzip.decompress(data).split(b"\n")]
    except (OSError, EOFError, zlib.error):
        with pytest.raises(ArchiveError):
            unpack_hour(job_of(path, folder / "hour", LIMITS))
        return
    try:
        files = unpack_hour(job_of(path, folder / "hour", LIMITS))
    except ArchiveError:
        # Python accepts an empty file as gzip, and zeros after a stream.
        assert any(not data or data.endswith(b"\0") or b"\0\x1f\x8b" in data for data in packed)
        return
    account_for(lines, folder / "hour", files)


@FOR_A_MINUTE
@given(st.lists(members(), min_size=1, max_size=3), st.data())
def test_any_file_is_read_or_rejected(
    tmp_path_factory: pytest.TempPathFactory, packed: list[bytes], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("hour")
    compression = data.draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    named = [(name_of(part), member) for part, member in enumerate(packed)]
    path = write_zip(folder / "one.zip", named, compression)
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    try:
        files = unpack_hour(job_of(path, folder / "hour", LIMITS))
    except (ArchiveError, ProjectError):
        return
    with zipfile.ZipFile(path) as archive:
        texts = [gzip.decompress(archive.read(name)) for name in archive.namelist()]
    account_for([line for text in texts for line in text.split(b"\n")], folder / "hour", files)
