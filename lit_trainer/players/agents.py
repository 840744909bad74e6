"""Plays single positions: a network or a tree search behind `select_action`."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any

from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.networks.evaluators import TorchEvaluator
from lit_trainer.players.engine_players import IsmctsPlayer, builtin_names
from lit_trainer.players.histories import History
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.utils.seeding import derive_seed
from sim_core import Action, AgentModel, GameBatch, State, get_game


def _check_opponent(opponent: object, known: Sequence[str]) -> None:
    if opponent is not None and opponent not in known:
        raise ValueError(f"opponent: {opponent!r} given, expected None or one of {', '.join(known)}")


class IsmctsAgent:
    """Plays single positions of any game by tree search without a network.

    It never reads what the player to move cannot see. Equal positions get equal moves. Several threads may ask at once.

    Args:
        iterations: Iterations per move, 1 to 1,000,000.
        seed: Random seed of the search. The same seed gives the same moves.
        opponent: Name of the built-in opponent that it expects on the other side. It does not conclude from what was
            played which cards that opponent holds. None: the other side plays what is best for it.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(self, iterations: int, seed: int = 0, opponent: str | None = None) -> None:
        _check_opponent(opponent, builtin_names())
        self._player = IsmctsPlayer(iterations, derive_seed(seed, "agent"), opponent=opponent)

    def select_action(self, state: State, legal_actions: Sequence[Action]) -> Action:
        """Returns the action for the player to move. Raises ValueError if the game is over."""
        if not legal_actions:
            raise ValueError(f"state: '{state}' is over, there is no action to select")
        moves = self._player.act(GameBatch.from_states([state], streams=0))
        return Action(int(moves.actions[0]), state.game)


class NetworkAgent:
    """Plays a network's moves in single positions.

    It never reads what the player to move cannot see. At temperature 0 equal positions get equal moves, because
    determinizations depend only on the seed and the position's ply. Above 0 the draws depend on how many positions the
    agent was asked about before, too. Several threads may ask at once, and copies, pickled ones too, go on as it would.

    Args:
        network: Policy-value network; it is put into evaluation mode.
        simulations: Simulations per move. 0 plays the raw policy.
        seed: Random seed of search and sampling. Two agents of one seed, asked alike, move alike.
        temperature: Temperature at which moves are sampled. 0 plays the best move.
        opponent: Name of the built-in opponent that it expects on the other side: in its search that side plays by this
            opponent's rule, the network is told of it, if it can be, and what was played tells which cards it may
            hold. An `AgentModel`: the same of this agent, without telling the network. "infer": it concludes from what
            was played which of all built-in opponents it plays, or none of them. None: it expects the other side to
            play as it would.

    Raises:
        ValueError: The game has no such opponent.
    """

    def __init__(
        self,
        network: PolicyValueNetwork,
        simulations: int = 0,
        seed: int = 0,
        temperature: float = 0.0,
        opponent: str | AgentModel | None = None,
    ) -> None:
        rules = get_game(network.game)
        if not isinstance(opponent, AgentModel):
            _check_opponent(opponent, (*rules.opponents, "infer") if rules.has_hidden_hands else rules.opponents)
        self.network = network.eval()
        self._player = NetworkPlayer(
            TorchEvaluator(network),
            simulations=simulations,
            temperature=temperature,
            seed=derive_seed(seed, "agent"),
            opponent_model=opponent or "none",
        )
        self._asked = 0
        self._counting = threading.Lock()

    def select_action(self, state: State, legal_actions: Sequence[Action], history: History = ()) -> Action:
        """Returns the action for the player to move.

        Args:
            state: Position.
            legal_actions: Its legal actions.
            history: What was played before it, from the first turn on: each turn's position, and the action taken
                there. It matters only where an opponent is expected. Empty: all hands of that opponent are as likely.

        Raises:
            ValueError: The game is over or another one than the network's, or a turn of the history is missing or
                contradicts the next one. If that opponent would not have played so, it is no error: then no opponent
                is expected from there on.
        """
        if not legal_actions:
            raise ValueError(f"state: '{state}' is over, there is no action to select")
        return self._select([state], [history], "history")[0]

    def select_actions(self, states: Sequence[State], histories: Sequence[History] | None = None) -> list[Action]:
        """Returns the actions for many positions, in one batched call. They are those of one call after the other.

        Args:
            states: Positions.
            histories: What was played before each of them; see `select_action`. None: nothing is known of that.

        Raises:
            ValueError: A position is over or of another game than the network, or a history is wrong.
        """
        return self._select(states, histories, "histories") if states else []

    def _select(self, states: Sequence[State], histories: Sequence[History] | None, field: str) -> list[Action]:
        for state in states:
            if state.game != self.network.game:
                raise ValueError(f"states: '{state}' is of {state.game}, the network plays {self.network.game}")
            if state.is_terminal:
                raise ValueError(f"states: '{state}' is over, there is no action to select")
        beliefs = self._player.believe(states, histories, field)
        batch = GameBatch.from_states(states, streams=self._streams(len(states)))
        return [Action(int(k), self.network.game) for k in self._player.act(batch, beliefs).actions]

    def _streams(self, count: int) -> int | range:
        """Returns the numbers of the next positions' random streams, or the one for all of them at temperature 0."""
        if self._player.temperature == 0.0:
            return 0
        with self._counting:
            first, self._asked = self._asked, self._asked + count
        return range(first, first + count)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_counting"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _counting=threading.Lock())


def load_agent(
    checkpoint: str | os.PathLike[str],
    simulations: int = 0,
    seed: int = 0,
    opponent: str | AgentModel | None = None,
) -> NetworkAgent:
    """Returns the agent of a checkpoint.

    Args:
        checkpoint: Path of a checkpoint that a run wrote.
        simulations: Simulations per move. 0 plays the raw policy.
        seed: Random seed of the search. The same seed gives the same moves.
        opponent: Name of the built-in opponent that it expects on the other side, an `AgentModel`, or "infer"; see
            `NetworkAgent`. None: it expects the other side to play as it would.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is damaged, or holds none of this library's networks, or the game has no such opponent.
    """
    return NetworkAgent(Checkpoint.read(checkpoint).network, simulations, seed, opponent=opponent)
