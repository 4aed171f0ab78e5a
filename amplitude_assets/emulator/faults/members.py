"""Apply faults to the members of an hour's zip."""

import gzip
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from isal import igzip

from amplitude_assets.emulator.archive import Entry
from amplitude_assets.emulator.faults.rules import LINE_KINDS, Fault, FaultKind
from amplitude_assets.emulator.world.world import Member

_BOMB_PIECE = 1024**2
_UNKNOWN_PROJECT = "999999"


def with_faults(
    members: Sequence[Member], faults: Sequence[Fault], hour: datetime, last_hour: datetime
) -> list[Entry]:
    """Return the zip entries of an hour's members (at least one), with every fault applied.

    `last_hour` is the last hour of the request.
    """
    entries = [Entry(member.name, [member.data]) for member in members]
    for fault in faults:
        if fault.kind in LINE_KINDS:
            entries[-1] = _extended(entries[-1], fault.extra_lines(hour))
        elif fault.kind is FaultKind.HOUR_NOT_ASKED:
            entries.append(_of_another_hour(entries[0].name, fault, last_hour + timedelta(hours=1)))
        elif fault.kind in _STRAY_NAMES:
            name = _STRAY_NAMES[fault.kind](entries[0].name)
            entries.append(_packed(name, fault.extra_lines(hour)))
        else:
            entries = _TAMPERED[fault.kind](entries, fault)
    return entries


def _bytes(entry: Entry) -> bytes:
    return b"".join(entry.pieces)


def _packed(name: str, lines: Sequence[bytes]) -> Entry:
    return Entry(name, [_gzip(lines)])


def _gzip(lines: Sequence[bytes]) -> bytes:
    return igzip.compress(b"".join(line + b"\n" for line in lines), compresslevel=1, mtime=0)


def _extended(entry: Entry, lines: Sequence[bytes]) -> Entry:
    """Append lines to a file as a second gzip stream."""
    return replace(entry, pieces=[_bytes(entry), _gzip(lines)])


def _of_another_hour(name: str, fault: Fault, hour: datetime) -> Entry:
    stamp = f"_{hour:%Y-%m-%d}_{hour.hour}#"
    return _packed(re.sub(r"_\d{4}-\d\d-\d\d_\d+#", stamp, name), fault.extra_lines(hour))


def _of_another_project(name: str) -> str:
    return name.replace(name.split("/", maxsplit=1)[0], _UNKNOWN_PROJECT)


_STRAY_NAMES: dict[FaultKind, Callable[[str], str]] = {
    FaultKind.NAME_OUTSIDE: lambda name: f"../../{name}",
    FaultKind.NAME_ABSOLUTE: lambda name: f"/{name}",
    FaultKind.UNKNOWN_PROJECT: _of_another_project,
}


def _without_the_hour(entries: list[Entry], fault: Fault) -> list[Entry]:
    del entries, fault
    return []


def _zip_bad_crc(entries: list[Entry], fault: Fault) -> list[Entry]:
    del fault
    return [*entries[:-1], replace(entries[-1], has_bad_crc=True)]


def _gzip_bad_crc(entries: list[Entry], fault: Fault) -> list[Entry]:
    del fault
    data = bytearray(_bytes(entries[-1]))
    data[-8] ^= 1  # the CRC-32 is the first half of the last eight bytes (RFC 1952)
    return [*entries[:-1], replace(entries[-1], pieces=[bytes(data)])]


def _gzip_cut_off(entries: list[Entry], fault: Fault) -> list[Entry]:
    del fault
    data = _bytes(entries[-1])
    return [*entries[:-1], replace(entries[-1], pieces=[data[: len(data) // 2]])]


def _same_part_twice(entries: list[Entry], fault: Fault) -> list[Entry]:
    """Split the first file's lines over two files of the same name, so that neither is complete."""
    del fault
    lines = gzip.decompress(_bytes(entries[0])).split(b"\n")[:-1]
    name, half = entries[0].name, (len(lines) + 1) // 2
    return [_packed(name, lines[:half]), _packed(name, lines[half:]), *entries[1:]]


def _zip_bomb(entries: list[Entry], fault: Fault) -> list[Entry]:
    bomb = Entry(_next_part(entries[-1].name), _Zeros(fault.size_bytes), is_deflated=True)
    return [*entries, bomb]


def _gzip_bomb(entries: list[Entry], fault: Fault) -> list[Entry]:
    piece = igzip.compress(bytes(_BOMB_PIECE), compresslevel=3, mtime=0)
    return [
        *entries,
        Entry(_next_part(entries[-1].name), [piece] * -(-fault.size_bytes // _BOMB_PIECE)),
    ]


class _Zeros:
    """Yields `size` zero bytes in chunks."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, self._size, _BOMB_PIECE):
            yield bytes(min(_BOMB_PIECE, self._size - start))


def _next_part(name: str) -> str:
    return re.sub(r"#(\d+)", lambda part: f"#{int(part[1]) + 1}", name)


_TAMPERED: dict[FaultKind, Callable[[list[Entry], Fault], list[Entry]]] = {
    FaultKind.HOUR_NOT_FOUND: _without_the_hour,
    FaultKind.ZIP_BAD_CRC: _zip_bad_crc,
    FaultKind.GZIP_BAD_CRC: _gzip_bad_crc,
    FaultKind.GZIP_CUT_OFF: _gzip_cut_off,
    FaultKind.SAME_PART_TWICE: _same_part_twice,
    FaultKind.ZIP_BOMB: _zip_bomb,
    FaultKind.GZIP_BOMB: _gzip_bomb,
}
