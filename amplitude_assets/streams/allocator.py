"""Stop glibc from returning freed heap memory to the operating system."""

from functools import cache

# glibc then keeps twice as much. Larger blocks made no load faster; glibc ignores any over 32 MB.
_LARGEST_FREED_BYTES = 16 * 1024**2


@cache
def keep_freed_memory() -> None:
    """Raise glibc's trim threshold in this process, so that freed memory is reused.

    glibc returns the free end of a heap to the system when it exceeds twice the largest block
    ever freed (mallopt(3), M_MMAP_THRESHOLD). Code that works on blocks of a megabyte then spends
    up to a tenth of its time on page faults. Freeing one large block, once per process, raises that
    threshold; the block is never written to, so it takes no memory. It has no effect on other
    allocators.
    """
    bytes(_LARGEST_FREED_BYTES)
