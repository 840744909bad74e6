"""Searches that draw hidden cards from beliefs."""

from __future__ import annotations

import numpy as np
import pytest
from reference.search import Answer, scrambled

from sim_core import Belief, Beliefs, GameBatch, get_game, search

RULES = get_game("beasty_bar")


def told_games(seed: int, opponent: str, beliefs: Beliefs, plies: int = 7) -> tuple[GameBatch, list[Belief]]:
    """Returns games against an opponent at a turn of the other side, which has observed all turns so far."""
    batch = GameBatch(beliefs.slots, seed, first_player=0)
    held = [
        Belief("beasty_bar", batch.state(k).data, 1, opponent, beliefs=beliefs, slot=k) for k in range(beliefs.slots)
    ]
    for ply in range(plies):
        actions = batch.opponent_actions(opponent if ply % 2 == 0 else "random", 3)
        for k, belief in enumerate(held):
            belief.observe(batch.state(k).data, int(actions[k]))
        batch.step(actions)
    return batch, held


def test_hidden_cards_are_drawn_from_what_is_believed() -> None:
    """Fails if a slot's beliefs are another game's, or are not asked at all."""
    beliefs = Beliefs("beasty_bar", 40)
    batch, _ = told_games(5, "distilled_outcome", beliefs)
    plain = search(batch, scrambled, 60, seed=1, opponents="distilled_outcome")
    found = search(batch, scrambled, 60, seed=1, opponents="distilled_outcome", beliefs=beliefs)
    assert (found.visit_counts != plain.visit_counts).any(axis=1).mean() > 0.9
    alone = Beliefs("beasty_bar", 1)
    for k in (0, 17, 39):
        one = GameBatch(1, 5, first_player=0, streams=[k])
        belief = Belief("beasty_bar", one.state(0).data, 1, "distilled_outcome", beliefs=alone, slot=0)
        for ply in range(7):
            action = one.opponent_actions("distilled_outcome" if ply % 2 == 0 else "random", 3)
            belief.observe(one.state(0).data, int(action[0]))
            one.step(action)
        again = search(one, scrambled, 60, seed=1, opponents="distilled_outcome", beliefs=alone)
        assert (again.visit_counts[0] == found.visit_counts[k]).all()


def test_the_true_hand_changes_nothing() -> None:
    """Fails if a search that is told its opponent looks at a hidden card."""
    beliefs = Beliefs("beasty_bar", 30)
    batch, _ = told_games(6, "online", beliefs)
    states = [RULES.determinize(batch.state(k).data, 9) for k in range(30)]
    other = GameBatch.from_packed(np.stack([np.frombuffer(state, np.uint8) for state in states]), seed=6)
    assert (other.packed() != batch.packed()).any(axis=1).all()
    first, second = (
        search(games, scrambled, 60, seed=1, opponents="online", beliefs=beliefs) for games in (batch, other)
    )
    assert (first.visit_counts == second.visit_counts).all() and (first.actions == second.actions).all()


def test_beliefs_of_the_other_player_count_for_nothing() -> None:
    """Fails if a search takes what its opponent believes for what its own player believes."""
    beliefs = Beliefs("beasty_bar", 20)
    batch, _ = told_games(7, "skunk", beliefs, plies=8)
    plain = search(batch, scrambled, 30, seed=1, opponents="skunk")
    assert (search(batch, scrambled, 30, seed=1, opponents="skunk", beliefs=beliefs).policy == plain.policy).all()


def test_beliefs_can_be_read_but_not_changed_meanwhile() -> None:
    beliefs = Beliefs("beasty_bar", 4)
    batch, held = told_games(8, "skunk", beliefs)
    state, action = batch.state(0).data, int(batch.opponent_actions("random", 1)[0])

    def busy(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
        assert held[0].entropy() > 0
        with pytest.raises(RuntimeError, match=r"^beliefs: in use by another thread"):
            Belief("beasty_bar", state, 1, "skunk", beliefs=beliefs, slot=0)
        return scrambled(observations, legal_mask)

    search(batch, busy, 5, opponents="skunk", beliefs=beliefs)
    held[0].observe(state, action)


@pytest.mark.parametrize(
    ("beliefs", "message"),
    [
        (3, r"^beliefs: int given, expected Beliefs$"),
        (Beliefs("beasty_bar", 1), r"^beliefs: 1 slots of beasty_bar given, expected at least 2 of beasty_bar$"),
        (Beliefs("beasty_bar_animals", 2), r"^beliefs: 2 slots of beasty_bar_animals given, expected at least 2 of b"),
    ],
    ids=["number", "slots", "game"],
)
def test_wrong_beliefs_are_named(beliefs: Beliefs, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        search(GameBatch(2), scrambled, 2, beliefs=beliefs)
