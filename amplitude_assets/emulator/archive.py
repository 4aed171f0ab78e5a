"""Write the Export API's zip to a file, member by member."""

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO

_MADE_AT = (2020, 1, 1, 0, 0, 0)


class TooLargeError(Exception):
    """The archive exceeds the maximum size of a response."""


@dataclass(frozen=True)
class Entry:
    """A member of a zip: its name, and its bytes in chunks.

    Members are stored uncompressed, since they are gzip already, unless `is_deflated`. With
    `has_bad_crc`, the checksum in the zip is wrong.
    """

    name: str
    pieces: Iterable[bytes]
    is_deflated: bool = False
    has_bad_crc: bool = False


def write_zip(entries: Iterable[Entry], file: IO[bytes], max_bytes: int) -> int:
    """Write the entries to `file` as a zip, and return their number.

    Raises TooLargeError as soon as the file exceeds `max_bytes`.
    """
    count = 0
    with zipfile.ZipFile(file, "w") as archive:
        for entry in entries:
            info = zipfile.ZipInfo(entry.name, _MADE_AT)
            # Suppresses zipfile's warning about duplicate names, which are intentional here.
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
