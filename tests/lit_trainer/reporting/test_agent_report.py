"""The parts of an agent's report, against thoughts and turns whose picture and table are known."""

from __future__ import annotations

import numpy as np
import pytest

from lit_trainer.measuring.agent_analysis import OWN_TURNS, STAGES, Thoughts, holding_worth, play_shares
from lit_trainer.reporting.agent_report import (
    ANIMALS,
    animals_picture,
    by_animal,
    calibration_picture,
    game_as_markdown,
)

POSITIONS = 6000


@pytest.fixture(scope="module")
def thoughts() -> Thoughts:
    """Returns random hands of four, whose strongest is played. The search is always right, the network never."""
    generator = np.random.default_rng(4)
    hands = np.zeros((POSITIONS, 12), dtype=bool)
    for row in hands:
        row[generator.choice(12, 4, replace=False)] = True
    plies = np.arange(POSITIONS) % 24
    outcomes = generator.choice(np.array([-1, 1], dtype=np.int8), POSITIONS)
    return Thoughts(
        plies, hands, hands.argmax(axis=1), -outcomes.astype(np.float32), outcomes.astype(np.float32), outcomes
    )


def test_the_maps_are_in_percent_and_points(thoughts: Thoughts) -> None:
    """Shares that are drawn as fractions, or a worth in values, of which 1 is half a point of win chance."""
    shares, worth = animals_picture(thoughts).axes[:2]
    assert [label.get_text() for label in shares.get_yticklabels()] == ANIMALS
    drawn = np.array(shares.images[0].get_array(), dtype=float)
    assert drawn.shape == (12, OWN_TURNS) and (drawn[0] == 100).all() and (drawn[-3:] == 0).all()
    np.testing.assert_allclose(drawn, 100 * play_shares(thoughts))
    np.testing.assert_allclose(np.array(worth.images[0].get_array(), dtype=float), 50 * holding_worth(thoughts))


def test_network_and_search_are_compared_by_stage(thoughts: Thoughts) -> None:
    """Values of one that are drawn under the name of the other."""
    network, search = calibration_picture(thoughts).axes
    for axes, name, came in ((network, "network", 1), (search, "search", -1)):
        assert axes.get_title() == f"Value of the {name}"
        assert [text.get_text() for text in axes.get_legend().get_texts()] == list(STAGES)
        for line in axes.lines[1:]:
            assert line.get_xydata().tolist() == [[-1, came], [1, -came]]


def test_a_table_is_named_by_animal() -> None:
    found = by_animal(np.arange(24).reshape(12, 2) / 7)
    assert list(found) == ANIMALS and found[ANIMALS[1]] == [0.286, 0.429]


TURN = {
    "ply": 4,
    "player": "agent",
    "position": "LM - K LMHC/KPSG 3 more",
    "action": "C1",
    "chance": 61.6,
    "believed": [],
    "best": [["C1", 80.0], ["H", 20.0]],
    "agrees": True,
}
LAST = {"ply": 24, "position": "- LK MZ -/- 0", "scores": [11, 7], "winner": 0}


def test_a_game_is_a_row_for_each_turn() -> None:
    """A turn that is counted from 0, or a doubtful action without its mark."""
    doubtful = TURN | {"ply": 5, "player": "random", "agrees": False}
    lines = game_as_markdown([TURN, doubtful, LAST]).splitlines()
    assert lines[2] == "| 5 | agent | `LM` `-` `K` | `LMHC/KPSG` | **C1** | 62 % | C1 80 %, H 20 % |"
    assert lines[3] == lines[2].replace("| 5 | agent", "| 6 | random").replace("**C1**", "**C1** ?")
    assert lines[-1] == "The bar at the end: `LK`, 11 to 7 points, player 0 wins."
    assert game_as_markdown([TURN, LAST | {"winner": None}]).endswith("11 to 7 points, a draw.\n")


def test_what_is_believed_is_a_column_where_anybody_believes_anything() -> None:
    believing = TURN | {"believed": [["s", 93], ["g", 40]]}
    head, _, first, second, *_ = game_as_markdown([TURN, believing, LAST]).splitlines()
    assert head.endswith("| believes in the other hand |")
    assert first.endswith("|  |") and second.endswith("| s 93 %, g 40 % |")
