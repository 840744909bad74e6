"""Registration refuses a wrong game, before anything can index by its wrong numbers."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import python_game
from support.python_game import FUNCTIONS, HANDS, NUMBERS, refused

ROOT = Path(__file__).resolve().parents[2]


def run(code: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, because a game that is registered stays registered."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=os.environ | {"PYTHONPATH": path}
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_missing_function_is_named(name: str) -> None:
    refused(rf"^{name}: missing for nim$", **{name: None})


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [0, -1, 2**31 - 1])
def test_a_number_out_of_range_is_named(name: str, value: int) -> None:
    if value > 0 and name in ("version", "observation_version"):
        value = -(2**31)
    refused(rf"^{name}: {value} given for nim, expected 1 to ", **{name: value})


@pytest.mark.parametrize(
    ("says", "changes"),
    [
        (r"^actions: 2 texts for 3 actions of nim", {"actions": ("one", "two")}),
        (
            r"^actions: 'one' given for nim, expected texts without spaces, each for one",
            {"actions": ("one", "two", "one")},
        ),
        (r"^actions: 'take two' given for nim", {"actions": ("one", "take two", "three")}),
        (r"^actions: '' given for nim", {"actions": ("one", "", "three")}),
        (r"^actions: 3 given for nim", {"actions": ("one", "two", 3)}),
        (r"^opponents: \('best',\) given for nim, expected names with 'random' among them", {"opponents": ("best",)}),
        (r"^opponents: .* none twice", {"opponents": ("random", "random")}),
        (r"^observation_layout: sizes do not sum to 2 for nim", {"observation_layout": (("stones", 1),)}),
        (r"^hidden_size: 4 given for nim", {"hidden_size": 4}),
        (r"^max_hands: given for nim without all the others that beliefs about hands need", {"max_hands": 3}),
        (r"^next_hands: given for nim without all the others", {"next_hands": lambda *_: 0}),
        (
            r"^max_hands: 1025 given for nim with a hidden_size of 2, expected 1 to 1024 and 1 to 64$",
            HANDS | {"max_hands": 1025},
        ),
        (r"^max_hands: 2 given for nim with a hidden_size of 65, expected", HANDS | {"hidden_size": 65}),
        (
            r"^response_plies: given for nim, expected NULL where .*_policy`$",
            {"response_plies": lambda _: 4},
        ),
        (r"^parse: None given for nim, expected a function", {"parse": None}),
        (r"^format: 'text' given for nim, expected a function", {"format": "text"}),
        (r"^name: a game connect_four is registered already", {"name": "connect_four"}),
    ],
)
def test_a_wrong_table_is_named(says: str, changes: dict[str, Any]) -> None:
    refused(says, **changes)


@pytest.mark.parametrize("size", [ctypes.sizeof(python_game.Game) - 8, ctypes.sizeof(python_game.Game) + 8])
def test_another_layout_of_the_struct_is_refused_before_it_is_read(size: int) -> None:
    refused(rf"^game: compiled for interface 1 with a struct of {size} bytes, expected 2 with ", size=size, interface=1)
    refused(r"^game: compiled for interface 7 with .*; compile it again with this version's", interface=7)


def test_the_interface_has_a_number_for_its_fields() -> None:
    """A field that is added, moved or changed needs another `GAME_INTERFACE`, and then its line here."""
    text = (ROOT / "sim_core" / "game.pxd").read_text()
    number = int(re.findall(r"GAME_INTERFACE = (\d+)", text)[0])
    struct = text.split("cdef struct Game:\n")[1].split("\n\n\n")[0]
    struct = re.sub(r"\(\n +(.*)\n +\)", r"(\1)", struct)  # arguments in a line of their own
    lines = [line.partition("#")[0].strip() for line in struct.splitlines()]
    fields = [re.findall(r"\(?\*?(\w+)\)?(?:\(.*\) noexcept nogil)?$", line)[0] for line in lines if line]
    assert (number, fields) == (python_game.INTERFACE, [name for name, *_ in python_game.Game._fields_])


def test_a_game_that_is_as_it_should_be_is_played() -> None:
    found = run(
        "from support.python_game import register\nfrom sim_core import *\n"
        "register()\nbatch = GameBatch(50, 3, game='nim')\nbatch.play_random()\n"
        "print(games(), sorted(set(batch.outcomes().tolist())), State.initial(1, game='nim'))"
    )
    assert found.stdout == "('beasty_bar', 'beasty_bar_animals', 'connect_four', 'nim') [-1, 1] 7 0 0\n", found.stderr


def test_a_game_that_has_no_policy_says_so() -> None:
    found = run(
        "from support.python_game import register\nfrom sim_core import get_game\nregister()\n"
        "get_game('nim').opponent_policy('random', get_game('nim').initial(1))"
    )
    assert "ValueError: name: nim does not say how likely the actions of its opponents are" in found.stderr


def test_a_game_with_hidden_hands_can_be_believed_in() -> None:
    found = run(
        "from support.python_game import HANDS, register\nfrom sim_core import Belief, get_game\n"
        "register(**HANDS)\ndeal = get_game('nim').initial(1, 1)\nbelief = Belief('nim', deal, 0, 'random')\n"
        "belief.observe(deal, 0)\nprint(belief.card_probabilities(), belief.entropy(), belief.is_lost)"
    )
    assert found.stdout == "[0.5 0.5] 1.0 False\n", found.stderr


def test_a_game_that_is_never_solved_keeps_the_contract(tmp_path: Path) -> None:
    """The page on games calls `return False` of `is_solvable` fine, and this game's does so."""
    (tmp_path / "with_nim.py").write_text("from support.python_game import register\nregister()\n")
    path = os.pathsep.join([str(tmp_path), str(ROOT), str(ROOT / "tests")])
    options = ["-q", "-p", "with_nim", "-p", "no:cacheprovider", "-p", "no:randomly", "-k", "nim"]
    found = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(ROOT / "tests" / "sim_core" / "test_game.py")],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert found.returncode == 0 and " passed" in found.stdout, found.stdout
