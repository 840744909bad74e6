"""What a network is told besides its observation: nothing changes where nothing is told, and every way agrees."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lit_trainer import PolicyValueNetwork, ResidualMLP, TorchEvaluator
from lit_trainer.networks.condition import condition_size, with_condition
from lit_trainer.networks.evaluators import EVALUATORS, make_evaluator
from lit_trainer.networks.residual_mlp import computes_as_residual_mlp
from lit_trainer.players.network_player import NetworkPlayer
from sim_core import GameBatch, get_game

Answer = tuple[np.ndarray, np.ndarray]
KINDS = ("opponent", "belief")


def seeded(condition: str, auxiliary: bool = False) -> ResidualMLP:
    torch.manual_seed(3)
    return ResidualMLP(width=64, blocks=2, auxiliary=auxiliary, condition=condition)  # type: ignore[arg-type]


def taught(condition: str) -> ResidualMLP:
    """Returns a network whose condition has weights, as after learning."""
    network = seeded(condition)
    assert network.condition_layer is not None
    nn.init.normal_(network.condition_layer.weight, generator=torch.Generator().manual_seed(1))
    return network


def positions(rows: int) -> GameBatch:
    batch = GameBatch(rows, 5)
    for _ in range(7):
        batch.step(batch.opponent_actions("random", 2).astype(np.int64))
    return batch


def told(rows: int, size: int) -> np.ndarray:
    return np.random.default_rng(4).random((rows, size), dtype=np.float32)


def copied(answer: Answer) -> Answer:
    return answer[0].copy(), answer[1].copy()


def same_bits(found: Answer, expected: Answer) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


# ---------------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    ("game", "kind", "size"),
    [
        ("beasty_bar", "none", 0),
        ("beasty_bar", "opponent", 10),
        ("beasty_bar", "belief", 22),
        ("connect_four", "opponent", 2),
    ],
)
def test_a_condition_has_a_number_for_each_opponent_then_for_each_card(game: str, kind: str, size: int) -> None:
    assert condition_size(game, kind) == size
    assert size in (0, len(get_game(game).opponents), len(get_game(game).opponents) + get_game(game).hidden_size)
    assert ResidualMLP(game, 8, 0, condition=kind).condition_size == size  # type: ignore[arg-type]


@pytest.mark.parametrize(("game", "kind"), [("connect_four", "belief"), ("beasty_bar", "hand"), ("beasty_bar", "")])
def test_a_condition_that_a_game_has_not_is_refused(game: str, kind: str) -> None:
    """Fails if a network of no columns is made where beliefs were asked for."""
    with pytest.raises(ValueError, match=rf"^condition: '{kind}' given, expected one of none, opponent.* for {game}$"):
        ResidualMLP(game, 8, 0, condition=kind)  # type: ignore[arg-type]


# ---------------------------------------------------------------------- nothing told: the old network


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("auxiliary", [False, True])
def test_it_begins_as_the_network_without_to_the_last_bit(kind: str, auxiliary: bool) -> None:
    """Fails if the layer draws random numbers, starts above zero or takes part in the sums of the first layer."""
    old, new = seeded("none", auxiliary), seeded(kind, auxiliary)
    drawn = new.state_dict()
    assert not drawn.pop("condition_layer.weight").any()
    assert drawn.keys() == old.state_dict().keys()
    assert all(torch.equal(weight, drawn[name]) for name, weight in old.state_dict().items())
    x = torch.from_numpy(positions(40).observe())
    zeros, ones = torch.zeros(40, new.condition_size), torch.ones(40, new.condition_size)
    expected = old(x)
    for found in (new(x), new(x, zeros), new(x, ones)):
        assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    if auxiliary:
        for condition in (None, zeros, ones):
            *told_nothing, guessed = new.forward_auxiliary(x, condition)
            *without, guessed_without = old.forward_auxiliary(x)
            pairs = zip([*told_nothing, *guessed], [*without, *guessed_without], strict=True)
            assert all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("evaluator", EVALUATORS)
@pytest.mark.parametrize("rows", [0, 1, 2, 33, 700])
def test_rows_of_zeros_compute_the_old_network_to_the_last_bit(evaluator: str, rows: int) -> None:
    """Fails if the condition's columns enter the first layer's product: its sums would be in another order."""
    new = taught("belief")
    old = seeded("none")
    batch = positions(rows)
    observations, legal = batch.observe(), batch.legal_mask()
    without, evaluate = make_evaluator(old, evaluator), make_evaluator(new, evaluator)
    expected = copied(without(observations, legal))
    assert (without.condition_size, evaluate.condition_size) == (0, 22)
    assert same_bits(evaluate(with_condition(observations, 22), legal), expected)
    assert same_bits(evaluate(observations, legal), expected), "rows without a condition"


# ---------------------------------------------------------------------- something told


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_every_evaluator_agrees_with_forward(kind: str, evaluator: str) -> None:
    network = taught(kind)
    assert computes_as_residual_mlp(network)
    batch = positions(300)
    condition = told(300, network.condition_size)
    with torch.no_grad():
        expected = [part.numpy() for part in network(*map(torch.from_numpy, (batch.observe(), condition)))]
        silent = network(torch.from_numpy(batch.observe()))[0].numpy()
    evaluate = make_evaluator(network, evaluator)
    buffer = evaluate.observation_buffer(300)
    buffer[:] = with_condition(batch.observe(), network.condition_size, condition)
    found = evaluate(buffer, batch.legal_mask())
    tolerance = 1e-5 if evaluator in ("torch", "onnx_fp32") else 0.06
    for one, other in zip(found, expected, strict=True):
        assert np.abs(one - other).max() < tolerance
    assert np.abs(found[0] - silent).max() > 0.1, "what it is told must count"


def test_a_network_of_any_kind_is_told_through_its_forward() -> None:
    """Fails if a network without a fast pass of its own is called with whole rows, or never told."""

    class Own(PolicyValueNetwork):
        condition_size = 3

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 1)

        def forward(self, observations: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
            assert observations.shape[1] == self.observation_size
            assert condition is not None
            return torch.zeros(len(observations), self.num_actions), torch.tanh(self.layer(condition)).squeeze(-1)

    network, batch, condition = Own(), positions(5), told(5, 3)
    evaluate = TorchEvaluator(network)
    rows = with_condition(batch.observe(), 3, condition)
    expected = torch.tanh(network.layer(torch.from_numpy(condition))).squeeze(-1).detach().numpy()
    assert np.allclose(evaluate(rows, batch.legal_mask())[1], expected)


def test_a_network_that_takes_none_refuses_a_condition() -> None:
    with pytest.raises(ValueError, match=r"^condition: given, expected None"):
        seeded("none")(torch.zeros(2, 186), torch.zeros(2, 10))


def test_learning_makes_what_is_told_count() -> None:
    """Fails if no gradient reaches the layer, for which a start at zero is no hindrance."""
    network = seeded("opponent")
    x = torch.from_numpy(positions(20).observe()).repeat(2, 1)
    condition = torch.eye(10)[torch.arange(40) // 20]
    target = torch.where(torch.arange(40) < 20, 0.5, -0.5)  # the same positions, worth something else to someone else
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        (network(x, condition)[1] - target).square().mean().backward()
        optimizer.step()
    assert (network(x, condition)[1] - target).abs().max() < 0.2


# ---------------------------------------------------------------------- players


@pytest.mark.parametrize("simulations", [0, 8])
def test_a_player_searches_and_chooses_with_what_it_is_told(simulations: int) -> None:
    """Fails if a player forgets the condition, gives one game that of another, or cannot do without."""
    network, batch = taught("opponent"), positions(12)
    condition = np.eye(10, dtype=np.float32)[np.arange(12) % 10]

    def policy(batch: GameBatch, condition: np.ndarray | None) -> np.ndarray:
        player = NetworkPlayer(TorchEvaluator(network), simulations=simulations, temperature=0.0, seed=1)
        return player.search(batch, condition).policy if simulations else player.policy(batch, condition)

    found, silent = policy(batch, condition), policy(batch, None)
    assert np.array_equal(silent, policy(batch, np.zeros_like(condition)))
    assert not np.array_equal(found, silent)
    for k in (0, 7, 11):
        assert np.array_equal(found[k], policy(batch.take([k]), condition[[k]])[0])
    with pytest.raises(ValueError, match=r"^conditions: shape \(12, 9\) given, expected \(12, 10\)"):
        policy(batch, condition[:, :9])
