"""Evaluators: as the network computes, for any number of rows, from several threads, with the weights of the moment."""

from __future__ import annotations

import copy
import pickle
import platform
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lit_trainer import OnnxEvaluator, PolicyValueNetwork, ResidualMLP, TorchEvaluator, TransformerNetwork
from lit_trainer.networks.evaluators import EVALUATORS, make_evaluator
from lit_trainer.networks.residual_mlp import computes_as_residual_mlp, rows_a_pass, weights_of
from sim_core import GameBatch

Make = Callable[..., ResidualMLP]
Answer = tuple[np.ndarray, np.ndarray]
EXACT = ("torch", "onnx_fp32")
x86 = pytest.mark.skipif(
    platform.machine() != "x86_64" or not torch.backends.mkldnn.is_available(), reason="of oneDNN on x86"
)


def positions(rows: int, seed: int = 0, game: str = "beasty_bar") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns observations, legal actions and the heuristic opponent's action halfway through random games."""
    batch = GameBatch(rows, seed, game=game)
    for _ in range(8):
        batch.step(batch.opponent_actions("random", seed).astype(np.int64))
    return batch.observe(), batch.legal_mask(), batch.opponent_actions("random", seed + 1).astype(np.int64)


def directly(network: PolicyValueNetwork, observations: np.ndarray) -> Answer:
    with torch.no_grad():
        logits, values = network(torch.from_numpy(observations))
    return logits.float().numpy(), values.float().numpy()


def copied(answer: Answer) -> Answer:
    return answer[0].copy(), answer[1].copy()


def assert_close(found: Answer, expected: Answer, atol: float) -> None:
    for first, second in zip(found, expected, strict=True):
        assert first.dtype == np.float32 and isinstance(first, np.ndarray)
        assert first.shape == second.shape
        assert np.allclose(first, second, rtol=1e-5, atol=atol), np.abs(first - second).max()


def assert_same_bits(found: Answer, expected: Answer) -> None:
    assert np.array_equal(found[0], expected[0])
    assert np.array_equal(found[1], expected[1])


# ---------------------------------------------------------------------- as the module computes


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize(("width", "blocks"), [(1, 0), (7, 1), (24, 2), (64, 0), (256, 4)])
def test_as_the_module_for_batches_that_grow_and_shrink(kind: str, width: int, blocks: int, make_network: Make) -> None:
    network = make_network(width=width, blocks=blocks)
    with torch.no_grad():  # the drawn weights are for narrow networks: keep activations near one
        for parameter in network.parameters():
            parameter.mul_(min(1.0, (24 / width) ** 0.5))
    evaluate = make_evaluator(network, kind)
    limit = rows_a_pass(weights_of(network))
    observations, legal, _ = positions(2 * limit + 1)
    for rows in (5, 0, 1, limit, limit + 1, 2, 2 * limit + 1, 33, 0):
        expected = directly(network, observations[:rows])
        assert expected[1].shape == (rows,)
        assert_close(evaluate(observations[:rows], legal[:rows]), expected, 1e-5 if kind == "torch" else 1e-4)


@pytest.mark.parametrize("kind", EXACT)
def test_of_another_game(kind: str) -> None:
    network = ResidualMLP("connect_four", width=16, blocks=1)
    observations, legal, _ = positions(9, game="connect_four")
    assert_close(make_evaluator(network, kind)(observations, legal), directly(network, observations), 1e-5)


@pytest.mark.parametrize("kind", EVALUATORS)
def test_inputs_of_any_layout_and_the_buffer_give_the_same(kind: str, make_network: Make) -> None:
    evaluate = make_evaluator(make_network(), kind)
    observations, legal, _ = positions(12)
    expected = copied(evaluate(observations, legal))
    assert_same_bits(evaluate(np.asfortranarray(observations), legal), expected)
    assert_same_bits(evaluate(observations.astype(np.float64), legal), expected)
    buffer = evaluate.observation_buffer(12)
    assert buffer.shape == observations.shape and buffer.dtype == np.float32
    buffer[:] = observations
    assert_same_bits(evaluate(buffer, legal), expected)
    assert evaluate.observation_buffer(0).shape == (0, observations.shape[1])
    assert np.shares_memory(evaluate.observation_buffer(3), buffer), "one memory a thread"
    assert len(evaluate.observation_buffer(40)) == 40
    with pytest.raises(ValueError, match=r"^rows: -1 given"):
        evaluate.observation_buffer(-1)


@x86
@pytest.mark.parametrize("kind", [*EXACT, "torch_bf16"])
def test_a_row_s_result_is_the_same_bits_whatever_rows_go_with_it(kind: str, make_network: Make) -> None:
    """Fails if a row's result depends on the other rows: a single row once took another kernel."""
    network = make_network(width=256, blocks=2)
    evaluate = make_evaluator(network, kind)
    rows = rows_a_pass(weights_of(network)) + 60
    observations, legal, _ = positions(rows)
    whole = copied(evaluate(observations, legal))
    for low, high in [(0, 1), (7, 8), (0, 2), (3, 6), (10, 23), (1, 16), (5, 90), (0, rows - 60), (60, rows - 1)]:
        part = evaluate(observations[low:high], legal[low:high])
        assert_same_bits(part, (whole[0][low:high], whole[1][low:high]))


@pytest.mark.parametrize("kind", EVALUATORS)
def test_several_threads_at_once_get_what_one_gets(kind: str, make_network: Make) -> None:
    """Fails if threads share buffers."""
    evaluate = make_evaluator(make_network(width=64, blocks=2), kind)
    inputs = [positions(100 + 50 * k, seed=k)[:2] for k in range(3)]
    expected = [copied(evaluate(*arrays)) for arrays in inputs]
    start = threading.Barrier(3)
    errors: list[BaseException] = []

    def lane(k: int) -> None:
        try:
            torch.set_num_threads(1)
            start.wait(30)
            for _ in range(30):
                buffer = evaluate.observation_buffer(len(inputs[k][0]))
                buffer[:] = inputs[k][0]
                answer = evaluate(buffer, inputs[k][1])
                for _ in range(50):  # another thread's call must not touch it
                    assert_same_bits(answer, expected[k])
        except BaseException as error:
            errors.append(error)

    lanes = [threading.Thread(target=lane, args=(k,), daemon=True) for k in range(3)]
    for thread in lanes:
        thread.start()
    for thread in lanes:
        thread.join(120)
        assert not thread.is_alive()
    assert not errors, errors


# ---------------------------------------------------------------------- weights of the moment


def test_weights_changed_in_place_are_seen_at_once(make_network: Make) -> None:
    network = make_network()
    evaluate = TorchEvaluator(network)
    observations, legal, _ = positions(9)
    before = copied(evaluate(observations, legal))
    start = copy.deepcopy(network.state_dict())
    for name, parameter in network.named_parameters():
        network.load_state_dict(start)
        with torch.no_grad():
            parameter.add_(torch.rand_like(parameter))
        after = evaluate(observations, legal)
        assert not all(map(np.array_equal, before, after)), f"{name} is read elsewhere"
        assert_close(after, directly(network, observations), 1e-5)
    network.load_state_dict(make_network(seed=5).state_dict())
    assert_close(evaluate(observations, legal), directly(network, observations), 1e-5)


@pytest.mark.parametrize("kind", EVALUATORS)
def test_entering_and_refreshing_take_the_weights_anew(kind: str, make_network: Make) -> None:
    network = make_network()
    evaluate = make_evaluator(network, kind)
    observations, legal, _ = positions(9)
    for seed in (1, 2):
        network.load_state_dict(make_network(seed=seed).state_dict(), assign=True)
        expected = copied(make_evaluator(network, kind)(observations, legal))
        if seed == 1:
            with evaluate:
                found = evaluate(observations, legal)
        else:
            evaluate.refresh()
            found = evaluate(observations, legal)
        assert_same_bits(found, expected)


def test_a_network_converted_after_the_evaluator_was_made(make_network: Make) -> None:
    network = make_network()
    evaluate = TorchEvaluator(network)
    observations, legal, _ = positions(9)
    expected = directly(network, observations)
    network.bfloat16()
    assert_close(evaluate(observations, legal), expected, 0.2)
    network.double()
    assert_close(evaluate(observations, legal), directly(network.float(), observations), 1e-5)


@pytest.mark.parametrize("kind", ["torch", "torch_bf16"])
def test_the_mode_is_put_back_also_where_entered_twice(kind: str, make_network: Make) -> None:
    network = make_network()
    evaluate = make_evaluator(network, kind)
    for mode in (True, False):
        network.train(mode)
        with evaluate:
            with evaluate:
                assert not network.training
            assert not network.training
        assert network.training is mode
        with pytest.raises(KeyError), evaluate:
            raise KeyError
        assert network.training is mode


# ---------------------------------------------------------------------- other networks


class Louder(ResidualMLP):
    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        logits, values = super().forward(observations)
        return 2 * logits, -values


class Same(ResidualMLP):
    pass


class Uniform(PolicyValueNetwork):
    """Rates all actions alike, and has no parameter."""

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        return observations.new_zeros(len(observations), self.num_actions), observations.mean(dim=1)


def deeper_value_head(network: ResidualMLP) -> None:
    network.value_head = nn.Sequential(nn.Linear(24, 64), nn.ReLU(), nn.Linear(64, 1), nn.ReLU(), nn.Linear(1, 1))


def without_a_bias(network: ResidualMLP) -> None:
    network.policy_head = nn.Linear(24, network.num_actions, bias=False)


def hooked(network: ResidualMLP) -> None:
    network.stem.register_forward_hook(lambda module, inputs, output: output.square())


def patched(network: ResidualMLP) -> None:
    network.forward = lambda x: (x[:, : network.num_actions], x[:, 0])  # type: ignore[method-assign]


def another_epsilon(network: ResidualMLP) -> None:
    network.norm = nn.LayerNorm(24, eps=1.0)


def parametrized(network: ResidualMLP) -> None:
    nn.utils.parametrizations.weight_norm(network.stem).bias.data.normal_()


@pytest.mark.parametrize(
    "change",
    [deeper_value_head, without_a_bias, hooked, patched, another_epsilon, parametrized],
    ids=lambda change: change.__name__,
)
def test_changed_layers_are_respected(change: Callable[[ResidualMLP], None], make_network: Make) -> None:
    network = make_network()
    observations, legal, _ = positions(9)
    evaluate = TorchEvaluator(network)
    before = evaluate(observations, legal)
    change(network)
    with evaluate:
        found = evaluate(observations, legal)
    assert_close(found, directly(network, observations), 1e-5)
    assert not np.allclose(found[0], before[0], atol=1e-3) or not np.allclose(found[1], before[1], atol=1e-3)
    assert not computes_as_residual_mlp(network)
    with pytest.raises(ValueError, match=r"^network: ResidualMLP given, expected a ResidualMLP with its own forward"):
        OnnxEvaluator(network)


@pytest.mark.parametrize(
    "make", [lambda: Louder(width=24), lambda: TransformerNetwork(width=16, layers=1, heads=2), Uniform]
)
def test_any_network_runs_through_its_own_forward(make: Callable[[], PolicyValueNetwork]) -> None:
    network = make()
    observations, legal, _ = positions(9)
    assert not computes_as_residual_mlp(network)
    for rows in (9, 1):
        expected = directly(network, observations[:rows])
        assert_close(TorchEvaluator(network)(observations[:rows], legal[:rows]), expected, 1e-5)
        assert_close(TorchEvaluator(network, "bf16")(observations[:rows], legal[:rows]), expected, 0.1)
    with pytest.raises(ValueError, match=rf"^network: {type(network).__name__} given.*TorchEvaluator runs every"):
        OnnxEvaluator(network)


def test_under_autocast_nothing_is_kept_for_other_threads() -> None:
    """Its cache of weights in lower precision is shared: a stream would get what another has not written yet."""
    seen: list[tuple[bool, bool]] = []

    class Watched(Uniform):
        def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
            seen.append((torch.is_autocast_enabled("cpu"), torch.is_autocast_cache_enabled()))
            return super().forward(observations)

    observations, legal, _ = positions(3)
    TorchEvaluator(Watched(), "bf16")(observations, legal)
    assert seen == [(True, False)]


@pytest.mark.parametrize("kind", EVALUATORS)
def test_copies_have_networks_of_their_own(kind: str, make_network: Make) -> None:
    network = make_network(width=16, blocks=1)
    observations, legal, _ = positions(5)
    evaluate = make_evaluator(network, kind)
    expected = copied(evaluate(observations, legal))
    copies = [copy.deepcopy(evaluate), pickle.loads(pickle.dumps(evaluate))]
    with torch.no_grad():
        network.policy_head.bias += 1.0
    for other in copies:
        assert_same_bits(other(observations, legal), expected)
        assert other.network is not network and other.precision == evaluate.precision


def test_a_subclass_without_a_forward_of_its_own_is_a_residual_mlp() -> None:
    assert computes_as_residual_mlp(Same(width=8))
    observations, legal, _ = positions(3)
    network = Same(width=8)
    assert_close(OnnxEvaluator(network, "fp32")(observations, legal), directly(network, observations), 1e-5)


# ---------------------------------------------------------------------- lower precision


@pytest.fixture(scope="module")
def trained() -> ResidualMLP:
    """Trains some steps towards an opponent's moves, so that logits and values are spread as by learning."""
    torch.manual_seed(0)
    network = ResidualMLP(width=64, blocks=3)
    observations, _, actions = positions(2048, seed=3)
    inputs, targets = torch.from_numpy(observations), torch.from_numpy(actions)
    outcomes = torch.sign(inputs @ torch.randn(inputs.shape[1]))
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for step in range(120):
        rows = torch.arange(step * 256, (step + 1) * 256) % 2048
        logits, values = network(inputs[rows])
        loss = nn.functional.cross_entropy(logits, targets[rows]) + (values - outcomes[rows]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert values.abs().mean() > 0.5, "it learnt the outcomes"
    return network.eval()


@pytest.mark.parametrize(("kind", "policy_bound", "value_bound"), [("onnx_int8", 0.1, 0.15), ("torch_bf16", 0.05, 0.1)])
def test_lower_precision_is_close_on_a_trained_network(
    kind: str, policy_bound: float, value_bound: float, trained: ResidualMLP
) -> None:
    observations, legal, _ = positions(700, seed=9)

    def policy(logits: np.ndarray) -> np.ndarray:
        weights = np.where(legal, np.exp(logits - logits.max(axis=1, keepdims=True)), 0.0)
        return weights / weights.sum(axis=1, keepdims=True)

    expected = directly(trained, observations)
    found = make_evaluator(trained, kind)(observations, legal)
    variation = np.abs(policy(found[0]) - policy(expected[0])).sum(axis=1) / 2
    errors = np.abs(found[1] - expected[1])
    assert 0 < variation.mean() < policy_bound / 5 and variation.max() < policy_bound
    assert 0 < errors.mean() < value_bound / 5 and errors.max() < value_bound


def test_precision_of_a_network_in_lower_precision(make_network: Make) -> None:
    """Fails if copies in fp32 of weights in bf16 do not compute as fp32 does."""
    network = make_network().bfloat16()
    observations, legal, _ = positions(9)
    found = copied(TorchEvaluator(network, "fp32")(observations, legal))
    onnx = OnnxEvaluator(network, "fp32")(observations, legal)
    exact = directly(network.float(), observations)
    assert_close(found, exact, 1e-5)
    assert_close(onnx, exact, 1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(("precision", "atol"), [("fp32", 1e-3), ("auto", 0.2)])
def test_on_a_gpu(precision: str, atol: float, make_network: Make) -> None:
    network = make_network(width=64, blocks=2)
    observations, legal, _ = positions(300)
    expected = directly(network, observations)
    evaluate = TorchEvaluator(network, precision)
    network.cuda()
    assert_close(evaluate(observations, legal), expected, atol)
    buffer = evaluate.observation_buffer(300)
    assert torch.from_numpy(buffer).is_pinned()
    buffer[:] = observations
    for rows in (300, 1, 0, 20):
        assert_close(evaluate(buffer[:rows], legal[:rows]), (expected[0][:rows], expected[1][:rows]), atol)
    answers: list[Any] = []
    lanes = [threading.Thread(target=lambda: answers.append(copied(evaluate(observations, legal)))) for _ in range(2)]
    for thread in lanes:
        thread.start()
    for thread in lanes:
        thread.join(60)
    assert len(answers) == 2
    for answer in answers:
        assert_close(answer, expected, atol)


# ---------------------------------------------------------------------- names and errors


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("precision", lambda network: TorchEvaluator(network, "fp8")),
        ("precision", lambda network: OnnxEvaluator(network, "bf16")),
        ("evaluator", lambda network: make_evaluator(network, "tensorrt")),
    ],
)
def test_unknown_names_are_refused(name: str, make: Callable[[PolicyValueNetwork], Any], make_network: Make) -> None:
    with pytest.raises(ValueError, match=rf"^{name}: '\w+' given, expected one of "):
        make(make_network())


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_its_packages_the_extra_is_named_and_the_rest_works(missing: str) -> None:
    program = f"""
import sys
sys.modules[{missing!r}] = None  # importing it raises ModuleNotFoundError
from lit_trainer import ResidualMLP, make_evaluator
network = ResidualMLP(width=8, blocks=1)
make_evaluator(network, "torch")
for kind in ("onnx_fp32", "onnx_int8"):
    try:
        make_evaluator(network, kind)
    except ModuleNotFoundError as error:
        assert "pip install 'lit-alphazero[onnx]'" in str(error) and {missing!r} in str(error), error
    else:
        raise AssertionError(kind)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
