"""Checks the rules of docs/development.md about wording that a machine can check: in docstrings, comments, messages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from support.cli_tools import ROOT

FOLDERS = ("lit_trainer", "sim_core", "callbacks", "benchmarks", "tests/reference", "tests/support")

_WORDS = """
abandons absorbs accepts accumulates adapts adds advances aligns allocates allows announces answers appends applies asks
asserts assigns attaches averages backs begins binds blends blocks breaks brings broadcasts builds caches calculates
calibrates calls cancels catches changes charges checks chooses cleans clears clips closes collects combines
compares completes composes computes concatenates configures connects continues converts copies corrects counts
covers creates cuts deals decays decides declares decodes defines delegates deletes delivers derives descends describes
detaches detects determines disables discards divides does downloads draws drives drops edits enables encodes ends
ensures enters estimates evaluates exits expands expects explains exports extends extracts feeds fetches fills filters
finds finishes fits flattens flushes follows forces forgets forks formats forwards frees freezes gathers generates gets
gives goes groups handles hands has hashes hides holds identifies ignores implements imports improves includes increases
indexes initialises initializes inserts installs interpolates interrupts is iterates joins keeps kills labels
launches leaves lets limits links lists loads locates locks logs looks loses lowers maintains makes maps marks masks
matches measures merges mirrors mixes moves names normalises normalizes notes notices numbers offers opens orders
outputs owns packs pads pairs parses passes pauses permutes picks places plays plots posts precomputes predicts
prepares presents preserves prevents prints processes produces protects proves provides publishes puts quits quotes
raises ranks reads rebuilds receives records redraws reduces refuses registers rejects releases reloads remembers
removes renames renders repeats replaces replays reports represents requests requires resamples reserves resets
reshapes resizes resolves responds restarts restores resumes retries returns reuses reweights rewrites rounds runs
samples saves says scales schedules scores searches seeds selects sends separates serialises serializes serves sets
shares shifts shortens shows shuffles shuts signals simulates skips slices solves sorts splits spreads stacks starts
stays stops stores streams subtracts sums supplies swaps switches synchronises synchronizes takes tallies tells
tests times trains transforms translates turns undoes unlinks unpacks updates uses validates visits waits wakes
walks warns weighs works wraps writes yields
"""
VERBS = frozenset(_WORDS.split())
"""The first words that a docstring of a function may have: verbs in the third person. Add a verb that is missing."""

UNFINISHED: frozenset[str] = frozenset()
"""Files that are still to be rewritten. Take a file out once it is; put none in."""

PHRASES = {
    r"\bwhom\b": "ask 'which opponent' or turn the sentence round",
    r"\bso many\b": "say how many, or 'this many'",
    r"\bof (its|their|his|her) own\b": "say 'its own' or 'separate'",
    r"\bthe other's\b": "name the other",
    r"\bcannot be meant\b": "say 'invalid'",
    r"\bthat lies about\b": "say 'it finds'",
    r"\bby lot\b": "say 'random'",
    r"\bas the next\b": "name it",
    r"\bnobody less than\b": "say 'at least'",
    r"\ball that must be there\b": "say 'you need'",
}
"""Phrases that readers stumble over, each with what to write."""


class Docstring(NamedTuple):
    """Holds a docstring of a function or a method, with its place."""

    place: str
    """``FILE:LINE: FUNCTION``."""
    text: str


def files(*suffixes: str) -> list[Path]:
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")) if path.suffix in suffixes]
    finished = [path for path in found if path.relative_to(ROOT).as_posix() not in UNFINISHED]
    return [path for path in finished if "build" not in path.relative_to(ROOT).parts]


def python_docstrings(path: Path) -> Iterator[Docstring]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("test_"):
            text = ast.get_docstring(node)
            if text is not None:
                yield Docstring(f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}", text)


_CYTHON_FUNCTION = re.compile(
    r"^[ \t]*(?:c|cp)?def\b(?P<head>[^#\n]*?(?P<name>\w+)\((?:[^()]|\([^()]*\))*\)[^:\n]*):[ \t]*(?:#[^\n]*)?\n"
    r'\s*r?"""(?P<text>.*?)"""',
    re.DOTALL | re.MULTILINE,
)


def cython_docstrings(path: Path) -> Iterator[Docstring]:
    source = path.read_text()
    for found in _CYTHON_FUNCTION.finditer(source):
        line = source.count("\n", 0, found.start()) + 1
        yield Docstring(f"{path.relative_to(ROOT)}:{line}: {found['name']}", found["text"].strip())


def docstrings() -> list[Docstring]:
    found = [one for path in files(".py", ".pyi") for one in python_docstrings(path)]
    return found + [one for path in files(".pyx", ".pxd") for one in cython_docstrings(path)]


def begins_with_a_verb(text: str) -> bool:
    """Returns whether the first word is a known verb, and stands as a sentence begins: capital letter, no colon."""
    first = re.match(r"([A-Z][a-z]+)(?=[\s,.;:]|$)", text)
    return first is not None and first[1].lower() in VERBS


def test_docstrings_of_functions_begin_with_a_verb() -> None:
    wrong = [f"{place}: {text.splitlines()[0]}" for place, text in docstrings() if not begins_with_a_verb(text)]
    assert not wrong, f"{len(wrong)} docstrings do not begin with a verb of VERBS:\n" + "\n".join(wrong)


def test_the_texts_of_arguments_begin_with_a_capital_letter() -> None:
    wrong = []
    for place, text in class_and_function_docstrings():
        section = re.search(r"^ *Args:\n((?:(?: +.*)?\n)+)", text + "\n", re.MULTILINE)
        if section is None:
            continue
        depth = min(len(line) - len(line.lstrip()) for line in section[1].splitlines() if line.strip())
        found = re.findall(rf"^ {{{depth}}}(\*{{0,2}}\w+)(?: \([^)]*\))?: *([a-z][^\n]*)", section[1], re.MULTILINE)
        wrong += [f"{place}: {name}: {rest}" for name, rest in found]
    assert not wrong, f"{len(wrong)} texts of arguments begin with a small letter:\n" + "\n".join(wrong)


def class_and_function_docstrings() -> Iterator[tuple[str, str]]:
    for path in files(".py", ".pyi"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", ast.get_docstring(node) or ""


def test_the_code_has_none_of_the_phrases_that_readers_stumble_over() -> None:
    wrong = []
    for path in files(".py", ".pyi", ".pyx", ".pxd"):
        text = path.read_text()
        for phrase, better in PHRASES.items():
            # a phrase may go on in the next line, of a comment or of a string too
            spread = phrase.replace(" ", r"""["'\s#f]+""")
            for found in re.finditer(spread, text, re.IGNORECASE):
                line = text.count("\n", 0, found.start()) + 1
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {found[0]!r}: {better}")
    assert not wrong, "\n".join(wrong)


def test_the_rule_itself() -> None:
    assert begins_with_a_verb("Returns the seed.")
    for text in ("The seed.", "Return the seed.", "returns the seed.", "Seeds' order.", "Whether it is one.", ""):
        assert not begins_with_a_verb(text)
    found = list(cython_docstrings(ROOT / "sim_core" / "batch.pyx"))
    assert len(found) >= 10
