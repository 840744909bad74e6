"""Players inside the engine: built-in opponents, and tree search without a network."""

from __future__ import annotations

import numpy as np
import pytest

from lit_trainer import IsmctsAgent
from lit_trainer.measuring.matches import play_match
from lit_trainer.players.engine_players import BuiltinPlayer, IsmctsPlayer
from lit_trainer.players.protocols import Agent
from lit_trainer.players.python_player import PythonPlayer
from sim_core import Action, GameBatch, State, games


def played(n: int, seed: int, plies: int | np.ndarray) -> GameBatch:
    batch = GameBatch(n, seed)
    while (going := batch.ply < plies).any():
        batch.step(np.where(going, batch.opponent_actions("random", seed), -1))
    return batch


def test_a_built_in_player_is_the_engines() -> None:
    batch = played(30, 5, np.arange(30) % 20)
    moves = BuiltinPlayer("noisy", 4).act(batch)
    assert moves.actions.tolist() == batch.opponent_actions("noisy", 4).tolist()
    assert moves.actions.dtype == np.int64
    assert moves.policy is None


def positions(game: str, n: int = 60) -> list[State]:
    """Returns random positions at plies 0 to 14 in turn."""
    batch = GameBatch(n, 1, game=game)
    while (going := (batch.ply < np.arange(n) % 15) & ~batch.is_terminal).any():
        batch.step(np.where(going, batch.opponent_actions("random", 1), -1))
    return [batch.state(i) for i in range(n) if not batch.is_terminal[i]]


@pytest.mark.parametrize("game", games())
def test_equal_positions_get_equal_moves(game: str) -> None:
    """A stream that goes on from call to call, or that depends on the other positions of a batch."""
    agent, again = IsmctsAgent(60, seed=3), IsmctsAgent(60, seed=3)
    assert isinstance(agent, Agent)
    states = positions(game)
    moves = [agent.select_action(state, state.legal_actions()) for state in states]
    assert all(move in state.legal_actions() for move, state in zip(moves, states, strict=True))
    assert moves == [agent.select_action(state, state.legal_actions()) for state in states]
    assert moves[::-1] == [again.select_action(state, state.legal_actions()) for state in states[::-1]]
    others = [IsmctsAgent(60, seed=4).select_action(state, state.legal_actions()) for state in states]
    assert others != moves, "the seed has no effect"
    batch = GameBatch.from_states(states, streams=0)
    one, two = (IsmctsPlayer(60, 8, threads).act(batch).actions for threads in (1, 2))
    assert one.dtype == np.int64 and (one == two).all()


@pytest.mark.parametrize("game", ["beasty_bar", "beasty_bar_animals"])
def test_what_the_mover_cannot_see_changes_no_move(game: str) -> None:
    agent, changed = IsmctsAgent(60, seed=3), 0
    for state in positions(game):
        move = agent.select_action(state, state.legal_actions())
        for seed in range(4):
            other = state.determinize(seed)
            changed += other != state
            assert agent.select_action(other, other.legal_actions()) == move
    assert changed > 150


@pytest.mark.parametrize("game", games())
def test_it_beats_random(game: str) -> None:
    """Values with the wrong sign, or the least visited action."""
    outcomes = play_match(IsmctsPlayer(50, 5), BuiltinPlayer("random", 7), 100, game=game, seed=11).outcomes
    assert np.mean((outcomes + 1) / 2) > 0.85
    agent = PythonPlayer("agent", IsmctsAgent(50, seed=5))
    outcomes = play_match(agent, BuiltinPlayer("random", 7), 40, game=game, seed=11).outcomes
    assert np.mean((outcomes + 1) / 2) > 0.75


def test_wrong_arguments_are_refused_when_it_is_made() -> None:
    for make in (lambda n: IsmctsPlayer(n, 1), IsmctsAgent):
        for iterations in (0, -1, 1_000_001, 2.5, True, "5"):
            with pytest.raises(ValueError, match=r"^iterations: "):
                make(iterations)
    with pytest.raises(ValueError, match=r"^threads: "):
        IsmctsPlayer(5, 1, threads=0)
    state = positions("connect_four")[0]
    nothing: list[Action] = []
    with pytest.raises(ValueError, match="is over, there is no action to select"):
        IsmctsAgent(5).select_action(state, nothing)
