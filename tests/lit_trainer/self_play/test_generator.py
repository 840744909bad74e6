"""Generation in this process, without a trainer: each setting shows in the games it plays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from support.worker_games import GAME, openings, player, self_play
from torch import Tensor

from lit_trainer import OpponentPool, ResidualMLP
from lit_trainer.players.python_player import AgentTimeoutError
from lit_trainer.self_play.games import GeneratedGames
from lit_trainer.self_play.generator import LocalGenerator
from lit_trainer.self_play.settings import GenerationSettings
from sim_core import Action, GameBatch, SearchSettings, State

PLAIN = GenerationSettings(games=24, simulations=4, search=SearchSettings(), threads=1)


def generator(
    settings: GenerationSettings = PLAIN,
    network: ResidualMLP | None = None,
    pool: OpponentPool | None = None,
    temperature: float = 1.0,
    **options: Any,
) -> LocalGenerator:
    return LocalGenerator(
        lambda: settings,
        network or player(),
        pool or self_play(),
        temperature=lambda: temperature,
        **({"seed": 5} | options),
    )


def same(first: GeneratedGames, second: GeneratedGames) -> bool:
    """Returns whether games are the same bit for bit, in the same order."""
    names = ("states", "policies", "outcomes", "margins", "values")
    return all(np.array_equal(getattr(first, n), getattr(second, n), equal_nan=n == "values") for n in names)


# ---------------------------------------------------------------------- each setting has its effect


def test_games_is_the_number_of_games() -> None:
    assert generator(replace(PLAIN, games=7)).generate(0).stats.games == 7


def test_simulations_are_searched() -> None:
    policy = generator(replace(PLAIN, simulations=0)).generate(0)
    assert policy.stats.simulations == 0 and not policy.policies.any()
    for simulations in (3, 6):
        games = generator(replace(PLAIN, simulations=simulations)).generate(0)
        # a solved position has its target from the solver
        shares = games.policies[~GameBatch.from_packed(games.states, game=GAME).is_solvable] * simulations
        # every visit share is a whole number of simulations
        assert np.abs(shares - np.rint(shares)).max() < 1e-5 and shares.any(axis=1).all()
        assert games.stats.simulations % simulations == 0 and games.stats.simulations >= simulations * len(shares)


def test_search_settings_reach_the_search() -> None:
    """Fails if the search ignores its settings: visit shares leave actions at zero, completed Q leaves none."""
    legal = {}
    for target in ("visits", "completed_q"):
        games = generator(replace(PLAIN, search=SearchSettings(policy_target=target))).generate(0)
        batch = GameBatch.from_packed(games.states, game=GAME)
        legal[target] = (games.policies > 0)[batch.legal_mask() & (batch.ply < 4)[:, None]].mean()
    assert legal["visits"] < 0.7 and legal["completed_q"] == 1.0


def test_temperature_scales_the_noise_of_a_gumbel_root() -> None:
    """Fails if temperature 0 leaves noise at a Gumbel root: without noise all first moves are the same."""
    gumbel = replace(PLAIN, search=SearchSettings(root_selection="gumbel"), simulations=8)
    assert len(openings(generator(gumbel, temperature=0.0).generate(0))) == 1
    assert len(openings(generator(gumbel, temperature=1.0).generate(0))) > 3


def test_temperature_is_asked_in_every_iteration() -> None:
    temperatures = iter([1.0, 0.0, 1.0])
    one = LocalGenerator(
        lambda: replace(PLAIN, simulations=0), player(), self_play(), temperature=lambda: next(temperatures), seed=5
    )
    assert [len(openings(one.generate(iteration))) > 1 for iteration in range(3)] == [True, False, True]


def test_each_iteration_and_each_process_has_its_own_deals() -> None:
    """Else a run would learn from the same few thousand deals for ever."""
    settings = replace(PLAIN, games=8, simulations=0)
    network = ResidualMLP("beasty_bar", width=8, blocks=0)

    def deals(iteration: int, **changes: int) -> set[bytes]:
        games = generator(settings, network, **changes).generate(iteration)
        batch = GameBatch.from_packed(games.states)
        # what is left to draw, as the game ends, tells deals apart
        return {games.states[row].tobytes() for row in np.flatnonzero(batch.ply == 0)}

    first = deals(0)
    assert len(first) == 8 and deals(0) == first
    for others in (deals(1), deals(2), deals(0, rank=1), deals(0, seed=6)):
        assert len(others) == 8 and not others & first


def test_settings_are_asked_in_every_iteration() -> None:
    """Fails if settings are read only once: schedules change them between two iterations."""
    changing = iter([PLAIN, replace(PLAIN, games=3, simulations=0)])
    one = LocalGenerator(lambda: next(changing), player(), self_play(), temperature=lambda: 1.0, seed=5)
    first, second = one.generate(0), one.generate(1)
    assert (first.stats.games, second.stats.games) == (24, 3)
    assert first.stats.simulations > 0 == second.stats.simulations


@pytest.mark.parametrize("value_target", ["outcome", "endgame"])
def test_value_target_decides_what_positions_learn(make_network: Callable[..., ResidualMLP], value_target: str) -> None:
    """Fails if the setting has no effect, or one where the opponent plays endgames perfectly."""
    settings = replace(PLAIN, games=60, simulations=0)
    pool = OpponentPool(["random"], 0.0, 0.0)
    network = make_network()
    games = generator(replace(settings, value_target=value_target), network, pool).generate(0)
    won, _, lost = games.results["random"]
    as_played = 12 * (won - lost)
    assert len(games.outcomes) == 12 * 60
    assert (games.outcomes.sum() == as_played) == (value_target == "outcome")
    other = generator(settings, network, pool).generate(0)
    assert np.array_equal(games.states, other.states), "the games themselves are the same"


class Noting(ResidualMLP):
    """Notes how many rows each call has, and PyTorch's threads in it."""

    def __init__(self, game: str = GAME, width: int = 8, blocks: int = 0) -> None:
        super().__init__(game, width=width, blocks=blocks)
        self.rows: list[int] = []

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        self.rows.append(len(observations))
        logits, values = super().forward(observations)
        return logits, values


@pytest.mark.parametrize("parallel_games", [1, 8, 24])
def test_parallel_games_fill_the_network_s_batches(parallel_games: int) -> None:
    network = Noting()
    generator(replace(PLAIN, parallel_games=parallel_games), network).generate(0)
    assert max(network.rows) == parallel_games


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_play_side_by_side(make_network: Callable[..., ResidualMLP], threads: int) -> None:
    """Fails if lanes share a thread, or there are more than two lanes."""
    seen: set[int] = set()

    def look(games: float) -> None:
        seen.add(sum(thread.name == "lane" for thread in threading.enumerate()))

    settings = replace(PLAIN, games=400, simulations=16, threads=threads)
    games = generator(settings, make_network(), on_progress=look).generate(0)
    assert max(seen) == threads
    assert games.stats.thread_seconds == pytest.approx(threads * games.stats.seconds)


@pytest.mark.parametrize("evaluator", ["torch", "torch_bf16", "onnx_fp32"])
def test_the_evaluator_rates_the_positions(make_network: Callable[..., ResidualMLP], evaluator: str) -> None:
    """Fails if the setting is ignored: each evaluator rounds differently, and so chooses other moves somewhere."""
    network = make_network(3, width=64, blocks=2)
    settings = replace(PLAIN, games=40, simulations=8)
    plain = generator(settings, network).generate(0)
    games = generator(replace(settings, evaluator=evaluator), network).generate(0)
    assert (evaluator == "torch") == same(games, plain)


def test_an_evaluator_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(ImportError, match="onnx"):
        generator(replace(PLAIN, evaluator="onnx_int8")).generate(0)


# ---------------------------------------------------------------------- seeds, opponents, progress


def test_games_are_of_seed_rank_and_iteration(make_network: Callable[..., ResidualMLP]) -> None:
    network = make_network()
    plain = generator(network=network).generate(3)
    assert same(generator(network=network).generate(3), plain)
    one = generator(network=network)
    one.generate(2)
    assert same(one.generate(3), plain), "what was played before leaves no trace"
    one.close()
    assert same(one.generate(3), plain), "nor does a closed generator's memory"
    for other in (
        generator(network=network, seed=6).generate(3),
        generator(network=network, rank=1).generate(3),
        generator(network=network).generate(4),
    ):
        assert not {row.tobytes() for row in other.states} & {row.tobytes() for row in plain.states}


def test_statistics_name_the_process() -> None:
    for rank in (0, 3):
        games = generator(rank=rank).generate(0)
        assert games.stats.seconds_of.keys() == {f"rank {rank}"} and not games.stats.has_workers


class First:
    """Plays the first legal action."""

    def select_action(self, state: State, legal_actions: Sequence[Action]) -> Action:
        return legal_actions[0]


class Waits(First):
    """Never answers."""

    def select_action(self, state: State, legal_actions: Sequence[Action]) -> Action:
        while True:
            pass


def test_all_kinds_of_opponents_play() -> None:
    """Fails if a kind of opponent does not play, or the past plays with newer weights."""
    pool = OpponentPool(["random", "mine"], 0.25, 0.25, agents={"mine": First()})
    pool.add_snapshot(7, player(3))
    games = generator(replace(PLAIN, games=40, simulations=0), player(0), pool).generate(8)
    assert {name: sum(result) for name, result in games.results.items()} == pool.plan(40)
    assert games.results.keys() == {"self_play", "past_7", "random", "mine"}
    # the learner fills the first column and then the next; the past has four in the middle first, where it begins
    assert openings(games) >= {0, 3}


def test_an_agent_has_its_time_limit() -> None:
    pool = OpponentPool(["mine"], 0.0, 0.0, agents={"mine": Waits()}, agent_time_limit=0.3)
    with pytest.raises(AgentTimeoutError, match=r"^opponent mine: select_action has taken more than 0\.3 s"):
        generator(replace(PLAIN, simulations=0), pool=pool).generate(0)


def test_progress_is_told_and_may_end_the_games() -> None:
    told: list[float] = []
    generator(on_progress=told.append).generate(0)
    assert told == sorted(told) and told[-1] == 24

    def end(games: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generator(on_progress=end).generate(0)


def test_the_network_learns_on_afterwards() -> None:
    """Fails if self-play leaves the network in evaluation mode, or plays in training mode."""
    network = player().train()
    one = generator(network=network)
    one.check()
    one.generate(0)
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert torch.is_grad_enabled()


def test_memory_that_runs_out_names_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> Any:
        raise MemoryError

    network = Noting()
    monkeypatch.setattr(network, "forward", full)
    with pytest.raises(MemoryError) as raised:
        generator(network=network).generate(0)
    (note,) = raised.value.__notes__
    assert note.startswith("Out of memory in self-play: lower data.generation.parallel_games (now 1024) or, ")
