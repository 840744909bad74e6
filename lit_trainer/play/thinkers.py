"""Whom a person can play: checkpoints, built-in opponents and `ismcts:N`, each saying why it moves as it does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lit_trainer.checkpoints.reader import build_network, read_checkpoint
from lit_trainer.networks.evaluators import TorchEvaluator
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.specs import ismcts_iterations
from lit_trainer.utils.seeding import derive_seed
from sim_core import Action, GameBatch, State, games, get_game, ismcts
from sim_core.tree_search.settings import MAX_SIMULATIONS

ADVISER = "ismcts:1000"  # gives hints in place of an opponent that has no reasons


class Thought(NamedTuple):
    """A move and its reasons, as seen by the player to move and by nobody else."""

    action: Action
    shares: tuple[tuple[Action, float], ...] = ()
    """Every action that was weighed, with its share of the visits (of the policy without search), best first."""
    win_chance: float | None = None
    """Expected result for the player to move, a draw counting half."""


# a batch of one game to the move, shares [A] or none, and value in -1 to 1 or none
_Choose = Callable[[GameBatch], tuple[int, NDArray[np.float32] | None, float | None]]


class Thinker:
    """One agent by name; any thread may ask it, one at a time is answered.

    Equal positions of one game get equal moves.

    Args:
        name: as a person reads it.
        games: names of the games that it plays.
        choose: answers for a batch of one position.
        has_reasons: whether it says more than its move.
    """

    def __init__(self, name: str, games: tuple[str, ...], choose: _Choose, has_reasons: bool = True) -> None:
        self.name = name
        self.games = games
        self.has_reasons = has_reasons
        self._choose = choose
        self._lock = threading.Lock()

    def think(self, state: State, seed: int = 0) -> Thought:
        """Its move for the player to move.

        Args:
            state: the position; what the player to move cannot see has no influence.
            seed: of the game, so that two games draw differently.

        Raises:
            ValueError: the game is over, or not one that it plays.
        """
        if state.game not in self.games:
            raise ValueError(f"game: {state.game} given, but {self.name} plays {' and '.join(self.games)}")
        if state.is_terminal:
            raise ValueError(f"state: '{state}' is over, there is no action to select")
        batch = GameBatch.from_states([state], streams=[derive_seed(seed, "game")])
        with self._lock:
            number, shares, value = self._choose(batch)
        weighed = [] if shares is None else [(k, float(shares[k.id])) for k in state.legal_actions()]
        # the move itself comes first among equals
        weighed.sort(key=lambda pair: (-pair[1], pair[0].id != number, pair[0].id))
        return Thought(Action(number, state.game), tuple(weighed), None if value is None else (1.0 + value) / 2.0)


def _builtin(name: str, seed: int) -> Thinker:
    def choose(batch: GameBatch) -> tuple[int, None, None]:
        return int(batch.opponent_actions(name, derive_seed(seed, "agent"))[0]), None, None

    return Thinker(name, tuple(game for game in games() if name in get_game(game).opponents), choose, False)


def _ismcts(name: str, iterations: int, seed: int) -> Thinker:
    def choose(batch: GameBatch) -> tuple[int, NDArray[np.float32], float]:
        found = ismcts(batch, iterations, seed=derive_seed(seed, "agent"))
        shares = (found.visit_counts[0] / iterations).astype(np.float32)
        return int(found.actions[0]), shares, float(found.value[0])

    return Thinker(name, games(), choose)


def _network(path: Path, simulations: int, seed: int) -> Thinker:
    network = build_network(read_checkpoint(path), repr(str(path)))
    player = NetworkPlayer(
        TorchEvaluator(network), simulations=simulations, temperature=0.0, seed=derive_seed(seed, "agent")
    )

    def choose(batch: GameBatch) -> tuple[int, NDArray[np.float32], float]:
        if simulations == 0:
            policy = player.policy(batch)[0]
            return int(policy.argmax()), policy, float(player.evaluator(batch.observe(), batch.legal_mask())[1][0])
        found = player.search(batch)
        return int(found.actions[0]), found.policy[0], float(found.value[0])

    how = f"{simulations} simulations" if simulations else "no search"
    # the run's name tells one `last` from another; more of the path is nobody's business
    run = path.resolve().parent.parent.parent.name if path.stem == "last" else ""
    return Thinker(f"{run + ' ' if run else ''}{path.stem}, {how}", (network.game,), choose)


def builtin_names(game: str) -> tuple[str, ...]:
    """The built-in opponents of that game."""
    return tuple(get_game(game).opponents)


def make_thinker(agent: str, *, simulations: int = 64, seed: int = 0) -> Thinker:
    """The agent of that name.

    Args:
        agent: the path of a checkpoint, a built-in opponent's name, or ``ismcts:N``.
        simulations: search simulations a move, of a checkpoint's network; 0 plays its policy.
        seed: of its random choices.

    Raises:
        ValueError: nothing of that name is known, the checkpoint is damaged, or a number is out of range.
    """
    if isinstance(simulations, bool) or not isinstance(simulations, int) or not 0 <= simulations <= MAX_SIMULATIONS:
        raise ValueError(f"simulations: {simulations!r} given, expected 0 (the raw policy) to {MAX_SIMULATIONS:,}")
    iterations = ismcts_iterations("agent", agent)
    if iterations is not None:
        return _ismcts(agent, iterations, seed)
    known = sorted({name for game in games() for name in get_game(game).opponents})
    if agent in known:
        return _builtin(agent, seed)
    if not Path(agent).is_file():
        raise ValueError(
            f"agent: {agent!r} is neither a file nor known; expected the path of a checkpoint, ismcts:N, "
            f"or one of {', '.join(known)}"
        )
    return _network(Path(agent), simulations, seed)


def default_agent(game: str, folder: Path | None = None) -> str:
    """The strongest agent that lies about: a finished run's checkpoint, else the newest run's, else a built-in one.

    Args:
        game: the game it has to play; checkpoints of another are passed over.
        folder: where to look, by default the working directory.
    """
    root = folder or Path()
    runs = sorted(root.glob("runs/*/version_*/checkpoints/last.ckpt"), key=lambda path: -path.stat().st_mtime)
    for path in (root / "checkpoints/iter1000.ckpt", root / "checkpoints/iter600.ckpt", *runs):
        if path.is_file():
            try:
                if build_network(read_checkpoint(path)).game == game:
                    return str(path)
            except ValueError:
                continue  # damaged, or of another version
    names = builtin_names(game)
    return "outcome_heuristic" if "outcome_heuristic" in names else names[-1]
