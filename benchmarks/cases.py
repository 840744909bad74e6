"""Things measured in turn, run after run, so that what else the machine does falls on all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.table import Table

Work = Callable[[], int]
"""Does some work and counts it."""


class Speed(NamedTuple):
    """What was counted, a second by the clock and a second of this process's processor time, all threads together."""

    clock: float
    processor: float


@dataclass
class Case:
    """A row of the table.

    Args:
        what: names it.
        one: its work on one thread.
        two: its work on two threads, where that is measured.
        remark: of the speeds on one thread.
        ours: cases of the same section that this is a peer of; the remark begins with how many times as fast they are.
    """

    what: str
    one: Work
    two: Work | None = None
    remark: Callable[[list[Speed]], str] | None = None
    ours: Sequence[str] = ()


def speed(work: Work, seconds: float) -> Speed:
    """Repeats the work for at least so long."""
    count = 0
    processor = time.process_time()
    began = now = time.perf_counter()
    while not count or now - began < seconds:
        count += work()
        now = time.perf_counter()
    # a tick of the processor's clock at least, which a stalled process may not have had
    return Speed(count / (now - began), count / max(time.process_time() - processor, 1e-6))


def fastest(make: Callable[[int], Work], sizes: Sequence[int], seconds: float) -> tuple[int, Work]:
    """Of works of several batch sizes the one that does most a second of processor time, and its size."""
    found = []
    for size in sizes:
        work = make(size)
        work()
        found.append((speed(work, seconds).processor, size, work))
    _, size, work = max(found, key=lambda each: each[0])
    return size, work


def measure(table: Table, title: str, cases: Sequence[Case], runs: int, seconds: float) -> None:
    """Measure the cases in turn, `runs` times, and add a section to the table."""
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
    """Its columns are those that `measure` fills."""
    table = Table(title=title)
    table.add_column("what a second")
    for name in ("1 thread", "2 threads", "1 thread, processor time", "2 threads, processor time"):
        table.add_column(name, justify="right")
    table.add_column("remark")
    return table
