"""Agents of a real checkpoint: one at a time or many, and blind to what the mover cannot see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lit_trainer import Agent, NetworkAgent, load_agent
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
    outcomes, _ = play_match(player, BuiltinPlayer("random", 1), 10, game="beasty_bar", seed=2)
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
