"""What tests ask of the system about other processes; Linux only."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc about processes")


def _fields(pid: int) -> list[str]:
    """Of /proc/PID/stat from the third on, the state; empty where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def children(pid: int) -> list[int]:
    """Processes that a process started."""
    processes = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [other for other in processes if (fields := _fields(other)) and int(fields[1]) == pid]


def command_of(pid: int) -> bytes:
    """Its command line; empty where there is no such process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    fields = _fields(pid)
    return bool(fields) and fields[0] not in "ZX"


def cpu_seconds(pid: int) -> float:
    """Time it has computed for."""
    fields = _fields(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def sleeps(pid: int) -> bool:
    """Whether it waits for something other than a processor."""
    return _fields(pid)[0] == "S"


def shared_memory(pids: Iterable[int]) -> set[Path]:
    """Files of shared memory that processes have in their address space, whether they still have a name or not."""
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
    return {Path(line[line.index("/dev/shm/") :].removesuffix(" (deleted)")) for line in lines if "/dev/shm/" in line}


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Fail where a condition does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)
