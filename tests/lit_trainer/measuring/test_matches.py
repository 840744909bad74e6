"""Matches: each deal from both seats, so that equal players come out exactly equal; and shares of a match."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.pool_tools import First, Last

from lit_trainer.measuring.matches import PlayedMatch, checked_opening_plies, play_match
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


def match(player: Any, opponent: Any, games: int, **options: Any) -> PlayedMatch:
    return play_match(player, opponent, games, **({"game": "beasty_bar", "seed": 6} | options))


@pytest.mark.parametrize("name", OPPONENTS)
def test_an_opponent_against_itself_comes_out_exactly_even(name: str) -> None:
    """Both games of a deal go the same way, seen from the two sides: seats that are not mirrored show at once."""
    outcomes, margins, _ = match(BuiltinPlayer(name, 4), BuiltinPlayer(name, 4), 100)
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
    outcomes, margins, _ = match(strong, weak, 200)
    assert outcomes.mean() > 0.6
    assert margins.mean() > 5
    for seat in (0, 1):
        assert outcomes[seat::2].mean() > 0.5
    exchanged, their_margins, _ = match(weak, strong, 200)
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
    for k in range(3):
        assert (np.concatenate([share[k] for share in shares]) == whole[k]).all()
        assert (single[k] == whole[k]).all()
    other = match(player, opponent, 50, seed=7)
    assert (other[1] != whole[1]).any()


def test_no_games() -> None:
    outcomes, margins, _ = match(BuiltinPlayer("random", 1), BuiltinPlayer("random", 2), 0)
    assert outcomes.shape == margins.shape == (0,)


def test_the_animals_variant_is_scored_by_animals() -> None:
    outcomes, margins, _ = match(
        BuiltinPlayer("heuristic", 1), BuiltinPlayer("random", 2), 100, game="beasty_bar_animals"
    )
    assert np.abs(margins).max() <= 12
    decided = margins != 0
    assert (np.sign(margins[decided]) == outcomes[decided]).all()
    assert (outcomes[~decided] != 0).any(), "equal numbers are decided by strength"


def four(games: int, player: Any = None, **options: Any) -> PlayedMatch:
    """A match of connect four, whose games all begin alike, between players that never vary."""
    player = player or PythonPlayer("first", First())
    return match(player, PythonPlayer("last", Last()), games, game="connect_four", **options)


def test_players_that_never_vary_play_other_games_where_the_deal_draws_nothing() -> None:
    """The same two games again and again, from which no interval can be told."""
    assert len(np.unique(four(200, opening_plies=0).keys)) == 2
    assert len(np.unique(four(200, opening_plies=1).keys)) == 14
    found = four(200)
    assert len(np.unique(found.keys)) > 80
    for one, other in zip(found, four(200, opening_plies=2), strict=True):
        assert (one == other).all()


def test_a_game_that_deals_begins_as_it_was_dealt() -> None:
    """Openings would change every figure of a game that has no need of them."""
    players = BuiltinPlayer("noisy", 1), BuiltinPlayer("online", 2)
    found, none = match(*players, 40), match(*players, 40, opening_plies=0)
    assert all((one == other).all() for one, other in zip(found, none, strict=True))
    assert len(np.unique(found.keys)) == 40
    assert (match(*players, 40, opening_plies=2).margins != found.margins).any()


def test_both_seats_of_a_pair_have_the_same_opening() -> None:
    """An opening that favours one side must favour the other in the next game."""
    sides = Recorder(), Recorder()
    players = [PythonPlayer(name, side) for name, side in zip("ab", sides, strict=True)]
    match(players[0], players[1], 40, game="connect_four", opening_plies=3)
    # the side that is to move takes over where the opening ends: each side in one game of each pair
    begun = [sorted(str(state) for state in side.seen if state.ply == 3) for side in sides]
    assert begun[0] == begun[1] and len(begun[0]) == 20 and len(set(begun[0])) > 10
    same = four(60, PythonPlayer("last", Last()), opening_plies=3)
    assert (same.outcomes[::2] == -same.outcomes[1::2]).all()
    assert len(np.unique(same.keys)) > 40


def test_openings_depend_on_seed_and_pair_alone() -> None:
    """Processes that share a match would play other games than one, or each the same."""
    whole = four(60)
    shares = [four(26), four(34, first=26)]
    narrow = four(60, parallel_games=3)
    for k in range(3):
        assert (np.concatenate([share[k] for share in shares]) == whole[k]).all()
        assert (narrow[k] == whole[k]).all()
    assert (four(60, seed=7).keys != whole.keys).any()


def test_opening_plies_are_checked_against_the_game() -> None:
    assert checked_opening_plies(None, "connect_four") == 2 and checked_opening_plies(None, "beasty_bar") == 0
    assert checked_opening_plies(41, "connect_four") == 41
    for wrong in (-1, 42, 1.5, True):
        with pytest.raises(ValueError, match=rf"^opening_plies: {wrong} given, expected a whole number from 0 to 41"):
            four(2, opening_plies=wrong)
