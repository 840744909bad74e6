"""Matches: each deal from both seats, so that equal players come out exactly equal; and shares of a match."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lit_trainer.measuring.matches import play_match
from lit_trainer.players.engine_players import BuiltinPlayer
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.python_player import PythonPlayer
from sim_core import OPPONENTS, Action, State


class Recorder:
    """An agent in Python that plays the first legal action and notes where it was asked."""

    def __init__(self) -> None:
        self.seen: list[State] = []

    def select_action(self, state: State, legal_actions: Any) -> Action:
        self.seen.append(state)
        action: Action = legal_actions[0]
        return action


def match(player: Any, opponent: Any, games: int, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    return play_match(player, opponent, games, **({"game": "beasty_bar", "seed": 6} | options))


@pytest.mark.parametrize("name", OPPONENTS)
def test_an_opponent_against_itself_comes_out_exactly_even(name: str) -> None:
    """Both games of a deal go the same way, seen from the two sides: seats that are not mirrored show at once."""
    outcomes, margins = match(BuiltinPlayer(name, 4), BuiltinPlayer(name, 4), 100)
    assert (outcomes[::2] == -outcomes[1::2]).all()
    assert (margins[::2] == -margins[1::2]).all()
    assert margins.any()
    assert (np.sign(margins) == outcomes).all()
    assert (outcomes.dtype, margins.dtype) == (np.int8, np.int32)


def test_each_deal_is_opened_by_either_side() -> None:
    player, opponent = Recorder(), Recorder()
    match(PythonPlayer("player", player), PythonPlayer("opponent", opponent), 40)

    def openings(recorder: Recorder) -> list[State]:
        return sorted((state for state in recorder.seen if state.ply == 0), key=str)

    assert openings(player) == openings(opponent)
    assert len(set(openings(player))) == 20
    assert sorted(state.to_move for state in openings(player)) == [0] * 10 + [1] * 10


def test_the_better_side_wins() -> None:
    """Outcomes are the first player's: exchanged sides give exactly the negation."""
    strong, weak = BuiltinPlayer("outcome_heuristic", 1), BuiltinPlayer("random", 2)
    outcomes, margins = match(strong, weak, 200)
    assert outcomes.mean() > 0.6
    assert margins.mean() > 5
    for seat in (0, 1):
        assert outcomes[seat::2].mean() > 0.5
    exchanged, their_margins = match(weak, strong, 200)
    # game 2k with the sides exchanged is game 2k + 1 seen from the other side
    assert (exchanged.reshape(-1, 2)[:, ::-1].ravel() == -outcomes).all()
    assert (their_margins.reshape(-1, 2)[:, ::-1].ravel() == -margins).all()


@pytest.mark.parametrize("simulations", [0, 4])
def test_shares_of_a_match_add_up_to_the_whole(scrambled: Any, simulations: int) -> None:
    """Two processes play what one would: their counts can be summed."""
    player = NetworkPlayer(scrambled, simulations=simulations, temperature=0.0, seed=2)
    opponent = BuiltinPlayer("noisy", 3)
    whole = match(player, opponent, 50)
    shares = [match(player, opponent, 24), match(player, opponent, 26, first=24)]
    single = match(player, opponent, 50, parallel_games=7)
    for k in (0, 1):
        assert (np.concatenate([share[k] for share in shares]) == whole[k]).all()
        assert (single[k] == whole[k]).all()
    other = match(player, opponent, 50, seed=7)
    assert (other[1] != whole[1]).any()


def test_no_games() -> None:
    outcomes, margins = match(BuiltinPlayer("random", 1), BuiltinPlayer("random", 2), 0)
    assert outcomes.shape == margins.shape == (0,)


def test_the_animals_variant_is_scored_by_animals() -> None:
    outcomes, margins = match(BuiltinPlayer("heuristic", 1), BuiltinPlayer("random", 2), 100, game="beasty_bar_animals")
    assert np.abs(margins).max() <= 12
    decided = margins != 0
    assert (np.sign(margins[decided]) == outcomes[decided]).all()
    assert (outcomes[~decided] != 0).any(), "equal numbers are decided by strength"
