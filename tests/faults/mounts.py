"""Disks that are full and folders that are read-only, for one process alone, root or not."""

import ctypes
import os
from pathlib import Path

_NEW_MOUNTS, _NEW_USERS = 0x00020000, 0x10000000
_READ_ONLY, _REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 0x1, 0x20, 0x1000, 0x4000, 0x40000


def have_own_mounts() -> None:
    """Let this process, which has one thread, mount what no other sees. Raises OSError."""
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS | _NEW_USERS):
        raise OSError(ctypes.get_errno(), "this system lets no process mount what it likes")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _mount("none", Path("/"), None, _RECURSIVE | _PRIVATE)


def mount_disk(folder: Path, kilobytes: int) -> None:
    """Have a disk of this size at a folder, which is made."""
    folder.mkdir(parents=True)
    _mount("tmpfs", folder, "tmpfs", 0, f"size={kilobytes}k")


def make_read_only(folder: Path) -> None:
    """Have a folder and what is in it refuse all writing, root's too."""
    _mount(str(folder), folder, None, _BIND)
    _mount("none", folder, None, _BIND | _REMOUNT | _READ_ONLY)


def fill(disk: Path) -> Path:
    """Take what room there is on a disk; return the file that takes it."""
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
