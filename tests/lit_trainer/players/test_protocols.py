"""What counts as an agent, and that every kind of opponent offers the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lit_trainer import Agent, IsmctsAgent, load_agent
from lit_trainer.players.protocols import Moves
from lit_trainer.players.specs import make
from sim_core import ACTIONS, GameBatch


def test_an_agent_is_what_selects_actions(checkpoint_path: Path) -> None:
    assert isinstance(IsmctsAgent(3), Agent) and isinstance(load_agent(checkpoint_path), Agent)
    assert not isinstance(make("random"), Agent) and not isinstance(object(), Agent)


def test_every_opponent_makes_players_of_legal_moves(checkpoint_path: Path) -> None:
    batch = GameBatch(30, 5)
    legal = batch.legal_mask()
    for name in (
        "skunk",
        "ismcts:3",
        f"{checkpoint_path}",
        f"{checkpoint_path}@2",
        "lit_trainer.IsmctsAgent(iterations=2)",
    ):
        opponent = make(name)
        assert "beasty_bar" in opponent.games and opponent.name
        moves = opponent.player(seed=2, threads=1).act(batch)
        assert isinstance(moves, Moves) and moves.actions.dtype == np.int64 and moves.actions.shape == (30,)
        assert legal[np.arange(30), moves.actions].all()
        assert (opponent.player(2, threads=2).act(batch).actions == moves.actions).all()
        if moves.policy is not None:
            assert moves.policy.shape == (30, len(ACTIONS)) and moves.policy.dtype == np.float32
        assert (moves.values is not None) == name.endswith("@2")
