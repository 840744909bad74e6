"""Writes to terminals of any encoding, and puts off Ctrl-C where it would leave threads behind."""

from __future__ import annotations

import codecs
import io
import signal
import sys
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

_PLAIN = {"\u00b1": "+-", "\u2013": "-", "\u2014": "-", "\u2212": "-", "\u2022": "*", "\u00d7": "x", "\u2192": "->"}
"""Signs of tables and progress bars in ASCII."""


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """Returns what is written in place of characters that an encoding lacks, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(_PLAIN.get(sign) or _letters(sign) or "?" for sign in signs), error.end


def _letters(sign: str) -> str:
    """Returns the ASCII characters that a character is made of; none for most."""
    return unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()


codecs.register_error("lit_trainer.ascii", _in_ascii)


def take_any_text() -> None:
    """Makes standard output and error write what they cannot encode in ASCII, so that no table or bar ends a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="lit_trainer.ascii")
    if isinstance(sys.stdin, io.TextIOWrapper):
        with suppress(io.UnsupportedOperation):  # something has been read from it already
            sys.stdin.reconfigure(errors="replace")


@contextmanager
def interrupted_later() -> Iterator[None]:
    """Puts off Ctrl-C until the end of the block. Has no effect outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    noted: list[tuple[int, FrameType | None]] = []
    before: Any = signal.signal(signal.SIGINT, lambda number, frame: noted.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if noted and callable(before):
            before(*noted[0])
