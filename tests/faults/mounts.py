"""Mount small disks and read-only folders, visible to one process only, with or without root."""

import ctypes
import os
from pathlib import Path

_NEW_MOUNTS, _NEW_USERS = 0x00020000, 0x10000000
_READ_ONLY, _REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 0x1, 0x20, 0x1000, 0x4000, 0x40000


def enter_mount_namespace() -> None:
    """Move this single-threaded process into its own mount namespace. Raises OSError."""
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS | _NEW_USERS):
        raise OSError(
            ctypes.get_errno(), "this system does not allow a process its own mount namespace"
        )
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _mount("none", Path("/"), None, _RECURSIVE | _PRIVATE)


def mount_disk(folder: Path, kilobytes: int) -> None:
    """Create a folder and mount a disk of this size there."""
    folder.mkdir(parents=True)
    _mount("tmpfs", folder, "tmpfs", 0, f"size={kilobytes}k")


def make_read_only(folder: Path) -> None:
    """Make a folder and its contents read-only, for root as well."""
    _mount(str(folder), folder, None, _BIND)
    _mount("none", folder, None, _BIND | _REMOUNT | _READ_ONLY)


def fill(disk: Path) -> Path:
    """Fill a disk; return the file that occupies the space."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return ballast


def _mount(source: str, target: Path, kind: str | None, flags: int, data: str = "") -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    words = [None if word is None else word.encode() for word in (source, str(target), kind)]
    if libc.mount(*words, ctypes.c_ulong(flags), data.encode()):
        raise OSError(ctypes.get_errno(), f"cannot mount {target}")
