"""Divides rows evenly over threads. The work itself releases the GIL."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from itertools import pairwise
from typing import TypeVar

from sim_core import _arguments

T = TypeVar("T")


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="sim_core")


if hasattr(os, "register_at_fork"):
    # a forked child inherits the pools, but not their threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


def check_threads(threads: int) -> int:
    """Returns the number of threads, or raises ValueError."""
    return _arguments.integer("threads", threads, 1, 1024, "1 to 1024")


def for_chunks(work: Callable[[int, int], T], n: int, threads: int) -> list[T]:
    """Calls ``work(low, high)`` on `threads` equal parts of ``range(n)``, and returns the results in order.

    Raises:
        Exception: The error of the first part that raised one.
    """
    threads = check_threads(threads)
    if threads == 1 or n < 2 * threads:
        return [work(0, n)]
    bounds = [n * k // threads for k in range(threads + 1)]
    futures = [_pool(threads).submit(work, low, high) for low, high in pairwise(bounds[1:])]
    try:
        first = work(bounds[0], bounds[1])
    finally:
        wait(futures)  # after an error too: the caller may use or free the memory that they work in
    return [first, *(future.result() for future in futures)]
