"""Agents of a real checkpoint: one at a time or many, and blind to what the mover cannot see."""

from __future__ import annotations

import copy
import pickle
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lit_trainer import Agent, IsmctsAgent, NetworkAgent, load_agent
from lit_trainer.measuring.matches import play_match
from lit_trainer.players.engine_players import BuiltinPlayer
from lit_trainer.players.python_player import PythonPlayer
from sim_core import ACTIONS, Action, GameBatch, State, solve_endgame


def positions(n: int = 72, seed: int = 1) -> list[State]:
    """Returns random positions at plies 0 to 23 in turn."""
    batch = GameBatch(n, seed)
    while (going := batch.ply < np.arange(n) % 24).any():
        batch.step(np.where(going, batch.opponent_actions("random", seed), -1))
    return [batch.state(i) for i in range(n)]


@pytest.mark.parametrize("simulations", [0, 8])
def test_choices_are_legal_and_repeat(checkpoint_path: Path, simulations: int) -> None:
    agent = load_agent(checkpoint_path, simulations=simulations, seed=3)
    assert isinstance(agent, NetworkAgent)
    assert isinstance(agent, Agent)
    for state in positions():
        action = agent.select_action(state, state.legal_actions())
        assert isinstance(action, Action)
        assert action in state.legal_actions()
        assert agent.select_action(state, state.legal_actions()) == action
    many = agent.select_actions(positions())
    assert load_agent(str(checkpoint_path), simulations, 3).select_actions(positions()) == many
    assert agent.select_actions([]) == []


def test_without_search_it_plays_the_networks_best_move(checkpoint_path: Path, first_run: tuple[Any, Path]) -> None:
    network = first_run[0].module.network.eval()
    agent = load_agent(checkpoint_path)
    for state in positions():
        with torch.no_grad():
            logits, _ = network(torch.from_numpy(state.observe())[None])
        best = max(state.legal_actions(), key=lambda action: float(logits[0, action.id]))
        assert agent.select_action(state, state.legal_actions()) == best


@pytest.mark.parametrize("simulations", [0, 8])
def test_many_at_once_are_the_same_as_one_by_one(checkpoint_path: Path, simulations: int) -> None:
    """Fails if a move depends on the other positions of the call."""
    agent = load_agent(checkpoint_path, simulations=simulations, seed=3)
    states = positions()
    many = agent.select_actions(states)
    assert many == [agent.select_action(state, state.legal_actions()) for state in states]
    assert many[::-1] == agent.select_actions(states[::-1])


@pytest.mark.parametrize("simulations", [0, 8])
def test_what_the_mover_cannot_see_changes_nothing(checkpoint_path: Path, simulations: int) -> None:
    agent = load_agent(checkpoint_path, simulations=simulations, seed=3)
    states = positions()
    chosen = [agent.select_action(state, state.legal_actions()) for state in states]
    for seed in (1, 2, 3):
        others = [state.determinize(seed) for state in states]
        assert [agent.select_action(state, state.legal_actions()) for state in others] == chosen
        assert sum(a != b for a, b in zip(others, states, strict=True)) > 30


def test_with_search_its_endgame_is_exact(checkpoint_path: Path) -> None:
    agent = load_agent(checkpoint_path, simulations=1)
    for state in positions(144):
        if state.is_solvable and state.ply < 23:
            after = state.step(agent.select_action(state, state.legal_actions()))
            assert -solve_endgame(after)[0] == solve_endgame(state)[0]


def test_it_plays_whole_matches_as_an_agent_in_python(checkpoint_path: Path) -> None:
    player = PythonPlayer("trained", load_agent(checkpoint_path, simulations=2))
    outcomes = play_match(player, BuiltinPlayer("random", 1), 10, game="beasty_bar", seed=2).outcomes
    assert len(outcomes) == 10


def test_finished_positions_and_other_games_are_refused(checkpoint_path: Path) -> None:
    agent = load_agent(checkpoint_path)
    batch = GameBatch(1, 5)
    batch.play_random()
    over = batch.state(0)
    with pytest.raises(ValueError, match=r"^state: .*over"):
        agent.select_action(over, over.legal_actions())
    with pytest.raises(ValueError, match=r"^states: .*over"):
        agent.select_actions([State.initial(1), over])
    other = State.initial(1, game="beasty_bar_animals")
    for ask in (
        lambda: agent.select_action(other, other.legal_actions()),
        lambda: agent.select_actions([State.initial(1), other]),
    ):
        with pytest.raises(ValueError, match=r"^states: .*beasty_bar_animals.*beasty_bar"):
            ask()


def test_wrong_arguments_are_refused_by_name(checkpoint_path: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^simulations: -1"):
        load_agent(checkpoint_path, simulations=-1)
    with pytest.raises(FileNotFoundError, match=r"none\.ckpt"):
        load_agent(tmp_path / "none.ckpt")
    assert len(ACTIONS) == load_agent(checkpoint_path).network.num_actions


# ---------------------------------------------------------------------- threads and copies


@pytest.mark.parametrize("agent_of", ["policy", "search", "ismcts"])
def test_eight_threads_get_the_moves_of_one(checkpoint_path: Path, agent_of: str) -> None:
    """A search in memory that another thread searches in ends the process."""
    agent: Agent = IsmctsAgent(16, 3)
    if agent_of != "ismcts":
        agent = load_agent(checkpoint_path, simulations=16 if agent_of == "search" else 0, seed=3)
    states = [state for state in positions() if not state.is_terminal]
    alone = [agent.select_action(state, state.legal_actions()) for state in states]

    def move(k: int) -> Action:
        state = states[k % len(states)]
        return agent.select_action(state, state.legal_actions())

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(move, range(2000))) == [alone[k % len(states)] for k in range(2000)]


@pytest.mark.parametrize("simulations", [0, 4])
def test_sampled_moves_follow_the_seed_and_the_number_of_the_call(checkpoint_path: Path, simulations: int) -> None:
    network, state = load_agent(checkpoint_path).network, State.initial(1)

    def agent(seed: int = 3) -> NetworkAgent:
        return NetworkAgent(network, simulations, seed, temperature=1.0)

    def moves(asked: NetworkAgent, count: int = 200) -> list[Action]:
        return [asked.select_action(state, state.legal_actions()) for _ in range(count)]

    first = moves(agent())
    assert len(set(first)) > 1 and set(first) <= set(state.legal_actions())
    assert moves(agent()) == first != moves(agent(4))
    # many positions in one call are as many calls
    asked = agent()
    assert asked.select_actions([state] * 50) + moves(asked, 50) + asked.select_actions([state] * 100) == first
    # from many threads come the same moves, in whatever order
    asked = agent()
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda _: asked.select_action(state, state.legal_actions()), range(200)))
    assert Counter(map(str, together)) == Counter(map(str, first))


def test_sampled_moves_are_as_often_as_the_policy_says(checkpoint_path: Path) -> None:
    agent = NetworkAgent(load_agent(checkpoint_path).network, temperature=1.0)
    state = State.initial(1)
    policy = agent._player.policy(GameBatch.from_states([state]))[0]
    counts = Counter(action.id for action in agent.select_actions([state] * 4000))
    for action in state.legal_actions():
        share = float(policy[action.id])
        assert abs(counts[action.id] / 4000 - share) < 5 * np.sqrt(share * (1 - share) / 4000) + 1e-3


@pytest.mark.parametrize("simulations", [0, 4])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_copies_of_an_agent_play_on_as_it_would(checkpoint_path: Path, simulations: int, temperature: float) -> None:
    states = [state for state in positions() if not state.is_terminal]
    agent = NetworkAgent(load_agent(checkpoint_path).network, simulations, 3, temperature)
    agent.select_actions(states[:7])
    copies = [copy.deepcopy(agent), pickle.loads(pickle.dumps(agent))]
    for other in copies:
        assert other.network is not agent.network and other._player.evaluator.network is other.network  # type: ignore[attr-defined]
    expected = agent.select_actions(states)
    assert [other.select_actions(states) for other in copies] == [expected, expected]
    plain = IsmctsAgent(5)
    assert pickle.loads(pickle.dumps(plain)).select_action(states[0], states[0].legal_actions()) == plain.select_action(
        states[0], states[0].legal_actions()
    )
