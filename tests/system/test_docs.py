"""What README and docs say is so: links lead somewhere, tables are what the code has (commands: test_doc_commands)."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.cli_tools import ROOT, config, run
from support.doc_commands import PAGES

from sim_core import OPPONENTS


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target
    for name in re.findall(r"configs/[\w/]+\.yaml", page.read_text()):
        assert (ROOT / name).is_file(), name


TEXTS = [
    *PAGES,
    ROOT / "CHANGELOG.md",
    ROOT / "mkdocs.yml",
    *sorted(path for path in (ROOT / "docs").rglob("*") if path.suffix in (".py", ".yaml")),
]
GONE = ("data.worker_threads",)
"""Keys that the changelog says are gone."""
FOLDERS = ("lit_trainer", "sim_core", "callbacks", "configs", "tests", "docs", "benchmarks")


def resolves(name: str) -> bool:
    """Returns whether a dotted name is a module, or something in one; an alias for old files is neither."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        if getattr(found, "__file__", None) is None or (
            length > 1 and not set(parts[length : length + 1]) <= vars(found).keys()
        ):
            return False
        for part in parts[length:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def current(text: Path) -> str:
    """Returns a text without the changelog's table of old keys and without what it says of earlier versions."""
    content = text.read_text()
    if text.name != "CHANGELOG.md":
        return content
    unreleased = re.split(r"^## ", content, flags=re.MULTILINE)[1]
    return "\n".join(line for line in unreleased.splitlines() if not line.startswith("|"))


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.relative_to(ROOT).as_posix())
def test_every_name_of_the_code_is_one(text: Path) -> None:
    """A module that has moved, or a class that has another name."""
    dotted = r"(?<![\w./-])(?:lit_trainer|sim_core|callbacks)(?:\.\w+)+(?![\w/]|\.\w)"
    names = {name for name in re.findall(dotted, current(text)) if not name.endswith((".py", ".md", ".yaml", ".help"))}
    assert not sorted(name for name in names if not resolves(name))


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.relative_to(ROOT).as_posix())
def test_every_file_that_is_named_exists(text: Path) -> None:
    """A file that has moved. NAME and * stand for any name."""
    named = rf"(?<![\w./-])(?:{'|'.join(FOLDERS)})/[\w./*-]*[\w*]|(?<![\w/])test_\w+\.py"
    for name in set(re.findall(named, current(text))):
        pattern = re.sub(r"\b[A-Z]+\b", "*", name)
        pattern = pattern if "/" in pattern else f"tests/**/{pattern}"
        assert any(True for _ in ROOT.glob(pattern)), f"{text.name}: {name}"


def test_dead_names_and_files_would_be_found(tmp_path: Path) -> None:
    assert resolves("lit_trainer.players.specs") and resolves("sim_core.State.parse") and resolves("callbacks")
    assert not resolves("lit_trainer.figures") and not resolves("lit_trainer.networks.ResidualMLP")
    assert not resolves("lit_trainer.Figures") and not resolves("sim_core.State.parsed")
    page = tmp_path / "page.md"
    page.write_text("See `lit_trainer.figures.EvaluationFigures`.")
    with pytest.raises(AssertionError, match=r"lit_trainer\.figures\.EvaluationFigures"):
        test_every_name_of_the_code_is_one(page)
    for name in ("tests/test_gone.py", "`test_gone.py`", "lit_trainer/figures.py"):
        page.write_text(f"See {name}.")
        with pytest.raises(AssertionError, match=r"gone|figures"):
            test_every_file_that_is_named_exists(page)


@pytest.fixture(scope="module")
def configuration() -> dict[str, Any]:
    """Returns what `--print_config` shows of the quickstart."""
    printed = io.StringIO()
    with pytest.raises(SystemExit), contextlib.redirect_stdout(printed):
        run("fit", *config("quickstart.yaml"), "--data.workers.count=1", "--print_config")
    found: dict[str, Any] = yaml.safe_load(printed.getvalue())
    return found


@pytest.mark.parametrize("text", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda text: text.relative_to(ROOT).as_posix())
def test_every_key_of_the_data_module_is_one(text: Path, configuration: dict[str, Any]) -> None:
    """A key that has another name, or is in another group."""
    for key in set(re.findall(r"(?<![\w.])data\.[a-z_.]*[a-z_]", current(text))):
        if key not in GONE:
            found: Any = configuration
            for part in key.split("."):
                if not isinstance(found, dict):  # the arguments of a class that the quickstart does not choose
                    break
                assert part in found or "class_path" in found, key
                found = found.get(part)


def test_design_shows_every_package() -> None:
    """A folder that is new, or gone."""
    text = (ROOT / "docs" / "design.md").read_text()
    tree = re.search(r"^    lit_trainer/\n(?:    .*\n)+", text, re.MULTILINE)
    assert tree is not None
    shown: set[str] = set()
    path: list[str] = []
    for indent, name in re.findall(r"^    ( *)([\w/]+)/(?= |$)", tree[0], re.MULTILINE):
        path = [*path[: len(indent) // 2], name]
        shown.add("/".join(path))
    packages = {
        init.parent.relative_to(ROOT).as_posix()
        for package in ("lit_trainer", "sim_core", "callbacks")
        for init in (ROOT / package).rglob("__init__.py")
    }
    assert packages <= shown, packages - shown
    assert not {folder for folder in shown if not (ROOT / folder).is_dir()}


def test_design_names_modules_that_exist() -> None:
    """Fails if the way of a game names a module that is gone. They stand there without their package."""
    text = (ROOT / "docs" / "design.md").read_text()
    way = text[text.index("## From the deal to the loss") : text.index("## Where to add what")]
    names = re.findall(r"`((?:\w+\.)+\w+)`", way)
    assert len(names) > 12
    for name in names:
        if not name.startswith("data."):
            assert resolves(name if name.startswith("sim_core") else f"lit_trainer.{name}"), name


def test_make_targets_that_are_named_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"make (\w+)", (ROOT / "README.md").read_text()):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_readme_s_table_names_every_configuration() -> None:
    text = (ROOT / "README.md").read_text()
    for path in (ROOT / "configs").rglob("*.yaml"):
        assert f"`{path.relative_to(ROOT)}`" in text, path
        assert isinstance(yaml.safe_load(path.read_text()), dict)


def test_the_observation_page_is_what_the_layout_tables_say() -> None:
    """Fails if a layout changed and the page did not: run `python docs/generate.py`."""
    generated = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    assert generated["PAGE"].read_text() == generated["observation_page"]()


def test_the_table_of_opponents_is_the_engines() -> None:
    """Fails if an opponent changed or is new, and the table is old: run `python docs/generate.py`."""
    generated = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    page = generated["OPPONENTS_PAGE"].read_text()
    assert page == generated["opponents_page"]()
    assert all(f"\n| `{name}` | " in page for name in OPPONENTS)


def test_adding_a_game_shows_connect_four_as_it_is() -> None:
    """A quoted line, or a function of `Game`, that is no longer there."""
    page = ROOT / "docs" / "adding_a_game.md"
    source = (ROOT / "sim_core" / "connect_four.pyx").read_text().splitlines()
    quoted = [line for block in blocks(page, "cython") for line in block.splitlines() if line != "..."]
    assert len(quoted) > 20
    for line in quoted:
        assert line in source, line
    functions = re.findall(r"\(\*(\w+)\)", (ROOT / "sim_core" / "game.pxd").read_text())
    assert re.findall(r"^\| `(\w+)` \|", page.read_text(), re.MULTILINE) == functions
