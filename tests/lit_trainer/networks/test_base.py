"""Networks: shapes and ranges, that every input counts, that rows are independent, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from lit_trainer import PolicyValueNetwork, ResidualMLP, TorchEvaluator, TransformerNetwork
from sim_core import ACTIONS, OBSERVATION_SIZE, GameBatch

SMALL = [
    lambda: ResidualMLP(width=24, blocks=2),
    lambda: ResidualMLP(width=8, blocks=0),
    lambda: TransformerNetwork(width=16, layers=1, heads=4),
]
Make = Callable[[], PolicyValueNetwork]


def observations(n: int = 40) -> torch.Tensor:
    batch = GameBatch(n, 3)
    for _ in range(5):
        batch.step(batch.opponent_actions("random", seed=1))
    return torch.from_numpy(batch.observe())


@pytest.fixture(params=SMALL, ids=["mlp", "mlp without blocks", "transformer"])
def network(request: pytest.FixtureRequest) -> PolicyValueNetwork:
    torch.manual_seed(0)
    made: PolicyValueNetwork = request.param()
    return made


def test_shapes_and_ranges(network: PolicyValueNetwork) -> None:
    with torch.no_grad():
        for parameter in network.value_head.parameters():
            parameter.mul_(30.0)
    for n in (40, 1):
        logits, value = network(10 * observations(n))
        assert logits.shape == (n, len(ACTIONS))
        assert value.shape == (n,)
        assert torch.isfinite(logits).all()
        assert (value.abs() <= 1).all()


def test_every_number_of_the_observation_counts(network: PolicyValueNetwork) -> None:
    """Fails if a part of the observation is split off wrongly or forgotten, and so has no influence."""
    inputs = observations().requires_grad_()
    logits, value = network(inputs)
    (logits.square().sum() + value.square().sum()).backward()
    influence = inputs.grad.abs().sum(dim=0)
    assert (influence > 0).all()
    assert len(influence) == OBSERVATION_SIZE


def test_every_parameter_learns(network: PolicyValueNetwork) -> None:
    """Fails if a parameter never learns. It may need one step, because blocks begin as the identity."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        logits, value = network(observations())
        (logits.square().mean() + (value - 0.5).square().mean()).backward()
        optimizer.step()
    for name, parameter in network.named_parameters():
        # a key's bias moves all scores of a query alike, which a softmax does not see
        if not name.endswith("in_proj_bias"):
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_rows_are_independent_and_behaviour_is_learning(network: PolicyValueNetwork) -> None:
    """Fails if dropout or batch statistics make the policy that learns differ from the one that plays."""
    inputs = observations()
    learning = network.train()(inputs)
    playing = network.eval()(inputs)
    assert all(torch.equal(a, b) for a, b in zip(learning, playing, strict=True))
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    for part, whole in zip(network(inputs[order]), playing, strict=True):
        assert torch.allclose(part, whole[order], atol=1e-5)
    for part, whole in zip(network(inputs[7:8]), playing, strict=True):
        assert torch.allclose(part, whole[7:8], atol=1e-5)


def test_a_network_is_built_again_from_its_configuration(network: PolicyValueNetwork) -> None:
    again = type(network)(**network.config)
    again.load_state_dict(network.state_dict())
    assert again.config == network.config
    for first, second in zip(network(observations()), again(observations()), strict=True):
        assert torch.equal(first, second)
    assert all(isinstance(value, (int, float, str, bool)) for value in network.config.values())


def test_other_games_are_read_by_name() -> None:
    network = ResidualMLP("beasty_bar_animals", width=8, blocks=0)
    assert network.game == "beasty_bar_animals"
    assert network.config["game"] == "beasty_bar_animals"


def test_default_sizes() -> None:
    """Fails if default sizes are not those that the documentation's figures are about."""
    count = {kind: sum(p.numel() for p in kind().parameters()) for kind in (ResidualMLP, TransformerNetwork)}
    assert 500_000 < count[ResidualMLP] < 700_000
    assert 350_000 < count[TransformerNetwork] < 550_000


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("width", lambda: ResidualMLP(width=0)),
        ("width", lambda: ResidualMLP(width=True)),
        ("width", lambda: ResidualMLP(width=2.5)),
        ("blocks", lambda: ResidualMLP(blocks=-1)),
        ("game", lambda: ResidualMLP("chess")),
        ("width", lambda: TransformerNetwork(width=10, heads=4)),
        ("width", lambda: TransformerNetwork(width=0)),
        ("layers", lambda: TransformerNetwork(layers=0)),
        ("heads", lambda: TransformerNetwork(heads=0)),
        ("game", lambda: TransformerNetwork("chess")),
    ],
)
def test_wrong_arguments_are_refused_by_name(name: str, make: Make) -> None:
    with pytest.raises(ValueError, match=rf"^{name}: "):
        make()


# ---------------------------------------------------------------------- behind numpy


def test_evaluator_answers_with_the_network_and_puts_its_mode_back(network: PolicyValueNetwork) -> None:
    inputs = observations()
    legal = np.ones((40, len(ACTIONS)), bool)
    for mode in (True, False):
        network.train(mode)
        with TorchEvaluator(network) as evaluate:
            assert not network.training
            logits, values = evaluate(inputs.numpy(), legal)
        assert network.training is mode
        with pytest.raises(KeyError), TorchEvaluator(network):
            raise KeyError
        assert network.training is mode
    expected = network(inputs)
    assert logits.dtype == values.dtype == np.float32
    assert np.allclose(logits, expected[0].detach(), atol=1e-5)
    assert np.allclose(values, expected[1].detach(), atol=1e-5)
    with torch.no_grad():
        next(network.parameters()).add_(1.0)
    assert not np.allclose(evaluate(inputs.numpy(), legal)[0], logits), "later weight changes are seen"


def test_evaluator_of_a_network_in_lower_precision(network: PolicyValueNetwork) -> None:
    """Fails if self-play cannot ask a network in lower precision, as a trainer of "bf16-true" makes it."""
    inputs = observations()
    expected = TorchEvaluator(network)(inputs.numpy(), np.ones((40, len(ACTIONS)), bool))
    found = TorchEvaluator(network.bfloat16())(inputs.numpy(), np.ones((40, len(ACTIONS)), bool))
    for first, second in zip(found, expected, strict=True):
        assert first.dtype == np.float32
        assert np.abs(first - second).max() < 0.2
