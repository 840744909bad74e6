"""Asks the system about other processes, on Linux only."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import pytest

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc about processes")


def heed_ctrl_c() -> None:
    """Restores SIGINT's handler. A shell's background jobs ignore SIGINT, and so would processes that they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _fields(pid: int) -> list[str]:
    """Returns the fields of /proc/PID/stat from the third on, which is the state. Empty if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def children(pid: int) -> list[int]:
    """Returns the processes that a process started."""
    processes = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [other for other in processes if (fields := _fields(other)) and int(fields[1]) == pid]


def command_of(pid: int) -> bytes:
    """Returns a process's command line, empty if there is no such process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def alive(pid: int) -> bool:
    """Returns whether a process runs. A zombie does not."""
    fields = _fields(pid)
    return bool(fields) and fields[0] not in "ZX"


def cpu_seconds(pid: int) -> float:
    """Returns the processor time that a process has used."""
    fields = _fields(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def sleeps(pid: int) -> bool:
    """Returns whether a process waits for something other than a processor."""
    return _fields(pid)[0] == "S"


def shared_memory(pids: Iterable[int]) -> set[Path]:
    """Returns the files of shared memory in the address space of processes, also those that have no name any more."""
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
    return {Path(line[line.index("/dev/shm/") :].removesuffix(" (deleted)")) for line in lines if "/dev/shm/" in line}


def _address(text: str) -> tuple[str, int]:
    """Reads an address and a port as /proc/net/tcp and tcp6 write them, in words of this machine's byte order."""
    address, _, port = text.partition(":")
    words = [int(address[k : k + 8], 16).to_bytes(4, sys.byteorder) for k in range(0, len(address), 8)]
    return socket.inet_ntop(socket.AF_INET if len(words) == 1 else socket.AF_INET6, b"".join(words)), int(port, 16)


def listens_on(pid: int) -> list[tuple[str, int]]:
    """Returns the addresses and ports on which a process accepts TCP connections."""
    held: set[str] = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it may be closed meanwhile
            held.add(os.readlink(path))
    tables = [path for path in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")) if path.exists()]
    rows = [line.split() for path in tables for line in path.read_text().splitlines()[1:]]
    return [_address(row[1]) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in held]


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Waits until a condition is true. Fails if that takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)
