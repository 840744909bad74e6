"""The settings of self-play: how games are generated, and by which worker processes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, get_args

import torch

from lit_trainer.networks.evaluators import EVALUATORS
from lit_trainer.players.opponent_pool import OpponentPool
from lit_trainer.utils.checks import time_limit
from lit_trainer.utils.settings import Settings, whole
from sim_core import SearchSettings, get_game
from sim_core.runner_settings import RunnerSettings, ValueTarget, checked_known_opponents
from sim_core.tree_search.settings import MAX_SIMULATIONS

SELF_PLAY_SEARCH = SearchSettings(dirichlet_fraction=0.25)
"""Self-play's default search: noise at the root makes it try moves that the network would leave out."""


@dataclass(frozen=True)
class GenerationSettings(RunnerSettings, Settings):
    """Says how the games of one iteration are generated.

    The object goes whole from the data module to the engine's `GameRunner`.

    Args:
        games: Games per iteration, for each training process.
        simulations: Search simulations per move. 0 plays the network's raw policy, which then has no target to learn
            from (the value still learns).
        search: How searches choose their moves and build policy targets.
        evaluator: How self-play evaluates the network, e.g. "torch", or "onnx_int8", which is twice as fast on a CPU
            and computes in 8-bit integers (needs the extra `onnx`). Evaluation matches always use "torch".
        value_target: What the value learns. "outcome": The outcome of the game as it was played. "endgame": The exact
            value of the game's first position that can be solved, as if both sides played perfectly from there on.
            With search the two differ only in games against other opponents.
        opponent_model: What searches expect of the other side. "none": It plays as the learner would. "told": Where it
            is a built-in opponent, or an agent that says how it plays, it plays by that rule, and a network with a
            `condition` is told of a built-in one, too. "infer": It is one of the known opponents or none of them; what
            it plays says more and more of which. A built-in opponent's name: It plays by that rule, whoever it is.
        known_opponents: Names of the built-in opponents that "infer" tells apart, here and in validation and test.
            None: Those of the opponent pool, or all of the game's if it has none. Empty: Nobody is known, so "infer" is
            as "none".
        parallel_games: Games played side by side. More games fill the network's batches, fewer save memory.
        threads: CPU threads for trees and network together, in self-play and in evaluation matches. Each worker has
            this number, too.

    Raises:
        ValueError: Names the field with its group, the value, and what would be right.
    """

    group: ClassVar[str] = "generation"

    games: int = whole(512, 1, 10_000_000)
    simulations: int = whole(32, 0, MAX_SIMULATIONS)
    search: SearchSettings = SELF_PLAY_SEARCH
    evaluator: str = "torch"
    value_target: ValueTarget = "outcome"
    parallel_games: int = whole(1024, 1, 1_000_000)
    threads: int = whole(2, 1, 1024)

    def __post_init__(self) -> None:
        """Raises ValueError for the first field that is out of bounds."""
        Settings.__post_init__(self)
        self._one_of("evaluator", tuple(EVALUATORS))
        self._one_of("value_target", get_args(ValueTarget))
        RunnerSettings.__post_init__(self)

    def with_known_opponents(self, pool: OpponentPool | None, game: str) -> GenerationSettings:
        """Returns these settings with the opponents that searches which infer tell apart.

        Args:
            pool: The run's opponent pool, whose built-in opponents are known where the settings name none. All of the
                game's are where it has none, and without a pool.
            game: Name of the game.

        Raises:
            ValueError: One is no built-in opponent of the game.
        """
        given = self.known_opponents
        if given is None and pool is not None:
            given = pool.builtins or None
        known = checked_known_opponents(given, get_game(game), self.qualified("known_opponents"))
        return replace(self, known_opponents=known)

    def _one_of(self, name: str, known: tuple[str, ...]) -> None:
        if (value := getattr(self, name)) not in known:
            raise ValueError(f"{self.qualified(name)}: {value!r} given, expected one of {', '.join(known)}")


@dataclass(frozen=True)
class WorkerSettings(Settings):
    """Says which worker processes play while the trainer learns.

    Games then depend on how fast each side is, so two runs with one seed differ.

    Args:
        count: Worker processes of each training process.
        max_staleness: Iterations by which the weights that played a game may lag behind when its positions enter the
            replay window. Older games are abandoned and counted in ``selfplay/dropped_games``.
        timeout: Seconds that a worker may give no sign of life while the trainer waits for games. After that the run
            ends with an error that names the worker. Each worker gives a sign every second and has ten minutes to
            start. None: No limit.
        device: Device on which workers evaluate the network, e.g. "cpu" or "cuda:1". "auto": The trainer's GPU where it
            learns on one, else the CPU.

    Raises:
        ValueError: Names the field with its group, the value, and what would be right.
    """

    group: ClassVar[str] = "workers"

    count: int = whole(1, 1, 1024)
    max_staleness: int = whole(2, 1, 1_000_000_000)
    timeout: float | None = 300.0
    device: str = "auto"

    def __post_init__(self) -> None:
        """Raises ValueError for the first field that is out of bounds."""
        super().__post_init__()
        time_limit(self.qualified("timeout"), self.timeout)
        if self.device == "auto":
            return
        try:
            torch.device(self.device)
        except (RuntimeError, TypeError):
            name = self.qualified("device")
            raise ValueError(f"{name}: {self.device!r} given, expected auto, cpu, cuda or cuda:N") from None

    def device_for(self, trainer_device: torch.device) -> str:
        """Returns the device on which workers evaluate the network.

        Args:
            trainer_device: Device on which the trainer learns. "auto" takes it where it is a GPU.
        """
        if self.device != "auto":
            return self.device
        return str(trainer_device) if trainer_device.type == "cuda" and torch.cuda.is_available() else "cpu"
