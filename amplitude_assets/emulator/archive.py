"""The zip with which the Export API answers, written to a file as its members come."""

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO

_MADE_AT = (2020, 1, 1, 0, 0, 0)


class TooLargeError(Exception):
    """The archive would be larger than a response may be."""


@dataclass(frozen=True)
class Entry:
    """A member of a zip: its name and its bytes in pieces.

    Members are stored as they are, because they are gzip already, unless `is_deflated`. With
    `has_bad_crc` the checksum in the zip is wrong.
    """

    name: str
    pieces: Iterable[bytes]
    is_deflated: bool = False
    has_bad_crc: bool = False


def write_zip(entries: Iterable[Entry], file: IO[bytes], max_bytes: int) -> int:
    """Write the entries to `file` as a zip and return how many there were.

    Raises TooLargeError as soon as there are more than `max_bytes`.
    """
    count = 0
    with zipfile.ZipFile(file, "w") as archive:
        for entry in entries:
            info = zipfile.ZipInfo(entry.name, _MADE_AT)
            # zipfile warns of two members of one name; here that is done on purpose.
            archive.NameToInfo.pop(entry.name, None)
            info.compress_type = zipfile.ZIP_DEFLATED if entry.is_deflated else zipfile.ZIP_STORED
            with archive.open(info, "w") as member:
                for piece in entry.pieces:
                    member.write(piece)
                    if file.tell() > max_bytes:
                        raise TooLargeError
            if entry.has_bad_crc:
                info.CRC ^= 1
            count += 1
    return count
