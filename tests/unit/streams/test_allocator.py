"""Freed memory stays with the process, as measured by the operating system."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration

_MEGABYTES = 12
_FREES = f"""
import os, pathlib, sys
from amplitude_assets.streams.allocator import keep_freed_memory

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
    """Allocate and free memory in a new process; return the megabytes still resident."""
    done = subprocess.run(
        [sys.executable, "-c", _FREES, what], check=True, capture_output=True, text=True
    )
    return int(done.stdout) / 1024**2


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="tests glibc's allocator")
def test_freed_memory_stays() -> None:
    assert megabytes_kept("nothing") < _MEGABYTES / 2 < megabytes_kept("keep")
