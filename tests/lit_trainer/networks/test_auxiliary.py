"""Auxiliary targets: the final margin and the hidden hand, from the simulator to the loss, and never into play."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lit_trainer import AlphaZeroModule, OnnxEvaluator, OpponentPool, ResidualMLP, TorchEvaluator, TransformerNetwork
from lit_trainer.checkpoints.description import ENTRY
from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.learning.losses import hidden_loss, margin_loss
from lit_trainer.learning.replay import ReplayWindow
from lit_trainer.networks.residual_mlp import computes_as_residual_mlp
from lit_trainer.players.engine_players import BuiltinPlayer
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.self_play.games import GeneratedGames, OpponentGames, generate_games_batched_by_opponent, join_games
from lit_trainer.self_play.lanes import Schedule, play_schedule
from sim_core import GameBatch, get_game


def generated(scrambled: Any, game: str = "beasty_bar") -> GeneratedGames:
    learner = NetworkPlayer(scrambled, simulations=0, temperature=1.0, seed=2)
    opponents = [OpponentGames("self_play", 10, None), OpponentGames("random", 10, BuiltinPlayer("random", 4))]
    return generate_games_batched_by_opponent(learner, opponents, game=game, seed=3)


def mlp(auxiliary: bool = True, **options: Any) -> ResidualMLP:
    torch.manual_seed(0)
    return ResidualMLP(width=24, blocks=1, auxiliary=auxiliary, **options)


def drawn(games: GeneratedGames, positions: int, seed: int = 1) -> dict[str, torch.Tensor]:
    window = ReplayWindow(5000)
    window.add(games)
    return window.sample(positions, np.random.default_rng(seed), auxiliary=True)


# ---------------------------------------------------------------------- margins, from the games to the batch


@pytest.mark.parametrize("game", ["beasty_bar", "beasty_bar_animals"])
def test_margins_are_the_games_scores_for_the_mover(scrambled: Any, game: str) -> None:
    """The other seat's sign, another game's score, or positions in another order than their margins."""
    margins = set()
    for number in range(12):
        schedule = Schedule(np.array([number]), np.array([number % 2]), np.array([[0, 1 if number < 6 else 0]]))
        learner = NetworkPlayer(scrambled, simulations=0, temperature=1.0, seed=2)
        played = play_schedule(
            learner, schedule, [BuiltinPlayer("random", 4)], game=game, seed=7, parallel_games=1, record=True
        )
        first, second = played.scores[0]
        mover = GameBatch.from_packed(played.states, game=game).to_move
        assert played.position_margins.tolist() == np.where(mover == 0, first - second, second - first).tolist()
        margins.update(played.position_margins.tolist())
    assert len(margins) > 4


def test_margins_reach_the_batch_in_the_games_units(scrambled: Any) -> None:
    games = generated(scrambled)
    assert games.margins is not None and len(set(games.margins.tolist())) > 5
    decided = games.margins != 0
    assert (np.sign(games.margins) == games.outcomes)[decided].all()
    known: dict[bytes, set[float]] = {}
    for row, margin in zip(GameBatch.from_packed(games.states).observe(), games.margins, strict=True):
        known.setdefault(row.tobytes(), set()).add(np.float32(margin) / np.float32(12))
    batch = drawn(games, 500)
    for row, margin in zip(batch["observations"].numpy(), batch["margin"].tolist(), strict=True):
        assert margin in known[row.tobytes()]


def test_hidden_answers_are_of_the_positions_of_the_batch(scrambled: Any) -> None:
    games = generated(scrambled)
    known: dict[bytes, set[bytes]] = {}
    whole = GameBatch.from_packed(games.states)
    for row, answers in zip(whole.observe(), whole.hidden_targets(), strict=True):
        known.setdefault(row.tobytes(), set()).add(answers.astype(np.float32).tobytes())
    batch = drawn(games, 500)
    for row, answers in zip(batch["observations"].numpy(), batch["hidden"].numpy(), strict=True):
        assert answers.tobytes() in known[row.tobytes()]
    assert set(batch["hidden"].unique().tolist()) == {-1.0, 0.0, 1.0}


def test_batches_without_heads_are_as_before(scrambled: Any) -> None:
    window = ReplayWindow(5000)
    window.add(generated(scrambled))
    plain = window.sample(8, np.random.default_rng(1))
    assert set(plain) == {"observations", "legal_mask", "policy", "outcome", "search_value"}


# ---------------------------------------------------------------------- the replay window


@pytest.mark.parametrize("capacity", [1, 60, 100, 250])
def test_a_saved_window_has_its_margins_back(capacity: int, scrambled: Any, tmp_path: Path) -> None:
    games = generated(scrambled)
    assert games.margins is not None
    window = ReplayWindow(100)
    for low in (0, 70):
        part = slice(low, low + 70)
        window.add(
            GeneratedGames(games.states[part], games.policies[part], games.outcomes[part], margins=games.margins[part])
        )
    torch.save(window.state_dict(), tmp_path / "window.pt")
    again = ReplayWindow(capacity)
    again.load_state_dict(torch.load(tmp_path / "window.pt", weights_only=True))
    expected = games.margins[40:140][-capacity:]
    assert again.state_dict()["margins"].tolist() == expected.tolist()


def test_what_is_not_known_teaches_nothing(scrambled: Any) -> None:
    """Fails if unknown margins, of older windows or other games, are learned as numbers."""
    games = generated(scrambled)
    window = ReplayWindow(5000)
    window.add(games)
    old = {key: value for key, value in window.state_dict().items() if key != "margins"}
    again = ReplayWindow(5000)
    again.load_state_dict(old)
    assert again.sample(100, np.random.default_rng(1), auxiliary=True)["margin"].isnan().all()
    again.load_state_dict(window.state_dict())
    assert not again.sample(100, np.random.default_rng(1), auxiliary=True)["margin"].isnan().any()
    again.add(GeneratedGames(games.states, games.policies, games.outcomes))
    share = again.sample(2000, np.random.default_rng(1), auxiliary=True)["margin"].isnan().float().mean()
    assert 0.4 < share < 0.6


def test_large_margins_are_cut_off_and_not_wrapped_round(scrambled: Any) -> None:
    games = generated(scrambled)
    margins = np.full(len(games.outcomes), 100_000, np.int32)
    margins[::2] *= -1
    window = ReplayWindow(5000)
    window.add(GeneratedGames(games.states, games.policies, games.outcomes, margins=margins))
    assert set(window.state_dict()["margins"].tolist()) == {32_767, -32_767}


def test_chunks_are_joined_with_their_margins(scrambled: Any) -> None:
    first, second = generated(scrambled), generated(scrambled)
    assert first.margins is not None and second.margins is not None
    second.margins += 100
    joined = join_games([first, second]).margins
    assert joined is not None and joined.tolist() == [*first.margins, *second.margins]
    second.margins = None
    assert join_games([first, second]).margins is None


# ---------------------------------------------------------------------- the heads


def test_play_is_that_of_the_network_without_heads() -> None:
    """Fails if heads, which play never asks, cost the fast pass or change its result."""
    plain, heads = mlp(False), mlp()
    assert all(torch.equal(plain.state_dict()[key], heads.state_dict()[key]) for key in plain.state_dict())
    assert computes_as_residual_mlp(heads)
    observations = GameBatch(50, 1).observe()
    legal = GameBatch(50, 1).legal_mask()
    for evaluator in (TorchEvaluator, lambda network: OnnxEvaluator(network, "fp32")):
        for one, other in zip(
            evaluator(plain)(observations, legal), evaluator(heads)(observations, legal), strict=True
        ):
            assert (one == other).all()


@pytest.mark.parametrize("network", [mlp(), TransformerNetwork(width=16, layers=1, heads=4, auxiliary=True)])
def test_learning_sees_the_same_logits_and_values(network: Any) -> None:
    observations = torch.from_numpy(GameBatch(20, 1).observe())
    logits, value, guessed = network.forward_auxiliary(observations)
    for one, other in zip(network(observations), (logits, value), strict=True):
        assert torch.equal(one, other)
    assert guessed.margin.shape == (20,) and guessed.hidden.shape == (20, 12)
    again = type(network)(**network.config)
    again.load_state_dict(network.state_dict())


def test_a_network_without_heads_says_so() -> None:
    with pytest.raises(ValueError, match=r"^auxiliary: "):
        mlp(False).forward_auxiliary(torch.zeros(1, get_game("beasty_bar").observation_size))


# ---------------------------------------------------------------------- the loss


def test_losses_by_plain_arithmetic() -> None:
    margin = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    loss = margin_loss(margin, torch.tensor([0.0, float("nan"), 5.0]))
    assert loss.item() == pytest.approx((1 + 4) / 2)
    loss.backward()
    assert margin.grad is not None and margin.grad.tolist() == [1.0, 0.0, -2.0]
    logits = torch.tensor([[0.0, 2.0], [-1.0, 50.0]], requires_grad=True)
    loss = hidden_loss(logits, torch.tensor([[1.0, 0.0], [-1.0, -1.0]]))
    assert loss.item() == pytest.approx((np.log(2) + np.log(1 + np.exp(2))) / 2)
    loss.backward()
    assert logits.grad is not None and (logits.grad[1] == 0).all()


def test_nothing_known_is_no_loss_and_no_nan() -> None:
    prediction = torch.ones(3, requires_grad=True)
    total = margin_loss(prediction, torch.full((3,), float("nan"))) + hidden_loss(torch.zeros(3, 0), torch.zeros(3, 0))
    total.backward()
    assert total.item() == 0.0 and prediction.grad is not None and (prediction.grad == 0).all()


def test_both_targets_are_learned(scrambled: Any) -> None:
    """Fails if heads, targets or weights are not connected: a few positions can be learned by heart."""
    module = AlphaZeroModule(mlp(), margin_coef=0.5, hand_coef=0.5)
    batch = drawn(generated(scrambled), 24)
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-2)
    terms = []
    for _ in range(150):
        loss = module.loss(batch)
        assert loss.margin is not None and loss.hand is not None
        expected = loss.policy + loss.value + 0.5 * loss.margin + 0.5 * loss.hand
        assert torch.allclose(loss.total, expected)
        terms.append((loss.margin.item(), loss.hand.item()))
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
    assert terms[-1][0] < 0.1 * terms[0][0] and terms[-1][1] < 0.2 * terms[0][1]


def test_weights_of_zero_leave_the_rest_alone(scrambled: Any) -> None:
    """Fails if heads of weight zero change the trunk, or have no gradients, which several processes need."""
    batch = drawn(generated(scrambled), 50)
    plain, heads = AlphaZeroModule(mlp(False)), AlphaZeroModule(mlp())
    for module in (plain, heads):
        module.loss(batch).total.backward()
    for name, parameter in heads.named_parameters():
        assert parameter.grad is not None, name
        if "auxiliary" in name:
            assert (parameter.grad == 0).all()
        else:
            assert torch.allclose(parameter.grad, plain.get_parameter(name).grad, atol=1e-7), name


@pytest.mark.parametrize(
    ("name", "network", "options"),
    [
        ("margin_coef", lambda: mlp(False), {"margin_coef": 0.1}),
        ("hand_coef", lambda: mlp(False), {"hand_coef": 0.1}),
        ("margin_coef", mlp, {"margin_coef": -0.1}),
        ("hand_coef", mlp, {"hand_coef": float("nan")}),
        ("hand_coef", lambda: mlp(game="connect_four"), {"hand_coef": 0.1}),
    ],
)
def test_what_is_refused(name: str, network: Callable[[], ResidualMLP], options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=rf"^{name}: "):
        AlphaZeroModule(network(), **options)


def test_a_game_without_a_hand_learns_its_margin() -> None:
    module = AlphaZeroModule(mlp(game="connect_four"), margin_coef=0.1)
    learner = NetworkPlayer(TorchEvaluator(module.network), simulations=0, temperature=1.0, seed=2)
    games = generate_games_batched_by_opponent(
        learner, [OpponentGames("self_play", 10, None)], game="connect_four", seed=3
    )
    window = ReplayWindow(5000, "connect_four")
    window.add(games)
    loss = module.loss(window.sample(50, np.random.default_rng(1), auxiliary=True))
    assert loss.margin is not None and loss.margin.item() > 0.3 and loss.hand is None


# ---------------------------------------------------------------------- checkpoints and workers


def test_checkpoints_with_and_without_heads_are_told_apart(checkpoint_path: Path) -> None:
    """Fails if a checkpoint without heads is loaded into a network with them, or the other way round."""
    old = copy.deepcopy(Checkpoint.read(checkpoint_path).contents)
    plain, heads = (ResidualMLP(width=24, blocks=1, auxiliary=auxiliary) for auxiliary in (False, True))
    Checkpoint(old).check_fits(plain)
    del old[ENTRY]["network"]["init_args"]["auxiliary"]
    Checkpoint(old).check_fits(plain)
    assert Checkpoint(old).network.config == plain.config
    with pytest.raises(ValueError, match=r"network auxiliary: the checkpoint has False, this run True"):
        Checkpoint(old).check_fits(heads)


def test_an_old_window_is_taken_over_and_said(run_for: Any, first_run: Any, tmp_path: Path, caplog: Any) -> None:
    old = copy.deepcopy(Checkpoint.read(first_run[1]).contents)
    del old["SelfPlayDataModule"]["replay"]["margins"]
    torch.save(old, tmp_path / "old.ckpt")
    with caplog.at_level("INFO"):
        resumed = run_for(tmp_path, 2, tmp_path / "old.ckpt")
    assert "from before margins were kept" in caplog.text
    window = resumed.data.window
    assert len(window) > len(old["SelfPlayDataModule"]["replay"]["outcomes"])


@pytest.mark.timeout(120)
def test_margins_come_from_workers(scrambled: Any) -> None:
    from lit_trainer.self_play.settings import GenerationSettings, WorkerSettings
    from lit_trainer.self_play.workers.asynchronous import AsynchronousGenerator
    from sim_core import SearchSettings

    pool, network = OpponentPool([], 1.0, 0.0), mlp()
    settings = GenerationSettings(games=8, simulations=0, search=SearchSettings(), parallel_games=64, threads=1)
    generator = AsynchronousGenerator(
        lambda: settings, network, pool, WorkerSettings(device="cpu"), temperature=lambda: 1.0, seed=5
    )
    try:
        games = generator.generate(0)
    finally:
        generator.close()
    assert games.margins is not None and len(games.margins) == len(games.outcomes) >= 8 * 24
    decided = games.margins != 0
    assert decided.any() and (np.sign(games.margins) == games.outcomes)[decided].all()
