"""Provides a run's data: self-play for training, matches against known opponents for validation and test."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import rank_zero_info
from torch.utils.data import DataLoader

from lit_trainer.checkpoints.reader import windows_in
from lit_trainer.learning.datasets import SelfPlayDataset, loader_of, match_loaders
from lit_trainer.learning.distributed import gather_stats, own_window, windows_to_save
from lit_trainer.learning.evaluation import Conditions, EvaluationMatches
from lit_trainer.learning.replay import ReplayWindow
from lit_trainer.learning.settings import (
    EvaluationSettings,
    ReplaySettings,
    TestSettings,
    check_asynchronous,
    check_network,
    check_training,
    resolved,
)
from lit_trainer.learning.stopping import CommonStop
from lit_trainer.measuring.matches import Match, PlayedMatch
from lit_trainer.measuring.move_times import MoveTimes
from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.players.opponent_pool import OpponentPool
from lit_trainer.self_play.generator import Generator, make_generator
from lit_trainer.self_play.settings import GenerationSettings, WorkerSettings
from lit_trainer.self_play.stats import SelfPlayStats
from lit_trainer.utils.memory import add_memory_advice

log = logging.getLogger(__name__)

_GENERATION, _EVALUATION, _TEST, _REPLAY = GenerationSettings(), EvaluationSettings(), TestSettings(), ReplaySettings()


class SelfPlayDataModule(LightningDataModule):
    """Provides a run's data: games of self-play for training, matches against opponents for validation and test.

    One iteration is one epoch: it plays `generation.games` games and learns for `steps_per_iteration` batches.

    Args:
        game: Name of the game.
        opponent_pool: Opponents mixed into self-play. None: self-play only.
        generation: How the games of an iteration are generated.
        evaluation: Matches of validation.
        test: Matches of `test`.
        replay: The replay window, from which batches are drawn.
        workers: Worker processes that play while the trainer learns, with weights that lag about one iteration behind.
            The games then depend on how fast each side is, so two runs with one seed differ. None: the trainer plays
            the games itself before it learns.
        temperature: Temperature of the visit shares that self-play samples moves from. `TemperatureScheduleCallback`
            changes it during a run.
        batch_size: Positions per batch, in each process.
        steps_per_iteration: Optimizer steps per iteration, each with one batch.
        seed: Random seed of deals, searches, opponents and batches. The same seed gives the same run. The command line
            takes it from `seed_everything`.

    Raises:
        ValueError: Names the setting, its value and what would be right.
    """

    def __init__(
        self,
        game: str = "beasty_bar",
        opponent_pool: OpponentPool | None = None,
        generation: GenerationSettings = _GENERATION,
        evaluation: EvaluationSettings = _EVALUATION,
        test: TestSettings = _TEST,
        replay: ReplaySettings = _REPLAY,
        workers: WorkerSettings | None = None,
        temperature: float = 1.0,
        batch_size: int = 1024,
        steps_per_iteration: int = 40,
        seed: int = 42,
    ) -> None:
        check_training(temperature, batch_size, steps_per_iteration)
        super().__init__()
        self.game = game
        self.opponent_pool = pool = opponent_pool or OpponentPool(opponents=[], self_play_share=1.0, past_share=0.0)
        pool.check_game(game)
        self.generation = generation.with_known_opponents(opponent_pool, game)
        self.roster = pool.roster.copy()
        """The pool's opponents and those of validation and test, by name."""
        self.evaluation, self.test = resolved(generation, evaluation, test, pool, self.roster, game)
        self.replay = replay
        if workers is not None:
            check_asynchronous(pool)
        self.workers = workers
        self.temperature = temperature
        self.batch_size = batch_size
        self.steps_per_iteration = steps_per_iteration
        self.seed = seed
        self._games_tested = 0
        self._generator: Generator | None = None
        self._stop = CommonStop()
        self._matches = EvaluationMatches(game, self.roster, seed, self._stop)
        self._resumed = False
        self.window = ReplayWindow(replay.positions, game)
        self.on_progress: list[Callable[[float, int], None]] = []
        """Listeners, called with the games played so far and their total, in self-play and in tests."""
        self.generation_stats = SelfPlayStats()
        """Statistics of the newest iteration's games, over all processes."""

    @property
    def _network(self) -> PolicyValueNetwork:
        assert self.trainer is not None
        network = self.trainer.lightning_module.network
        assert isinstance(network, PolicyValueNetwork)
        return network

    @property
    def _process(self) -> tuple[int, int]:
        """Returns this process's rank and the number of processes."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _iteration(self) -> int:
        assert self.trainer is not None
        return int(self.trainer.current_epoch)

    def check_game(self, network: PolicyValueNetwork) -> None:
        """Raises ValueError if the network is of another game, or evaluator or settings do not support it."""
        check_network(network, self.game, self.generation, self.replay)

    def setup(self, stage: str) -> None:
        """Checks that network and data fit, before anything is played."""
        self.check_game(self._network)
        self.window = self.window.told(self._network.condition_size)
        self._stop.attach(self.trainer)

    def _new_generator(self, iteration: int) -> Generator:
        generator = make_generator(
            lambda: self.generation,
            self._network,
            self.opponent_pool,
            self.workers,
            temperature=lambda: self.temperature,
            seed=self.seed,
            rank=self._process[0],
            on_progress=self._while_playing,
        )
        if self._resumed and generator.games_ahead:
            rank_zero_info(
                f"Asynchronous generation goes on at iteration {iteration}: games that were on their way when the "
                f"checkpoint was written (at most {generator.games_ahead}) are not in it; new ones are played instead."
            )
        return generator

    def _while_playing(self, games: float, total: int | None = None) -> None:
        """Tells the listeners how far the games are. It is called several times a second."""
        self._stop.heed()
        total = self.generation.games if total is None else total
        for report in self.on_progress:
            report(min(games, total), total)

    def _before_batch(self) -> None:
        self._check_generator()
        self._stop.agree()

    def _check_generator(self) -> None:
        if self._generator is not None:
            self._generator.check()

    def _close_generator(self) -> None:
        if self._generator is not None:
            self._generator.close()
            self._generator = None

    def teardown(self, stage: str) -> None:
        """Ends the workers."""
        self._close_generator()

    def on_exception(self, exception: BaseException) -> None:
        """Ends the workers. Lightning calls this in place of `teardown` after an error, Ctrl-C or SIGTERM."""
        self._close_generator()
        advice = f"lower data.batch_size (now {self.batch_size}), data.replay.positions or the network's size"
        add_memory_advice(exception, "while the network learned", advice)

    def refill(self, iteration: int) -> None:
        """Adds an iteration's positions to the window, from games that are played with the current weights."""
        pool = self.opponent_pool
        if pool.needs_snapshot(iteration):
            pool.add_snapshot(iteration, self._network)
        if self._generator is None:
            self._generator = self._new_generator(iteration)
        games = self._stop.together(partial(self._generator.generate, iteration))
        self.window.add(games)
        stats = games.stats + SelfPlayStats(replay_positions=len(self.window))
        # here, since in hooks of an epoch's end the first process's progress bar asks the others for metrics
        self.generation_stats = stats if self._process[1] == 1 else gather_stats(stats)

    def train_dataloader(self) -> DataLoader[Any]:
        """Returns the loader of training batches, each of which is drawn from the replay window."""
        self._stop.listen()
        dataset = SelfPlayDataset(
            self.window,
            self.refill,
            self._iteration,
            self.steps_per_iteration,
            self.batch_size,
            self.seed,
            self._process[0],
            self._before_batch,
            auxiliary=self._network.auxiliary_heads is not None,
            hide_condition=self.replay.hide_condition,
        )
        return loader_of(dataset)

    def _conditions(self, opening_plies: int | None) -> Conditions:
        search, own = self.evaluation.search, self.generation
        return Conditions(search, opening_plies, own.threads, own.parallel_games, own.known_opponents, *self._process)

    def _play_evaluation(self, match: Match) -> PlayedMatch:
        self._check_generator()
        games, conditions = self.evaluation.games, self._conditions(self.evaluation.opening_plies)
        return self._matches.play(self._network, match, games, conditions, on_progress=lambda _: self._stop.heed())

    def _play_test(self, match: Match) -> PlayedMatch:
        matches = {match.without_idle_model(self.roster.tellable(self.game)) for match in self.test_matches}
        before, total = self._games_tested, self.test.games // self._process[1] * len(matches)
        played = self._matches.play(
            self._network,
            match,
            self.test.games,
            self._conditions(self.test.opening_plies),
            purpose="test",
            on_progress=lambda games: self._while_playing(before + games, total),
        )
        self._games_tested += len(played.outcomes)
        return played

    @property
    def move_times(self) -> MoveTimes:
        """Returns the times per move of the newest test, see `EvaluationMatches`. Only the first process has some."""
        return self._matches.move_times

    @property
    def test_matches(self) -> tuple[Match, ...]:
        """Returns the matches of `test`, in the order of its loaders."""
        return self.test.matches

    def test_facts(self) -> dict[str, Any]:
        """Returns the settings that a test is played with, by the names that ``test.json`` writes."""
        conditions = asdict(self._conditions(self.test.opening_plies))
        del conditions["rank"], conditions["world"]
        return {"game": self.game, "seed": self.seed, "test_games": self.test.games, **conditions}

    def val_dataloader(self) -> list[DataLoader[Any]]:
        """Returns a loader for each opponent of `evaluation.opponents`, with each model of it."""
        self._stop.listen()
        return match_loaders(self.evaluation.matches, self._play_evaluation, self.roster.tellable(self.game))

    def test_dataloader(self) -> list[DataLoader[Any]]:
        """Returns a loader for each of `test_matches`."""
        self._stop.listen()
        self._matches.move_times, self._games_tested = MoveTimes(), 0
        return match_loaders(self.test_matches, self._play_test, self.roster.tellable(self.game))

    def state_dict(self) -> dict[str, Any]:
        """Returns the pool and, if `replay.save` is set, the windows of all processes. All processes must call it.

        Settings are not part of it, because a resumed run takes them from its configuration.
        """
        state: dict[str, Any] = {"opponent_pool": self.opponent_pool.state_dict()}
        if self.replay.save:
            device = None if self.trainer is None else self.trainer.strategy.root_device
            state |= windows_to_save(self.window.state_dict(), self._process[1], device)
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Loads the pool and this process's window, see `own_window`."""
        self._resumed = True
        self.opponent_pool.load_state_dict(state_dict["opponent_pool"])
        if self.trainer:
            self.opponent_pool.complete_past(self._network.state_dict())
        if windows := windows_in(state_dict):
            self.window.load_state_dict(own_window(windows, *self._process))
        elif self._process[0] == 0:
            log.warning("The checkpoint holds no replay window: it fills anew from the next iteration on.")
