"""Static division of rows over threads; the work itself releases the GIL."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="sim_core")


if hasattr(os, "register_at_fork"):
    # a forked child has the pools but none of their threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


def check_threads(threads: int) -> int:
    """The number of threads, or a ValueError."""
    if not isinstance(threads, int) or not 1 <= threads <= 1024:
        raise ValueError(f"threads: {threads!r} given, expected 1 to 1024")
    return threads


def for_chunks(work: Callable[[int, int], object], n: int, threads: int) -> None:
    """Call ``work(low, high)`` on `threads` equal parts of ``range(n)``; the first error is raised."""
    check_threads(threads)
    if threads == 1 or n < 2 * threads:
        work(0, n)
        return
    bounds = [n * k // threads for k in range(threads + 1)]
    futures = [_pool(threads).submit(work, low, high) for low, high in pairwise(bounds[1:])]
    work(bounds[0], bounds[1])
    for future in futures:
        future.result()
