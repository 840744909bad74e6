"""Notices what hangs: a call or a process that shows the same sign for too long."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

_LONGEST_LOOK = 1.0
"""Seconds that one look adds at most: nobody is blamed if this process itself stood still (Ctrl-Z, a debugger)."""


class Watch:
    """Adds up, from look to look, how long a sign has stayed the same.

    Args:
        limit: Seconds after which an unchanged sign is overdue. None: Never.

    >>> watch = Watch(0.01)
    >>> watch.overdue("first call"), time.sleep(0.02), watch.overdue("first call"), watch.overdue("second call")
    (False, None, True, False)
    """

    def __init__(self, limit: float | None) -> None:
        self.limit = limit
        self._sign: object = self  # unlike any sign
        self._looked = 0.0
        self._same = 0.0

    def overdue(self, sign: object) -> bool:
        """Looks, and returns whether the sign has been the same for longer than the limit.

        Args:
            sign: Anything that can be compared, e.g. a count of messages.
        """
        now = time.monotonic()
        self._same = self._same + min(now - self._looked, _LONGEST_LOOK) if sign == self._sign else 0.0
        self._sign, self._looked = sign, now
        return self.limit is not None and self._same > self.limit


class Interrupted(BaseException):
    """Ends a thread, see `interrupted`. It is no Exception, so that careless handlers let it pass."""


@contextmanager
def interrupted(threads: Iterable[threading.Thread]) -> Iterator[None]:
    """Raises `Interrupted` in other threads as soon as they run Python code. A call of C is not interrupted.

    What was not raised by the end of the block is taken back. While it waits, no thread may be traced, by a debugger or
    for coverage, because the traced thread would stand still (CPython 3.11). So the calling thread's tracing is
    switched off within the block.

    Args:
        threads: The threads to interrupt. Those that have ended are left out.
    """
    trace = sys.gettrace()
    sys.settrace(None)
    alive = [thread for thread in threads if thread.is_alive()]
    try:
        for thread in alive:
            _set_exception(thread, Interrupted)
        yield
    finally:
        for thread in alive:
            _set_exception(thread, None)
        _clear_signal()
        sys.settrace(trace)


def _set_exception(thread: threading.Thread, exception: type[BaseException] | None) -> None:
    given = ctypes.py_object() if exception is None else ctypes.py_object(exception)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), given)


def _clear_signal() -> None:
    """Receives one here, because only that makes the interpreter stop looking for one that was taken back."""
    try:
        _set_exception(threading.current_thread(), Interrupted)
        while True:
            pass
    except Interrupted:
        pass
