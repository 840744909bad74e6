"""Notices what hangs: a call, or a process, that shows the same sign for too long."""

from __future__ import annotations

import ctypes
import threading
import time

_LONGEST_LOOK = 1.0
"""Seconds that one look can add: where this process itself stood still (Ctrl-Z, a debugger), nobody else is blamed."""


class Watch:
    """Adds up, from look to look, for how long a sign has stayed the same.

    Args:
        limit: seconds after which it is overdue; None: never.

    >>> watch = Watch(0.01)
    >>> watch.overdue("first call"), time.sleep(0.02), watch.overdue("first call"), watch.overdue("second call")
    (False, None, True, False)
    """

    def __init__(self, limit: float | None) -> None:
        self.limit = limit
        self._sign: object = self  # unlike any
        self._looked = 0.0
        self._same = 0.0

    def overdue(self, sign: object) -> bool:
        """Look; True where the sign has been the same for longer than the limit."""
        now = time.monotonic()
        self._same = self._same + min(now - self._looked, _LONGEST_LOOK) if sign == self._sign else 0.0
        self._sign, self._looked = sign, now
        return self.limit is not None and self._same > self.limit


class Interrupted(BaseException):
    """Raised in a thread by `interrupt`; no Exception, so that careless handlers let it pass."""


def interrupt(thread: threading.Thread) -> None:
    """Raise `Interrupted` in another thread as soon as it runs Python code: not within a call of C that goes on."""
    if thread.ident is not None and thread.is_alive():
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Interrupted))
