"""Checks what docs/development.md says about the size and the place of files, classes, constructors and tests."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.cli_tools import ROOT

MODULE_LINES, CLASS_LINES = 300, 250
"""Most lines of a module and of a class in lit_trainer and callbacks."""
WIDTH = 120
"""Most characters of a line in Cython files, their headers and stubs. Ruff checks those of Python files."""
FILE_LINES = 500
"""Most lines of a Cython file and of a test file."""
ARGUMENTS = 12
"""Most arguments of a constructor. Settings and messages are dataclasses, whose constructors nobody writes."""

ROOMS = frozenset(
    ("checkpoints", "cli", "learning", "measuring", "networks", "play", "players", "reporting", "self_play", "utils")
)
"""Sub-packages of lit_trainer. docs/design.md says what belongs in each."""
DOORS = frozenset(("__init__", "__main__"))
"""Modules of lit_trainer beside its sub-packages. There may be one more."""

WITHOUT_A_MODULE = {
    "sim_core/rng.pxd": "inline functions alone, compiled into the modules that use them",
    "sim_core/beasty_bar/line.pxd": "inline functions alone, compiled into the modules that use them",
}
"""Headers that have no ``.pyx`` beside them, with the reason."""


def python(root: Path, *packages: str) -> Iterator[tuple[str, Path]]:
    """Yields the Python and Cython modules of packages, each with its name from the root."""
    for package in packages:
        for path in sorted((root / package).rglob("*.py*")):
            if path.suffix in (".py", ".pyx"):
                yield path.relative_to(root).as_posix(), path


def too_large(root: Path) -> list[str]:
    """Returns the modules, classes, constructors, Cython files and test files that are over their limits."""
    found: list[tuple[str, int, str, int]] = []
    for name, path in python(root, "sim_core", "tests"):
        if path.suffix == ".pyx" or name.startswith("tests/"):
            found.append((name, len(path.read_text().splitlines()), "lines", FILE_LINES))
    for name, path in python(root, "lit_trainer", "callbacks"):
        text = path.read_text()
        found.append((name, len(text.splitlines()), "lines", MODULE_LINES))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                place, last = f"{name}: {node.name}", node.end_lineno or 0
                found.append((place, last - node.lineno + 1, "lines", CLASS_LINES))
                found.append((place, max(map(arguments, node.body)), "arguments", ARGUMENTS))
    return [f"{name}: {size} {what}, expected at most {most}" for name, size, what, most in found if size > most]


def arguments(node: ast.stmt) -> int:
    """Returns how many arguments a constructor takes; 0 for any other statement."""
    if not isinstance(node, ast.FunctionDef) or node.name != "__init__":
        return 0
    given = node.args
    named = len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs) - 1  # without self
    return named + (given.vararg is not None) + (given.kwarg is not None)


def too_wide(root: Path) -> list[str]:
    """Returns the lines of Cython files, their headers and stubs that are too long."""
    paths = (path for path in sorted((root / "sim_core").rglob("*.p*")) if path.suffix in (".pyx", ".pxd", ".pyi"))
    return [
        f"{path.relative_to(root).as_posix()}:{number}: {len(line)} characters, expected at most {WIDTH}"
        for path in paths
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if len(line) > WIDTH
    ]


def misplaced(root: Path) -> list[str]:
    """Returns what stands where no reader would look for it, and packages that do not say what belongs in them."""
    faults = []
    inside = root / "lit_trainer"
    rooms = {path.parent.name for path in inside.glob("*/*.py")}
    if rooms != ROOMS:
        faults.append(f"lit_trainer: the sub-packages {sorted(rooms ^ ROOMS)} are missing or not in docs/design.md")
    loose = sorted({path.stem for path in inside.glob("*.py")} - DOORS)
    if len(loose) > 1:
        faults.append(f"lit_trainer: {loose} beside the sub-packages, expected at most one module")
    for package in ("lit_trainer", "callbacks", "sim_core"):
        for folder in sorted({path.parent for _, path in python(root, package)}):
            init = folder / "__init__.py"
            if not init.is_file() or not ast.get_docstring(ast.parse(init.read_text())):
                faults.append(
                    f"{init.relative_to(root).as_posix()}: no docstring that says what belongs in the package"
                )
    for name, path in ((path.relative_to(root).as_posix(), path) for path in sorted((root / "sim_core").rglob("*.p*"))):
        source = path.with_suffix(".pyx")
        if path.suffix == ".pyx" and not path.with_suffix(".pyi").is_file():
            faults.append(f"{name}: no .pyi beside it")
        if path.suffix in (".pyi", ".pxd") and not source.is_file() and name not in WITHOUT_A_MODULE:
            faults.append(f"{name}: no .pyx beside it")
    return faults


def untested(root: Path) -> list[str]:
    """Returns the modules without a test of their name in the mirrored folder."""
    faults = []
    for name, path in python(root, "lit_trainer", "callbacks", "sim_core"):
        test = Path("tests", name).with_name(f"test_{path.stem.strip('_')}.py")
        if path.stem != "__init__" and not (root / test).is_file():
            faults.append(f"{name}: {test.as_posix()} is missing")
    return faults


CHECKS = (too_large, too_wide, misplaced, untested)


@pytest.mark.parametrize("check", CHECKS)
def test_the_project_keeps_it(check: Callable[[Path], list[str]]) -> None:
    assert not (faults := check(ROOT)), "\n".join(faults)


def test_exceptions_are_of_files_that_exist() -> None:
    assert [name for name in WITHOUT_A_MODULE if not (ROOT / name).is_file()] == []


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Returns a folder that keeps all rules, for one wrong file more."""
    packages = ["lit_trainer", "callbacks", "sim_core", *(f"lit_trainer/{room}" for room in ROOMS)]
    for package in packages:
        write(tmp_path, f"{package}/__init__.py", '"""Holds what belongs in it."""\n')
    for name in ("__main__", "more"):
        write(tmp_path, f"lit_trainer/{name}.py", "")
        write(tmp_path, f"tests/lit_trainer/test_{name.strip('_')}.py", "")
    assert [check(tmp_path) for check in CHECKS] == [[]] * len(CHECKS)
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def constructor(*given: str) -> str:
    return f"class A:\n    def __init__(self, {', '.join(given)}): ...\n"


TWELVE = [f"a{number}" for number in range(12)]
WRONG: list[tuple[Callable[[Path], list[str]], str, str, str]] = [
    (too_large, "lit_trainer/cli/long.py", "\n" * 301, "long.py: 301 lines, expected at most 300"),
    (too_large, "callbacks/long.py", "\nclass A:\n" + "    a = 1\n" * 250, "A: 251 lines, expected at most 250"),
    (too_large, "sim_core/long.pyx", "\n" * 501, "sim_core/long.pyx: 501 lines, expected at most 500"),
    (too_large, "tests/system/test_long.py", "\n" * 501, "test_long.py: 501 lines, expected at most 500"),
    (too_large, "callbacks/wide.py", constructor(*TWELVE, "a"), "wide.py: A: 13 arguments, expected at most 12"),
    (too_large, "callbacks/wide.py", constructor(*TWELVE, "*", "a"), "A: 13 arguments"),
    (too_large, "lit_trainer/wide.py", constructor(*TWELVE[:11], "*a", "**b"), "A: 13 arguments"),
    (too_wide, "sim_core/wide.pyx", f"\n{'ä' * 121}\n", "sim_core/wide.pyx:2: 121 characters, expected at most 120"),
    (too_wide, "sim_core/deep/wide.pxd", "a" * 121, "sim_core/deep/wide.pxd:1: 121 characters"),
    (too_wide, "sim_core/wide.pyi", "a" * 121, "sim_core/wide.pyi:1: 121 characters"),
    (misplaced, "lit_trainer/helpers/__init__.py", '"""Helps."""', "the sub-packages ['helpers'] are missing or not"),
    (misplaced, "lit_trainer/second.py", "", "['more', 'second'] beside the sub-packages, expected at most one module"),
    (misplaced, "callbacks/__init__.py", "A = 1\n", "callbacks/__init__.py: no docstring"),
    (misplaced, "sim_core/deep/module.py", "", "sim_core/deep/__init__.py: no docstring"),
    (misplaced, "sim_core/rules.pyx", "", "sim_core/rules.pyx: no .pyi beside it"),
    (misplaced, "sim_core/rules.pxd", "", "sim_core/rules.pxd: no .pyx beside it"),
    (misplaced, "sim_core/beasty_bar/rules.pyi", "", "sim_core/beasty_bar/rules.pyi: no .pyx beside it"),
    (untested, "lit_trainer/cli/new.py", "", "lit_trainer/cli/new.py: tests/lit_trainer/cli/test_new.py is missing"),
    (untested, "callbacks/_new.py", "", "callbacks/_new.py: tests/callbacks/test_new.py is missing"),
    (untested, "sim_core/new.pyx", "", "sim_core/new.pyx: tests/sim_core/test_new.py is missing"),
]


@pytest.mark.parametrize(("check", "name", "text", "said"), WRONG)
def test_a_wrong_file_is_named(
    check: Callable[[Path], list[str]], name: str, text: str, said: str, house: Path
) -> None:
    """A rule that finds nothing would pass whatever the project looks like."""
    write(house, name, text)
    (fault,) = check(house)
    assert said in fault


def test_what_is_at_its_limit_is_allowed(house: Path) -> None:
    write(house, "callbacks/full.py", "class A:\n" + "    a = 1\n" * 249 + "\n" * 50)
    write(house, "callbacks/wide.py", constructor(*TWELVE))
    fields = "".join(f"    a{k}: int\n" for k in range(40))
    write(house, "lit_trainer/cli/settings.py", f"@dataclass\nclass A:\n{fields}")
    write(house, "sim_core/long.pyx", "\n" * 499 + "a" * 120)
    write(house, "tests/system/test_long.py", "\n" * 500)
    assert too_large(house) == too_wide(house) == []
