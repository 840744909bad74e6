"""Matches of validation and test, played without a trainer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from support.pool_tools import First

from lit_trainer import OpponentPool, ResidualMLP
from lit_trainer.learning.evaluation import Conditions, EvaluationMatches, shared_games
from lit_trainer.measuring.matches import Match
from lit_trainer.measuring.move_times import MoveTimes
from lit_trainer.players.roster import Roster
from sim_core import OPPONENTS, SearchSettings

Make = Callable[..., ResidualMLP]
ALONE = Conditions()
ROSTER = Roster()
ROSTER.enlist(["random", "online", "ismcts:3"], "opponents")


def matches(seed: int = 42) -> EvaluationMatches:
    return EvaluationMatches("beasty_bar", ROSTER.copy(), seed)


@pytest.mark.parametrize("games", [2, 26])
def test_processes_share_a_match_between_them(games: int, make_network: Make) -> None:
    """Deals left out, played twice or otherwise where the number of processes does not divide them."""
    network, match = make_network(), Match(2, "online")
    alone = matches().play(network, match, games, ALONE)
    assert len(alone[0]) == games
    for world in range(1, 6):
        parts = [matches().play(network, match, games, replace(ALONE, rank=rank, world=world)) for rank in range(world)]
        assert all(len(part.outcomes) % 2 == 0 for part in parts), "both seats of a deal"
        for k in range(3):
            np.testing.assert_array_equal(np.concatenate([part[k] for part in parts]), alone[k])


@pytest.mark.parametrize("games", [2, 10, 400])
@pytest.mark.parametrize("world", [1, 3, 7])
def test_shares_are_whole_deals_and_even(games: int, world: int) -> None:
    bounds = [shared_games(games, rank, world) for rank in range(world)]
    assert bounds[0][0] == 0 and bounds[-1][1] == games
    assert all(before[1] == after[0] for before, after in pairwise(bounds))
    sizes = [end - first for first, end in bounds]
    assert all(size % 2 == 0 for size in sizes) and max(sizes) - min(sizes) <= 2


def test_processes_share_a_test_and_the_first_one_times_it(make_network: Make) -> None:
    network, match = make_network(), Match(2, "ismcts:3")
    alone = matches().play(network, match, 10, ALONE, purpose="test")
    parts = []
    for rank in range(3):
        own = matches()
        parts.append(own.play(network, match, 10, replace(ALONE, rank=rank, world=3), purpose="test"))
        assert set(own.move_times) == ({"sims:2", "ismcts:3"} if rank == 0 else set())
    for k in (0, 1):
        np.testing.assert_array_equal(np.concatenate([part[k] for part in parts]), alone[k])


def test_a_player_that_is_told_is_timed_as_one_that_expects_its_opponent(
    make_network: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time of a search that knows nothing, shown beside the scores of one that is told."""
    timed: list[tuple[str, str]] = []

    def measure(self: MoveTimes, name: str, player: Any, game: str, seed: int) -> None:
        timed.append((name, getattr(player, "opponent_model", "")))

    monkeypatch.setattr(MoveTimes, "measure", measure)
    told = Match(2, "online", "told")
    for match in (Match(2, "online"), told, Match(0, "online", "queue"), told._replace(opponent="ismcts:3")):
        matches().play(make_network(), match, 2, ALONE, purpose="test")
    assert timed == [("sims:2", "none"), ("sims:2+told", "online"), ("sims:0+queue", "queue"), ("ismcts:3", "")]


def test_a_test_plays_other_deals_than_validation(make_network: Make) -> None:
    """Fails if a test plays the deals of validation, by which the checkpoint may have been chosen."""
    network, match = make_network(), Match(0, "online")
    validation = matches().play(network, match, 40, ALONE)
    assert (validation[1] != matches().play(network, match, 40, ALONE, purpose="test")[1]).any()


class AlsoFirst(First):
    """Plays as `First` does, under another name."""


def test_each_opponent_meets_deals_of_its_own(make_network: Make) -> None:
    """The same luck with the cards against everybody, which no mean over opponents would even out."""
    roster = OpponentPool(["one", "two"], agents={"one": First(), "two": AlsoFirst()}).roster
    found = [
        EvaluationMatches("beasty_bar", roster, 42).play(make_network(), Match(0, name), 40, ALONE)
        for name in ("one", "two", "one")
    ]
    assert (found[0].keys == found[2].keys).all() and not (found[0].keys == found[1].keys).any()


def test_the_seed_deals(make_network: Make) -> None:
    network, match = make_network(), Match(0, "online")
    first, again, other = (matches(seed).play(network, match, 40, ALONE)[1] for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()


def test_conditions_reach_the_search_and_threads_change_nothing(make_network: Make) -> None:
    network, match = make_network(), Match(8, "online")
    plain = matches().play(network, match, 40, ALONE)
    narrow = matches().play(network, match, 40, replace(ALONE, threads=2, parallel_games=3))
    np.testing.assert_array_equal(plain[1], narrow[1])
    greedy = matches().play(network, match, 40, replace(ALONE, search=SearchSettings(c_puct=50.0)))
    assert (greedy[1] != plain[1]).any()


def test_who_infers_tells_the_known_opponents_apart(make_network: Make) -> None:
    """Fails if the network that is measured tells others apart than the run's games do."""
    network, match = make_network(), Match(8, "online", "infer")
    keys = [
        matches().play(network, match, 20, replace(ALONE, known_opponents=known)).keys.tolist()
        for known in (None, OPPONENTS, ("random", "online"), ())
    ]
    assert keys[0] == keys[1] != keys[2] != keys[3]
    assert keys[3] == matches().play(network, Match(8, "online"), 20, ALONE).keys.tolist()


def test_progress_is_told_and_may_end_a_match(make_network: Make) -> None:
    told: list[float] = []
    matches().play(make_network(), Match(0, "online"), 40, ALONE, on_progress=told.append)
    assert told and told == sorted(told) and told[-1] == 40

    def stop(games: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        matches().play(make_network(), Match(16, "online"), 40, ALONE, on_progress=stop)


def test_memory_that_runs_out_is_told_with_advice(make_network: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    network = make_network()

    def forward(observations: torch.Tensor) -> torch.Tensor:
        raise MemoryError

    monkeypatch.setattr(network, "forward", forward)
    monkeypatch.setattr(type(network), "affine_weights", None, raising=False)
    conditions = replace(ALONE, parallel_games=77)
    with pytest.raises(MemoryError) as caught:
        matches().play(network, Match(0, "random"), 4, conditions)
    assert "lower data.generation.parallel_games (now 77)" in caught.value.__notes__[0]


@pytest.mark.parametrize("condition", ["none", "belief"])
def test_a_player_that_is_told_plays_otherwise_against_built_in_opponents_alone(condition: Any) -> None:
    """Fails if the model does not reach the search, or if one is invented for a player outside the engine."""
    torch.manual_seed(1)
    network = ResidualMLP(width=16, blocks=1, condition=condition)
    if network.condition_layer is not None:
        torch.nn.init.normal_(network.condition_layer.weight)
    for opponent in ("online", "ismcts:3"):
        played = [
            matches().play(network, Match(8, opponent, model), 40, ALONE).keys for model in ("none", "told", "online")
        ]
        assert (played[0] != played[2]).any()
        assert (played[0] == played[1]).all() if opponent == "ismcts:3" else (played[1] == played[2]).all()
