"""Settings of memory for processes that compute for minutes and then end.

Freed memory is kept: an operator's result takes the place of the one that was just freed. By
default glibc gives large blocks back to the kernel at once and asks for them again at the next
operator, which has to clear every page. That costs small trainings up to a fifth of their time,
and the encoder of an index a tenth.

Cycles are looked for rarely: the libraries make a million objects that stay while they load, and
Python's collector walks over all of them again and again: 1 of 7 seconds. Another 1.6 went when
the process ended, to look through what ends with it.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import sys

# From glibc's malloc.h. With a padding, a worker's heap grows by more than one result at a time.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
LARGE, PADDING = 2**30, 2**26  # bytes
COLLECT_AFTER = 50_000  # objects that came and did not go; Python's own number is 700


def keep_freed_memory() -> bool:
    """Tell the C library, for the rest of this process. False where it cannot be told."""
    if not sys.platform.startswith("linux"):
        return False
    tell = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc has it, musl does not
    wanted = {M_MMAP_THRESHOLD: LARGE, M_TRIM_THRESHOLD: LARGE, M_TOP_PAD: PADDING}
    return tell is not None and all(tell(name, value) == 1 for name, value in wanted.items())


def collect_rarely() -> None:
    """Look for cycles less often, and not at the end of the process. Call before libraries load."""
    gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)  # the first registered runs last
