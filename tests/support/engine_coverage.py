"""Shows which lines of the engine's Cython were executed.

Run ``python tests/support/engine_coverage.py`` where the engine was built and run.

Reads gcc's counts for the C of a build with LIT_ALPHAZERO_COVERAGE=1. Cython's own way, a trace of every line, takes
the GIL for each line of code that runs without it: minutes for tests that otherwise take seconds.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# the place in Cython, which stands before a statement's C
MARKER = re.compile(r' */\* "(sim_core/[\w./]+)":(\d+)$')
# what is defined is no statement; `cdef int a = f()` is one
DEFINITION = re.compile(r"\s*(@|class |def |c?p?def (?!\w[^(]*=))")


def statements(source: str) -> list[tuple[int, str, int]]:
    """Returns the statements of a generated C file in order: first line of the C, file and line in Cython."""
    found = []
    for number, line in enumerate(source.splitlines(), start=1):
        if marker := MARKER.match(line):
            found.append((number, marker[1], int(marker[2])))
    return found


def executed(source: str, counts: dict[int, int]) -> dict[tuple[str, int], int]:
    """Returns how often each Cython line was reached: the count of its first C line that has one."""
    marks = statements(source)
    ends = [number for number, _, _ in marks[1:]] + [len(source.splitlines()) + 1]
    reached: dict[tuple[str, int], int] = {}
    for (start, file, line), end in zip(marks, ends, strict=True):
        first = next((counts[number] for number in range(start, end) if number in counts), None)
        if first is not None:
            reached[file, line] = max(first, reached.get((file, line), 0))
    return reached


def counts_of(module: str, notes: Path) -> dict[int, int]:
    """Returns what gcov says of a module's C."""
    done = subprocess.run(
        ["gcov", "--json-format", "--stdout", notes], cwd=ROOT, check=True, capture_output=True, text=True
    )
    counts: dict[int, int] = {}
    for file in json.loads(done.stdout)["files"]:
        if file["file"].endswith(f"{module}.c"):
            for line in file["lines"]:
                counts[line["line_number"]] = max(line["count"], counts.get(line["line_number"], 0))
    return counts


def ranges(lines: list[int]) -> str:
    """Returns sorted numbers in short form: ``3, 7-9``."""
    runs: list[list[int]] = []
    for line in lines:
        if runs and line == runs[-1][1] + 1:
            runs[-1][1] = line
        else:
            runs.append([line, line])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def main() -> None:
    reached: dict[tuple[str, int], int] = {}
    for notes in sorted(ROOT.glob("build/temp*/sim_core/**/*.gcda")):
        module = notes.relative_to(ROOT).with_suffix("").as_posix().split("/", 2)[2]
        source = (ROOT / f"{module}.c").read_text()
        for place, count in executed(source, counts_of(module, notes)).items():
            reached[place] = max(count, reached.get(place, 0))
    files: defaultdict[str, dict[int, int]] = defaultdict(dict)
    texts = {file: (ROOT / file).read_text().splitlines() for file, _ in reached}
    for (file, line), count in reached.items():
        if not DEFINITION.match(texts[file][line - 1]):
            files[file][line] = count
    print(f"{'Name':38}{'Lines':>7}{'Miss':>7}{'Cover':>8}   Missing")
    lines = missed = 0
    for file in sorted(files):
        missing = sorted(line for line, count in files[file].items() if not count)
        lines, missed = lines + len(files[file]), missed + len(missing)
        share = 100 * (1 - len(missing) / len(files[file]))
        print(f"{file:38}{len(files[file]):7}{len(missing):7}{share:7.0f}%   {ranges(missing)}".rstrip())
    print(f"{'TOTAL':38}{lines:7}{missed:7}{100 * (1 - missed / lines):7.0f}%")


if __name__ == "__main__":
    main()
