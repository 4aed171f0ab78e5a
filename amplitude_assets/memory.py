"""This process's memory: what it frees, it keeps for what it needs next."""

from functools import cache

# More than is freed at once by those who ask for this, and within glibc's bound of 32 MB.
_LARGEST_FREED_BYTES = 16 * 1024**2


@cache
def keep_freed_memory() -> None:
    """Have this process use the memory that it frees again, rather than fetch it anew.

    glibc hands the free end of a heap back to the system when it is over twice the largest block
    ever freed (mallopt(3), M_MMAP_THRESHOLD). Work on blocks of a megabyte then spends a tenth of
    its time on pages that come and go. So a large block is freed here; nothing is written to it,
    and it takes no memory. With another allocator this does nothing.
    """
    bytes(_LARGEST_FREED_BYTES)
