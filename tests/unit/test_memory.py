"""Memory that was freed stays with the process, as the system tells."""

import platform
import subprocess
import sys

import pytest

_MEGABYTES = 12
_FREES = f"""
import os, pathlib, sys
from amplitude_assets.memory import keep_freed_memory

def resident():
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")

if sys.argv[1] == "keep":
    keep_freed_memory()
before = resident()
blocks = [b"x" * 1024**2 for _ in range({_MEGABYTES})]
del blocks
print(resident() - before)
"""


def megabytes_kept(what: str) -> float:
    """Have a fresh process take and free memory, and say how much of it is still there."""
    done = subprocess.run(
        [sys.executable, "-c", _FREES, what], check=True, capture_output=True, text=True
    )
    return int(done.stdout) / 1024**2


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="is about glibc's allocator")
def test_freed_memory_stays() -> None:
    assert megabytes_kept("nothing") < _MEGABYTES / 2 < megabytes_kept("keep")
