"""What README and docs say is so: links lead somewhere, tables are what the code has (commands: test_doc_commands)."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
import yaml
from support.cli_tools import ROOT
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
    """A layout that changed: run `python docs/generate.py`."""
    generated = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    assert generated["PAGE"].read_text() == generated["observation_page"]()


def test_the_table_of_opponents_is_the_engines() -> None:
    """An opponent that changed or is new: run `python docs/generate.py`."""
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
