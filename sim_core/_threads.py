"""Static division of rows over threads; the work itself releases the GIL."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")


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


def for_chunks(work: Callable[[int, int], T], n: int, threads: int) -> list[T]:
    """Call ``work(low, high)`` on `threads` equal parts of ``range(n)``; what each returned, or the first error."""
    check_threads(threads)
    if threads == 1 or n < 2 * threads:
        return [work(0, n)]
    bounds = [n * k // threads for k in range(threads + 1)]
    futures = [_pool(threads).submit(work, low, high) for low, high in pairwise(bounds[1:])]
    first = work(bounds[0], bounds[1])
    return [first, *(future.result() for future in futures)]
