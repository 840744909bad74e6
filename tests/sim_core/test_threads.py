"""The threads that share out the rows of a batch."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

from sim_core._threads import for_chunks


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_threads_work_in_a_forked_process() -> None:
    """Fails if a fork, as a data loader makes it, waits for ever for threads of the first process."""
    code = """
        import os, signal
        from sim_core import GameBatch
        GameBatch(100).play_random(threads=2)
        if (child := os.fork()) == 0:
            signal.alarm(3)
            GameBatch(100).play_random(threads=2)
            os._exit(0)
        raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0)
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(code)], timeout=60).returncode == 0


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("n", [0, 1, 5, 16, 1001])
def test_every_row_is_worked_on_once(threads: int, n: int) -> None:
    parts = for_chunks(lambda low, high: range(low, high), n, threads)
    assert [row for part in parts for row in part] == list(range(n))  # results come in the order of the rows
    assert len(parts) in (1, threads)


def test_an_error_of_any_part_comes_through() -> None:
    def work(low: int, high: int) -> int:
        if high == 100:
            raise KeyError("the last part")
        return low

    with pytest.raises(KeyError, match="the last part"):
        for_chunks(work, 100, 4)


def test_after_an_error_no_part_works_on_in_the_background() -> None:
    """The caller may use, or free, the memory that the parts work in."""
    begun, ended = threading.Event(), threading.Event()

    def work(low: int, high: int) -> None:
        if low == 0:
            assert begun.wait(60)
            raise KeyError("the first part")
        begun.set()
        time.sleep(0.3)
        ended.set()

    with pytest.raises(KeyError, match="the first part"):
        for_chunks(work, 10, 2)
    assert ended.is_set()


def test_numbers_of_numpy_are_numbers_of_threads() -> None:
    assert len(for_chunks(lambda low, high: None, 10, np.int64(2))) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize("threads", [0, -1, 1025, 2.0, "2"])
def test_wrong_numbers_of_threads_are_named(threads: object) -> None:
    with pytest.raises(ValueError, match=r"^threads: .* given, expected 1 to 1024$"):
        for_chunks(lambda low, high: None, 10, threads)  # type: ignore[arg-type]
