"""The search's values, from the trees to the loss's target."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lit_trainer import AlphaZeroModule, ResidualMLP, make_evaluator
from lit_trainer.learning.replay import ReplayWindow
from lit_trainer.players.engine_players import BuiltinPlayer
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.self_play.games import GeneratedGames, OpponentGames, generate_games_batched_by_opponent, join_games
from sim_core import GameBatch, search, solve_endgame


def generated(scrambled: Any, simulations: int, seed: int = 3) -> GeneratedGames:
    learner = NetworkPlayer(scrambled, simulations=simulations, temperature=1.0, seed=2)
    opponents = [OpponentGames("self_play", 4, None), OpponentGames("random", 40, BuiltinPlayer("random", 4))]
    return generate_games_batched_by_opponent(learner, opponents, game="beasty_bar", seed=seed)


def test_they_are_those_of_the_search_and_exact_where_solved(scrambled: Any) -> None:
    """Fails if a position gets another slot's value, the opponent's sign, or the outcome in place of the value."""
    games = generated(scrambled, 8)
    assert games.values is not None
    batch = GameBatch.from_packed(games.states)
    solved = batch.is_solvable
    exact = [solve_endgame(batch.state(i))[0] for i in np.flatnonzero(solved)]
    assert games.values[solved].tolist() == exact
    # random opponents throw won endgames away: there value and outcome differ
    assert (games.values[solved] != games.outcomes[solved]).any()
    # the search draws from the game's own stream, so a search of the position alone comes out near it, not equal
    again = search(batch.take(np.flatnonzero(~solved)), scrambled, 256, seed=5).value
    assert np.corrcoef(games.values[~solved], again)[0, 1] > 0.35
    assert np.abs(games.values).max() <= 1


def test_policies_without_search_have_none_and_learn_from_the_outcome(scrambled: Any) -> None:
    games = generated(scrambled, 0)
    assert games.values is not None and np.isnan(games.values).all()
    window = ReplayWindow(5000)
    window.add(games)
    batch = window.sample(300, np.random.default_rng(1))
    assert torch.equal(batch["search_value"], batch["outcome"])


def test_they_survive_the_window_and_its_checkpoint(scrambled: Any) -> None:
    games = generated(scrambled, 4)
    assert games.values is not None
    window, again = ReplayWindow(5000), ReplayWindow(5000)
    window.add(games)
    again.load_state_dict(window.state_dict())
    first, second = (w.sample(500, np.random.default_rng(1))["search_value"] for w in (window, again))
    assert torch.equal(first, second)
    # two positions may look alike to their movers: compare all values as sets, to the scale's precision
    assert np.isin(np.rint(first.numpy() * 1e3), np.rint(games.values * 1e3)).all()
    old = {key: value for key, value in window.state_dict().items() if key != "values"}
    again.load_state_dict(old)
    batch = again.sample(500, np.random.default_rng(1))
    assert torch.equal(batch["search_value"], batch["outcome"])


def test_chunks_are_joined_with_their_values(scrambled: Any) -> None:
    first, second = generated(scrambled, 2), generated(scrambled, 2, seed=4)
    assert first.values is not None and second.values is not None
    joined = join_games([first, second]).values
    assert joined is not None and joined.tolist() == [*first.values, *second.values]


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_target_lies_between_outcome_and_search(scrambled: Any, share: float) -> None:
    torch.manual_seed(0)
    module = AlphaZeroModule(ResidualMLP(width=16, blocks=1), search_value_share=share)
    window = ReplayWindow(5000)
    window.add(generated(scrambled, 4))
    batch = window.sample(200, np.random.default_rng(1))
    _, value = module(batch["observations"])
    target = (1 - share) * batch["outcome"] + share * batch["search_value"]
    assert module.loss(batch).value.item() == pytest.approx((value - target).square().mean().item(), rel=1e-5)


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"^search_value_share: .* expected 0 to 1"):
        AlphaZeroModule(ResidualMLP(width=16, blocks=1), search_value_share=share)


class Unbounded(ResidualMLP):
    """A value head without tanh, as a user's own network may have it."""

    def forward(self, observations: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits, value = super().forward(observations)
        return logits, 40 * value


def test_values_outside_of_minus_one_to_one_are_cut_off_and_said_so(caplog: pytest.LogCaptureFixture) -> None:
    """As 16-bit numbers they would come back with the other sign."""
    torch.manual_seed(1)
    network = Unbounded(width=16, blocks=0)
    with make_evaluator(network, "torch") as evaluate:
        games = generated(evaluate, 4)
        again = generated(evaluate, 4, seed=4)
    assert games.values is not None
    assert games.values.min() < -1.2 and games.values.max() > 1.2
    window = ReplayWindow(len(games.outcomes))
    window.add(games)
    found = window.state_dict()["values"].numpy() / 32767
    assert np.abs(found - games.values.clip(-1, 1)).max() < 1e-4
    window.add(again)
    assert [record.message[:30] for record in caplog.records] == ["replay: search values such as "], "once"


def test_values_within_bounds_are_no_reason_to_warn(scrambled: Any, caplog: pytest.LogCaptureFixture) -> None:
    window = ReplayWindow(5000)
    window.add(generated(scrambled, 4))
    window.add(generated(scrambled, 0))
    assert not caplog.records
