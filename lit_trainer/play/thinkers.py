"""Makes the agents that a person can play; those that search or have a network also give their reasons."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lit_trainer.checkpoints.newest import newest_first
from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.play.impressions import Impression, expectation, impression
from lit_trainer.players.engine_players import IsmctsPlayer
from lit_trainer.players.frozen import FrozenCheckpoint
from lit_trainer.players.histories import History
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.protocols import Opponent, Player, moves_after
from lit_trainer.players.python_player import PythonPlayer
from lit_trainer.players.specs import PlayerSpec, make, parse
from lit_trainer.utils.checks import whole_number
from lit_trainer.utils.seeding import derive_seed
from sim_core import Action, GameBatch, State, get_game
from sim_core.tree_search.settings import MAX_SIMULATIONS

ADVISER = "ismcts:1000"  # gives hints in place of an opponent that gives no reasons


class Thought(NamedTuple):
    """Holds a move and its reasons, which only the player to move may see."""

    action: Action
    shares: tuple[tuple[Action, float], ...] = ()
    """Actions that the agent considered with their shares of the visits (without search: of the policy), best first."""
    win_chance: float | None = None
    """Expected score of the player to move, 0 to 1 (draws count half). None: the agent does not say."""
    impression: Impression = Impression()
    """Conclusions of the agent about the other player."""


class Choice(NamedTuple):
    """Holds what an agent chose in a batch of one game."""

    action: int
    """Id of the action."""
    shares: NDArray[np.float32] | None = None
    """Shares of the visits or of the policy, float32 [A]. None: the agent does not say."""
    value: float | None = None
    """Value for the player to move, -1 to 1. None: the agent does not say."""
    impression: Impression = Impression()
    """Conclusions of the agent about the other player."""


_Choose = Callable[[GameBatch, History], Choice]


class Thinker:
    """Answers for one agent. Several threads may ask at once. Equal positions of one game get equal moves.

    Args:
        name: Name to show to a person.
        games: Names of the games that it plays.
        choose: Chooses an action for a batch of one position, and what was played before it. Several threads may call
            it at once.
        has_reasons: Whether it gives reasons for its moves.
    """

    def __init__(self, name: str, games: tuple[str, ...], choose: _Choose, has_reasons: bool = True) -> None:
        self.name = name
        self.games = games
        self.has_reasons = has_reasons
        self._choose = choose

    def think(self, state: State, seed: int = 0, history: History = ()) -> Thought:
        """Returns a move for the player to move, with its reasons.

        Args:
            state: Position. Cards that the player to move cannot see have no influence.
            seed: Random seed of the game, so that the agent's random choices differ from game to game.
            history: What was played before it, from the first turn on; see `NetworkAgent.select_action`. Only an agent
                that expects an opponent draws conclusions from it.

        Raises:
            ValueError: The game is over, the agent does not play it, or the history is wrong.
        """
        if state.game not in self.games:
            raise ValueError(f"game: {state.game} given, but {self.name} plays {' and '.join(self.games)}")
        if state.is_terminal:
            raise ValueError(f"state: '{state}' is over, there is no action to select")
        batch = GameBatch.from_states([state], streams=[derive_seed(seed, "game")])
        number, shares, value, found = self._choose(batch, history)
        weighed = [] if shares is None else [(k, float(shares[k.id])) for k in state.legal_actions()]
        # among equal shares the chosen move comes first
        weighed.sort(key=lambda pair: (-pair[1], pair[0].id != number, pair[0].id))
        chance = None if value is None else (1.0 + value) / 2.0
        return Thought(Action(number, state.game), tuple(weighed), chance, found)


def _network_choice(player: NetworkPlayer) -> _Choose:
    def choose(batch: GameBatch, history: History) -> Choice:
        beliefs = player.believe([batch.state(0)], [history])
        concluded = impression(player, None if beliefs is None else beliefs.games[0])
        conditions = player.conditions(batch, beliefs)
        if player.simulations == 0:
            policy = player.policy(batch, conditions)[0]
            value = player.evaluate(batch, conditions)[1][0]
            return Choice(int(policy.argmax()), policy, float(value), concluded)
        found = player.search(batch, conditions, beliefs)
        return Choice(int(found.actions[0]), found.policy[0], float(found.value[0]), concluded)

    return choose


def _ismcts_choice(player: IsmctsPlayer) -> _Choose:
    expected = expectation(player.opponent)

    def choose(batch: GameBatch, history: History) -> Choice:
        found = player.search(batch)
        shares = (found.visit_counts[0] / player.iterations).astype(np.float32)
        return Choice(int(found.actions[0]), shares, float(found.value[0]), expected)

    return choose


def _choice_alone(player: Player) -> _Choose:
    # an agent written in Python may keep its own state, so it answers one question at a time
    lock = threading.Lock() if isinstance(player, PythonPlayer) else nullcontext()

    def choose(batch: GameBatch, history: History) -> Choice:
        with lock:
            return Choice(int(moves_after(player, batch, lambda: [history]).actions[0]))

    return choose


def _choice(player: Player) -> tuple[_Choose, bool]:
    """Returns how a player chooses, and whether it gives reasons."""
    if isinstance(player, NetworkPlayer):
        return _network_choice(player), True
    if isinstance(player, IsmctsPlayer):
        return _ismcts_choice(player), True
    return _choice_alone(player), False


def _shown_name(spec: PlayerSpec, opponent: Opponent) -> str:
    if not isinstance(opponent, FrozenCheckpoint):
        return opponent.name
    path = Path(spec.target)
    how = f"{opponent.simulations} simulations" if opponent.simulations else "no search"
    # the run's name tells one `last` from another; other players need not see more of the path
    run = path.resolve().parent.parent.parent.name if path.stem == "last" else ""
    expects = {"none": "", "told": ", told its opponent", "infer": ", infers its opponent"}
    model = expects.get(opponent.opponent_model, f", expects {opponent.opponent_model}")
    return f"{run + ' ' if run else ''}{path.stem}, {how}{model}"


def make_thinker(agent: str, *, simulations: int = 64, seed: int = 0) -> Thinker:
    """Makes the agent of that name.

    Args:
        agent: Name of a player; `lit_trainer.players.specs` lists the kinds.
        simulations: Simulations per move of a checkpoint whose name has no ``@N``. 0 plays its raw policy.
        seed: Random seed of its choices.

    Raises:
        ValueError: Nothing is known by that name, the checkpoint is damaged, or a number is out of range.
    """
    whole_number("simulations", simulations, 0, MAX_SIMULATIONS)
    spec = parse(agent)
    opponent = make(spec, simulations=simulations)
    choose, has_reasons = _choice(opponent.player(derive_seed(seed, "agent")))
    return Thinker(_shown_name(spec, opponent), opponent.games, choose, has_reasons)


def default_agent(game: str, folder: Path | None = None) -> str:
    """Returns the name of the best agent it finds: a bundled checkpoint, else the newest run's, else a built-in one.

    Args:
        game: Game that it must play. Checkpoints of other games are skipped.
        folder: Folder with ``checkpoints`` and ``runs``. None: the working directory.
    """
    root = folder or Path()
    runs = newest_first(root.glob("runs/*/version_*/checkpoints/last.ckpt"))
    for path in (root / "checkpoints/iter1000.ckpt", root / "checkpoints/iter600.ckpt", *runs):
        if path.is_file():
            try:
                if Checkpoint.read(path).network.game == game:
                    return str(path)
            except ValueError:
                continue  # damaged, or written by another version
    names = get_game(game).opponents
    return "outcome_heuristic" if "outcome_heuristic" in names else names[-1]
