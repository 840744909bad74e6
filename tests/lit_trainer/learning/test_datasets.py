"""Data sets of Lightning's loaders: a match is one batch, and a pass of learning begins with its iteration's games."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from lit_trainer.learning.datasets import EvaluationDataset, SelfPlayDataset, match_loaders
from lit_trainer.learning.replay import ReplayWindow
from lit_trainer.measuring.matches import Match, PlayedMatch, play_match
from lit_trainer.players.engine_players import BuiltinPlayer
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.self_play.games import OpponentGames, generate_games_batched_by_opponent
from sim_core import get_game


def test_a_match_is_played_when_its_batch_is_asked_for() -> None:
    played: list[int] = []

    def match() -> PlayedMatch:
        sides = BuiltinPlayer("queue", 1), BuiltinPlayer("random", 2)
        return play_match(*sides, 10, game="beasty_bar", seed=6)

    def play() -> PlayedMatch:
        played.append(1)
        return match()

    loader = DataLoader(EvaluationDataset(Match(0, "random"), play), batch_size=None)
    assert not played
    assert len(loader) == 1
    batches = list(loader)
    assert len(batches) == len(played) == 1
    for name, expected in zip(("outcome", "margin", "key"), match(), strict=True):
        assert torch.equal(batches[0][name], torch.from_numpy(expected))
    assert (batches[0]["opponent"], batches[0]["simulations"]) == ("random", 0)
    list(loader)
    assert len(played) == 2


def test_games_that_a_model_cannot_change_are_played_once() -> None:
    """Fails if a player that is told shows another's games, those of other weights, or none where it is alone."""
    asked: list[Match] = []

    def play(match: Match) -> PlayedMatch:
        asked.append(match)
        return PlayedMatch(*(np.array([len(asked)], dtype=kind) for kind in (np.int8, np.int32, np.int64)))

    for models in (["none", "told", "skunk"], ["told", "skunk", "none"], ["told"]):
        matches = [Match(k, name, model) for k in (0, 2) for model in models for name in ("online", "mine")]
        loaders = match_loaders(matches, play, get_game("beasty_bar").opponents)
        for loader in loaders[:2]:
            list(loader)  # an evaluation that is ended after its first matches
        for _ in range(2):
            asked.clear()
            outcomes = {}
            for match, loader in zip(matches, loaders, strict=True):
                (batch,) = loader
                found = Match(batch["simulations"], batch["opponent"], batch["opponent_model"])
                assert found == match
                outcomes[match] = asked[int(batch["outcome"]) - 1]
            assert len(asked) == len(set(asked)) == len(matches) - 2 * (len(models) > 1)
            assert outcomes == {
                match: match._replace(opponent_model="none")
                if match.opponent == "mine" and match.opponent_model == "told" and len(models) > 1
                else match
                for match in matches
            }


class Learning:
    """Has a window and an iteration as a run has, and notes what the data set asks for in which order."""

    def __init__(self, evaluator: Any, **options: Any) -> None:
        self.learner = NetworkPlayer(evaluator, simulations=0, temperature=1.0, seed=2)
        self.window = ReplayWindow(2000)
        self.iteration = 0
        self.order: list[str] = []
        given = {"steps_per_iteration": 3, "batch_size": 16, "seed": 5, "check": self.check} | options
        self.dataset = SelfPlayDataset(self.window, self.refill, lambda: self.iteration, **given)

    def refill(self, iteration: int) -> None:
        self.order.append(f"games of {iteration}")
        games = [OpponentGames("random", 4, BuiltinPlayer("random", 4))]
        self.window.add(generate_games_batched_by_opponent(self.learner, games, game="beasty_bar", seed=1))

    def check(self) -> None:
        self.order.append("check")

    def batches(self, iteration: int = 0) -> list[dict[str, torch.Tensor]]:
        self.iteration = iteration
        return list(self.dataset)


def test_a_pass_plays_first_and_then_yields_as_many_batches_as_it_says(scrambled: Any) -> None:
    """Batches of the last iteration's window, or a length by which Lightning ends an epoch too early or too late."""
    learning = Learning(scrambled)
    assert learning.order == [] and len(learning.dataset) == 3
    for iteration in (0, 7):
        learning.order.clear()
        batches = learning.batches(iteration)
        assert learning.order == [f"games of {iteration}", "check", "check", "check"]
        assert [len(batch["outcome"]) for batch in batches] == [16] * 3


def same(first: list[dict[str, torch.Tensor]], second: list[dict[str, torch.Tensor]]) -> bool:
    return all(torch.equal(one[key], two[key]) for one, two in zip(first, second, strict=True) for key in one)


@pytest.mark.parametrize("change", [{"seed": 6}, {"rank": 1}, {"iteration": 1}], ids=["seed", "rank", "iteration"])
def test_seed_rank_and_iteration_draw(change: dict[str, int], scrambled: Any) -> None:
    """Processes that learn from the same rows, or a resumed iteration that learns from other rows."""
    first = Learning(scrambled).batches()
    assert same(first, Learning(scrambled).batches())
    options = dict(change)
    iteration = options.pop("iteration", 0)
    assert not same(first, Learning(scrambled, **options).batches(iteration))


def test_what_the_check_raises_ends_the_pass(scrambled: Any) -> None:
    """A run that is told to end would learn on to the end of its iteration."""
    seen: list[dict[str, torch.Tensor]] = []

    def end() -> None:
        if seen:
            raise InterruptedError

    learning = Learning(scrambled, check=end)
    with pytest.raises(InterruptedError):
        for batch in learning.dataset:
            seen.append(batch)
    assert len(seen) == 1 and learning.order == ["games of 0"]


def test_targets_of_auxiliary_heads_come_only_for_networks_that_have_them(scrambled: Any) -> None:
    plain, auxiliary = (set(Learning(scrambled, auxiliary=wanted).batches()[0]) for wanted in (False, True))
    assert auxiliary - plain == {"margin", "hidden"} and plain < auxiliary
