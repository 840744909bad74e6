"""A runner whose learner knows its opponent: nothing hidden and none of the opponent's draws may reach its choices."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.hidden_deals import compare, played
from support.runner_tools import GUMBEL, NOISY, PLAIN

from sim_core import SearchSettings

ROOT = Path(__file__).resolve().parents[2]
KINDS = {"PLAIN": PLAIN, "NOISY": NOISY, "GUMBEL": GUMBEL}


@pytest.mark.parametrize("seat", [0, 1])
def test_what_the_learner_cannot_see_changes_no_choice_of_a_game(seat: int) -> None:
    """Fails if a search or a belief reads the opponent's true hand or deck, before they show."""
    code = (
        "from support.hidden_deals import *\nfrom support.runner_tools import *\n"
        f"register_other_deals('other_deals', {1 - seat})\n"
        "kinds = ((PLAIN, 'distilled_outcome'), (NOISY, 'noisy'), (GUMBEL, 'random'), (GUMBEL, 'online'))\n"
        "kinds = [(*kind, model) for kind in kinds for model in (kind[1], 'infer')] + [(PLAIN, 'online', 'agent')]\n"
        "for number, (kind, name, model) in enumerate(kinds):\n"
        f"    arguments = ({seat}, model, (name, 3), kind, min(number // 2, 1))\n"
        "    print(*compare(played('beasty_bar', *arguments)[0], played('other_deals', *arguments)[0]))\n"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env=os.environ | {"PYTHONPATH": path}
    )
    assert found.returncode == 0, found.stderr
    for line in found.stdout.splitlines():
        choices, parted = map(int, line.split())
        assert choices > 24 and parted > 12
    assert found.stdout.count("\n") == 9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["heuristic", "noisy", "distilled_outcome"])
@pytest.mark.parametrize("infers", [False, True])
def test_the_opponents_draws_change_no_choice(name: str, kind: str, infers: bool) -> None:
    """Fails if the tree's model draws from the opponent's own stream, so that the search knows its ties."""
    arguments: tuple[str, int, str] = ("beasty_bar", 0, "infer" if infers else name)
    settings: SearchSettings = KINDS[kind]
    first = played(*arguments, (name, 3), settings, 0.0)[0]
    second = played(*arguments, (name, 4), settings, 0.0)[0]
    choices, parted = compare(first, second)
    assert choices > 100 and parted > 2


@pytest.mark.parametrize("name", ["heuristic", "noisy", "random"])
def test_a_built_in_opponent_is_known_as_one_outside_is(name: str) -> None:
    """Fails if what the learner concludes depends on where the opponent's moves come from."""
    _, outside = played("beasty_bar", 1, name, (name, 3), GUMBEL, 0.0)
    _, told = played("beasty_bar", 1, "told", (name, 3), GUMBEL, 0.0)
    for part in ("outcomes", "scores", "states", "policies", "movers", "position_outcomes", "position_values"):
        assert np.array_equal(getattr(outside, part), getattr(told, part), equal_nan=True), part
