"""Watches that blame nobody too early, and threads that are interrupted, or are not, without a trace left."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress

import pytest

from lit_trainer.utils import watch as watch_module
from lit_trainer.utils.watch import Interrupted, Watch, interrupted

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Returns the time that a watch sees, as a list of one number."""
    now = [100.0]
    monkeypatch.setattr(watch_module.time, "monotonic", lambda: now[0])
    return now


def test_a_sign_that_stays_is_overdue(clock: list[float]) -> None:
    watch = Watch(2.0)
    assert not watch.overdue("same")
    for step, overdue in ((0.9, False), (0.9, False), (0.9, True), (0.1, True)):
        clock[0] += step
        assert watch.overdue("same") == overdue
    assert not watch.overdue("other")
    clock[0] += 0.9
    assert not watch.overdue("other")


def test_a_process_that_stood_still_blames_nobody(clock: list[float]) -> None:
    """Fails if time in which the process stood still, by Ctrl-Z, counts as an agent's."""
    watch = Watch(2.0)
    watch.overdue("same")
    for overdue in (False, False, True):
        clock[0] += 3600.0
        assert watch.overdue("same") == overdue


def test_without_a_limit_nothing_is_overdue(clock: list[float]) -> None:
    watch = Watch(None)
    for _ in range(100):
        assert not watch.overdue(None)
        clock[0] += 1.0


def test_none_is_a_sign_like_any_other(clock: list[float]) -> None:
    watch = Watch(0.5)
    assert not watch.overdue(None)
    clock[0] += 0.9
    assert watch.overdue(None)


class Spinning(threading.Thread):
    """Runs Python code until it is interrupted or told to end."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.going = True
        self.ended_by: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            while self.going:
                with suppress(Exception):  # as careless code does
                    time.sleep(0)
        except BaseException as error:
            self.ended_by = error


def test_threads_that_run_python_are_interrupted() -> None:
    threads = [Spinning(), Spinning()]
    with interrupted(threads):
        for thread in threads:
            thread.join(10)
    assert all(isinstance(thread.ended_by, Interrupted) for thread in threads)
    assert not isinstance(Interrupted(), Exception), "careless handlers would catch it"


def test_what_was_not_raised_is_taken_back() -> None:
    """Fails if an interrupt that a call of C delayed still comes after it was taken back."""
    ended: list[int] = []
    lock = threading.Lock()
    lock.acquire()

    def wait_in_c() -> None:
        with lock:
            ended.append(1)

    thread = threading.Thread(target=wait_in_c, daemon=True)
    thread.start()
    time.sleep(0.1)
    with interrupted([thread]):
        time.sleep(0.1)
    lock.release()
    thread.join(10)
    assert ended == [1]


def test_threads_that_have_ended_are_left_out() -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    with interrupted([thread]):
        pass


def test_tracing_is_as_it_was() -> None:
    before = sys.gettrace()
    thread = Spinning()
    with interrupted([thread]):
        assert sys.gettrace() is None
        thread.join(10)
    assert sys.gettrace() is before
