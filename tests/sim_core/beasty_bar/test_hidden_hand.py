"""Beasty Bar's hidden hand as a target: read off the position's text."""

from __future__ import annotations

import numpy as np
import pytest

from sim_core import GameBatch
from sim_core.beasty_bar.game import unpack
from sim_core.beasty_bar.rules import LETTERS


@pytest.mark.parametrize("game", ["beasty_bar", "beasty_bar_animals"])
def test_the_hand_is_the_others_and_what_was_played_is_not_asked(game: str) -> None:
    """The own hand, the deck, or animals that lie open."""
    batch = GameBatch(40, 3, game=game, first_player=np.arange(40) % 2)
    asked = set()
    for _ in range(24):
        for i, answers in enumerate(batch.hidden_targets().tolist()):
            fields = unpack(batch.state(i).data)
            hand, deck = (set(cards[1 - fields.to_move].upper()) for cards in (fields.hands, fields.decks))
            expected = [1 if k in hand else 0 if k in deck else -1 for k in LETTERS] if deck else [-1] * 12
            assert answers == expected
            asked.add(sum(answer >= 0 for answer in answers))
        batch.step(batch.opponent_actions("random", seed=1))
    assert asked == {0, *range(5, 13)}
