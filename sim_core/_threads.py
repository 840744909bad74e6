"""Divides rows evenly over threads. The work itself releases the GIL."""

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
    # a forked child inherits the pools, but not their threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


def check_threads(threads: int) -> int:
    """Returns the number of threads, or raises ValueError."""
    if not isinstance(threads, int) or not 1 <= threads <= 1024:
        raise ValueError(f"threads: {threads!r} given, expected 1 to 1024")
    return threads


def for_chunks(work: Callable[[int, int], T], n: int, threads: int) -> list[T]:
    """Calls ``work(low, high)`` on `threads` equal parts of ``range(n)``, and returns the results in order.

    Raises:
        Exception: The error of the first part that raised one.
    """
    check_threads(threads)
    if threads == 1 or n < 2 * threads:
        return [work(0, n)]
    bounds = [n * k // threads for k in range(threads + 1)]
    futures = [_pool(threads).submit(work, low, high) for low, high in pairwise(bounds[1:])]
    first = work(bounds[0], bounds[1])
    return [first, *(future.result() for future in futures)]
