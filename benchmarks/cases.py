"""Measures cases in turn, run after run, so that other load on the machine affects all of them equally."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.table import Table

Work = Callable[[], int]
"""Does some work and returns how much it did."""


class Speed(NamedTuple):
    """Holds counts per second by the clock, and per second of this process's processor time over all threads."""

    clock: float
    processor: float


@dataclass
class Case:
    """Describes a row of the table.

    Args:
        what: Name of the row.
        one: Work on one thread.
        two: Work on two threads. None: it is not measured.
        remark: Makes a remark of the speeds on one thread.
        ours: Cases of the same section that this one is compared with. The remark begins with how many times as fast
            they are.
    """

    what: str
    one: Work
    two: Work | None = None
    remark: Callable[[list[Speed]], str] | None = None
    ours: Sequence[str] = ()


def speed(work: Work, seconds: float) -> Speed:
    """Repeats the work for at least that many seconds, and returns its speed."""
    count = 0
    processor = time.process_time()
    began = now = time.perf_counter()
    while not count or now - began < seconds:
        count += work()
        now = time.perf_counter()
    # at least one tick of the processor's clock, because a stalled process may have had none
    return Speed(count / (now - began), count / max(time.process_time() - processor, 1e-6))


def fastest(make: Callable[[int], Work], sizes: Sequence[int], seconds: float) -> tuple[int, Work]:
    """Returns the batch size whose work does most per second of processor time, and that work."""
    found = []
    for size in sizes:
        work = make(size)
        work()
        found.append((speed(work, seconds).processor, size, work))
    _, size, work = max(found, key=lambda each: each[0])
    return size, work


def measure(table: Table, title: str, cases: Sequence[Case], runs: int, seconds: float) -> None:
    """Measures the cases in turn, `runs` times, and adds a section to the table."""
    works = [(case.what, threads, work) for case in cases for threads, work in ((1, case.one), (2, case.two)) if work]
    for *_, work in works:
        work()
    found: dict[tuple[str, int], list[Speed]] = {}
    for _ in range(runs):
        for what, threads, work in works:
            found.setdefault((what, threads), []).append(speed(work, seconds))
    table.add_section()
    table.add_row(f"[bold]{title}[/bold]")
    for case in cases:
        one, two = found[case.what, 1], found.get((case.what, 2))
        remarks = [] if case.remark is None else [case.remark(one)]
        times = [
            statistics.median(a.processor / b.processor for a, b in zip(found[name, 1], one, strict=True))
            for name in case.ours
        ]
        if times:
            remarks.insert(0, f"ours {' and '.join(f'{each:.2f}' for each in times)} times as fast")
        table.add_row(
            case.what,
            *(
                f"{statistics.median(getattr(each, clock) for each in speeds):,.0f}" if speeds else ""
                for clock in Speed._fields
                for speeds in (one, two)
            ),
            "; ".join(remarks),
        )


def new_table(title: str) -> Table:
    """Returns a table with the columns that `measure` fills."""
    table = Table(title=title)
    table.add_column("count per second")
    for name in ("1 thread", "2 threads", "1 thread, processor time", "2 threads, processor time"):
        table.add_column(name, justify="right")
    table.add_column("remark")
    return table
