"""This process's memory: what it frees, it keeps for what it needs next."""

from functools import cache

# Twice as much is kept then. A larger block made no load faster, and glibc counts none over 32 MB.
_LARGEST_FREED_BYTES = 16 * 1024**2


@cache
def keep_freed_memory() -> None:
    """Have this process use the memory that it frees again, rather than fetch it anew.

    glibc hands the free end of a heap back to the system when it is over twice the largest block
    ever freed (mallopt(3), M_MMAP_THRESHOLD). Work on blocks of a megabyte then spends up to a
    tenth of its time on pages that come and go. So a large block is freed here, once a process;
    nothing is written to it, and it takes no memory. With another allocator this does nothing.
    """
    bytes(_LARGEST_FREED_BYTES)
