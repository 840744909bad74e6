"""Agents for single positions: a network or a tree search behind `select_action`."""

from __future__ import annotations

import os
from collections.abc import Sequence

from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.networks.evaluators import TorchEvaluator
from lit_trainer.players.engine_players import IsmctsPlayer
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.utils.seeding import derive_seed
from sim_core import Action, GameBatch, State


class IsmctsAgent:
    """Plays single positions of any game by `IsmctsPlayer`; it never reads what the player to move cannot see.

    Equal positions get equal moves.

    Args:
        iterations: a move, 1 to 1,000,000.
        seed: of everything the search draws.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, iterations: int, seed: int = 0) -> None:
        self._player = IsmctsPlayer(iterations, derive_seed(seed, "agent"))

    def select_action(self, state: State, legal_actions: Sequence[Action]) -> Action:
        """The action for the player to move. Raises ValueError where the game is over."""
        if not legal_actions:
            raise ValueError(f"state: '{state}' is over, there is no action to select")
        moves = self._player.act(GameBatch.from_states([state], streams=0))
        return Action(int(moves.actions[0]), state.game)


class NetworkAgent:
    """Plays a network's best move; it never reads what the player to move cannot see.

    Equal positions get equal moves: determinizations are drawn from the seed and the position's ply.

    Args:
        network: policy-value network; put into evaluation mode.
        simulations: search simulations a move; 0 plays the policy alone.
        seed: of the search.
        temperature: 0 plays the best move; above 0 moves are sampled.
    """

    def __init__(
        self, network: PolicyValueNetwork, simulations: int = 0, seed: int = 0, temperature: float = 0.0
    ) -> None:
        self.network = network.eval()
        self._player = NetworkPlayer(
            TorchEvaluator(network),
            simulations=simulations,
            temperature=temperature,
            seed=derive_seed(seed, "agent"),
        )

    def select_action(self, state: State, legal_actions: Sequence[Action]) -> Action:
        """The action for the player to move. Raises ValueError where the game is over."""
        if not legal_actions:
            raise ValueError(f"state: '{state}' is over, there is no action to select")
        return self.select_actions([state])[0]

    def select_actions(self, states: Sequence[State]) -> list[Action]:
        """The actions for many positions in one batched call.

        Raises:
            ValueError: a position is over, or of another game than the network.
        """
        if not states:
            return []
        for state in states:
            if state.game != self.network.game:
                raise ValueError(f"states: '{state}' is of {state.game}, the network plays {self.network.game}")
            if state.is_terminal:
                raise ValueError(f"states: '{state}' is over, there is no action to select")
        batch = GameBatch.from_states(states, streams=0)  # one stream for all: equal positions, equal moves
        return [Action(int(k), self.network.game) for k in self._player.act(batch).actions]


def load_agent(checkpoint: str | os.PathLike[str], simulations: int = 0, seed: int = 0) -> NetworkAgent:
    """The agent of a checkpoint.

    Args:
        checkpoint: path of a file written by a run.
        simulations: search simulations a move; 0 plays the policy alone.
        seed: of the search.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or not of this library's networks.
    """
    return NetworkAgent(Checkpoint.read(checkpoint).network, simulations, seed)
