"""The data of a run: self-play for training, matches against known opponents for validation and test."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import rank_zero_info
from torch.utils.data import DataLoader

from lit_trainer.checkpoints.reader import windows_in
from lit_trainer.learning.datasets import EvaluationDataset, SelfPlayDataset
from lit_trainer.learning.distributed import gather_stats, gather_windows, own_window
from lit_trainer.learning.replay import ReplayWindow
from lit_trainer.learning.settings import check_asynchronous, check_settings, check_weighed
from lit_trainer.learning.stopping import CommonStop
from lit_trainer.measuring.matches import Match, play_match
from lit_trainer.measuring.move_times import MoveTimes
from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.networks.evaluators import TorchEvaluator, make_evaluator
from lit_trainer.players.engine_players import IsmctsPlayer
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.opponent_pool import OpponentPool
from lit_trainer.self_play.games import GeneratedGames
from lit_trainer.self_play.generator import play_games
from lit_trainer.self_play.lanes import LaneMemory
from lit_trainer.self_play.settings import SELF_PLAY_SEARCH, GenerationSettings
from lit_trainer.self_play.stats import results_to_log
from lit_trainer.utils.memory import add_memory_advice, memory_advice
from lit_trainer.utils.seeding import derive_seed
from sim_core import SearchSettings, get_game

if TYPE_CHECKING:
    from lit_trainer.self_play.workers.asynchronous import AsynchronousGenerator

log = logging.getLogger(__name__)

PLAY_SEARCH = SearchSettings()
"""Evaluation's: docs/search.md says why it may differ from what teaches best."""


class SelfPlayDataModule(LightningDataModule):
    """One iteration is one epoch: play `games_per_iteration`, learn for `steps_per_iteration` batches.

    Args:
        game: name of the game.
        opponent_pool: whom the learner plays. None: itself alone.
        games_per_iteration: games an iteration, of each process.
        steps_per_iteration: optimizer batches an iteration.
        batch_size: positions a batch, of each process.
        replay_positions: positions the replay window holds, of each process.
        simulations: search simulations a move in self-play; 0 plays the network's policy, which then has no target
            to learn from (the value learns on).
        temperature: of the visit shares that self-play samples from; `TemperatureScheduleCallback` drives it.
        value_target: what the value learns: "outcome", of the game as it was played, or "endgame", the exact value of
            the game's first position that can be solved, as if both sides played perfectly from there on. Where
            self-play searches they differ only in games against others.
        search: how self-play's searches choose.
        evaluator: how self-play asks the network, e.g. "torch", or "onnx_int8": twice as fast on a CPU, in 8-bit whole
            numbers (extra `onnx`). Evaluation uses "torch".
        parallel_games: games played side by side; more fill the network's batches, fewer save memory.
        threads: of self-play and evaluation, for trees and network together; workers have as many each.
        evaluation_opponents: Opponents of validation: players' names of any kind (built-in ones, ``ismcts:N``,
            FILE.ckpt@64, package.module.Agent, ...) or names from the pool. None: the pool's, or all built-in ones.
        evaluation_games: games against each, half from either seat.
        evaluation_simulations: simulations a move in validation; 0 is the policy alone.
        evaluation_search: how searches choose in validation and test, where the best move is wanted and no target.
        test_opponents: opponents of `test`, any of those kinds. None: `evaluation_opponents`.
        test_games: games of `test` against each, half from either seat.
        test_simulations: simulations a move that `test` measures the player with, each against all opponents.
        asynchronous: let worker processes play while the trainer learns, with weights that are an iteration or so
            behind. The games then depend on how fast each side is: two runs with one seed differ.
        workers: worker processes of each process; asynchronous generation only, as the next three.
        max_staleness: iterations that the weights a game was played with may be behind when its positions enter the
            replay window. Older games are given up, and counted in ``selfplay/dropped_games``.
        worker_timeout: seconds without a sign of life of a worker that is waited for, after which the run ends with an
            error that names it (each gives one every second; it has ten minutes to start); None: for ever.
        worker_device: where workers evaluate the network, e.g. "cpu" or "cuda:1"; "auto" is the trainer's GPU where it
            learns on one, else the CPU.
        save_replay: keep the replay window in checkpoints; without it a resumed run refills the window.
        seed: of everything that is drawn at random; the CLI links it to `seed_everything`.

    Raises:
        ValueError: names the argument, the value and what would be right.
    """

    def __init__(
        self,
        game: str = "beasty_bar",
        opponent_pool: OpponentPool | None = None,
        games_per_iteration: int = 512,
        steps_per_iteration: int = 40,
        batch_size: int = 1024,
        replay_positions: int = 250_000,
        simulations: int = 32,
        temperature: float = 1.0,
        value_target: Literal["outcome", "endgame"] = "outcome",
        search: SearchSettings = SELF_PLAY_SEARCH,
        evaluator: str = "torch",
        parallel_games: int = 1024,
        threads: int = 2,
        evaluation_opponents: Sequence[str] | None = None,
        evaluation_games: int = 200,
        evaluation_simulations: int = 0,
        evaluation_search: SearchSettings = PLAY_SEARCH,
        test_opponents: Sequence[str] | None = None,
        test_games: int = 1000,
        test_simulations: Sequence[int] = (0, 16, 64, 256),
        asynchronous: bool = False,
        workers: int = 1,
        max_staleness: int = 2,
        worker_timeout: float | None = 300.0,
        worker_device: str = "auto",
        save_replay: bool = True,
        seed: int = 42,
    ) -> None:
        check_settings(locals())
        super().__init__()
        rules = get_game(game)
        self.game = game
        self.opponent_pool = pool = opponent_pool or OpponentPool(opponents=[], self_play_share=1.0, past_share=0.0)
        if evaluation_opponents is None:
            evaluation_opponents = pool.opponents or rules.opponents
        pool.check_game(game)
        self.roster = pool.roster.copy()
        """The pool's opponents and those of validation and test, by name."""
        self.evaluation_opponents = self.roster.enlist(evaluation_opponents, "evaluation_opponents", game)
        check_weighed(pool, self.evaluation_opponents)
        self.test_opponents = self.evaluation_opponents
        if test_opponents is not None:
            self.test_opponents = self.roster.enlist(test_opponents, "test_opponents", game)
        if asynchronous:
            check_asynchronous(pool)
        self.games_per_iteration = games_per_iteration
        self.steps_per_iteration = steps_per_iteration
        self.batch_size = batch_size
        self.simulations = simulations
        self.temperature = temperature
        self.value_target = value_target
        self.search = search
        self.evaluation_search = evaluation_search
        self.evaluator = evaluator
        self.parallel_games = parallel_games
        self.threads = threads
        self.evaluation_games = evaluation_games
        self.evaluation_simulations = evaluation_simulations
        self.test_games = test_games
        self.test_simulations = tuple(test_simulations)
        self.move_times = MoveTimes()
        """Of a test, in the first process: `sims:N` of the player, and opponents that search, to their time a move."""
        self.asynchronous = asynchronous
        self.workers = workers
        self.max_staleness = max_staleness
        self.worker_timeout = worker_timeout
        self.worker_device = worker_device
        self.save_replay = save_replay
        self.seed = seed
        self._memory, self._evaluation_memory = LaneMemory(), LaneMemory()
        self._games_tested = 0
        self._generator: AsynchronousGenerator | None = None
        self._stop = CommonStop()
        self._resumed = False
        self.replay = ReplayWindow(replay_positions, game)
        self.on_progress: list[Callable[[float, int], None]] = []
        """Called while games are generated, or played in a test, with the games played so far and their total."""
        self.generation_stats: dict[str, float] = {}
        """Of the newest iteration, over all processes: games a second, the forward pass's share of the time, ..."""

    # -- what it needs of the trainer ------------------------------------------------------------------------------

    @property
    def _network(self) -> PolicyValueNetwork:
        assert self.trainer is not None
        network = self.trainer.lightning_module.network
        assert isinstance(network, PolicyValueNetwork)
        return network

    @property
    def _process(self) -> tuple[int, int]:
        """This process's rank and how many there are."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _iteration(self) -> int:
        assert self.trainer is not None
        return int(self.trainer.current_epoch)

    def check_game(self, network: PolicyValueNetwork) -> None:
        """Raise ValueError where network and data are not of one game."""
        if network.game != self.game:
            raise ValueError(f"game: the data plays {self.game}, the network is for {network.game}")
        make_evaluator(network, self.evaluator)  # names what it does not support, or what is not installed

    def setup(self, stage: str) -> None:
        """Check that network and data are of one game, before anything is played."""
        self.check_game(self._network)
        self._stop.attach(self.trainer)

    # -- training --------------------------------------------------------------------------------------------------

    @property
    def _generation_settings(self) -> GenerationSettings:
        return GenerationSettings(
            games=self.games_per_iteration,
            simulations=self.simulations,
            search=self.search,
            evaluator=self.evaluator,
            parallel_games=self.parallel_games,
            threads=self.threads,
            value_target=self.value_target,
        )

    def _play(self, iteration: int) -> GeneratedGames:
        """An iteration's games, played here and now with the current weights."""
        pool, network = self.opponent_pool, self._network
        plan = pool.plan(self.games_per_iteration)
        return play_games(
            self._generation_settings,
            network,
            plan,
            temperature=self.temperature,
            seed=derive_seed(self.seed, "self-play", iteration, self._process[0]),
            opponents=pool.players_of(plan, network, self.temperature),
            memory=self._memory,
            on_progress=self._while_playing,
        )

    def _take_from_workers(self, iteration: int) -> GeneratedGames:
        """An iteration's games, from workers that go on playing with the current weights."""
        if self._generator is None:
            self._generator = self._start_workers(iteration)
        return self._generator.collect(
            iteration, self._network, self.opponent_pool, self.temperature, self._while_playing
        )

    def _start_workers(self, iteration: int) -> AsynchronousGenerator:
        from lit_trainer.self_play.workers.asynchronous import (  # POSIX systems only
            AsynchronousGenerator,
            worker_device,
        )

        assert self.trainer is not None
        generator = AsynchronousGenerator(
            self._network,
            self.opponent_pool,
            self._generation_settings,
            games_per_iteration=self.games_per_iteration,
            workers=self.workers,
            device=worker_device(self.worker_device, self.trainer.strategy.root_device),
            max_staleness=self.max_staleness,
            timeout=self.worker_timeout,
            seed=self.seed,
            rank=self._process[0],
            start_iteration=iteration,
        )
        if self._resumed:
            rank_zero_info(
                f"Asynchronous generation goes on at iteration {iteration}: games that were on their way when the "
                f"checkpoint was written (at most {generator.games_ahead}) are not in it; new ones are played instead."
            )
        return generator

    def _while_playing(self, games: float, total: int | None = None) -> None:
        """Called a few times a second while games are played or waited for."""
        self._stop.heed()
        total = self.games_per_iteration if total is None else total
        for report in self.on_progress:
            report(min(games, total), total)

    def _before_batch(self) -> None:
        self._check_workers()
        self._stop.agree()

    def _check_workers(self) -> None:
        if self._generator is not None:
            self._generator.check()

    def _stop_workers(self) -> None:
        if self._generator is not None:
            self._generator.close()
            self._generator = None

    def teardown(self, stage: str) -> None:
        """End the workers."""
        self._stop_workers()

    def on_exception(self, exception: BaseException) -> None:
        """End the workers: Lightning calls this in place of `teardown` after an error, Ctrl-C or SIGTERM."""
        self._stop_workers()
        advice = f"lower data.batch_size (now {self.batch_size}), data.replay_positions or the network's size"
        add_memory_advice(exception, "while the network learned", advice)

    def refill(self, iteration: int) -> None:
        """Put the positions of an iteration's games into the window, played with the current weights."""
        pool = self.opponent_pool
        if pool.needs_snapshot(iteration):
            pool.add_snapshot(iteration, self._network)
        play = self._take_from_workers if self.asynchronous else self._play
        games = self._stop.together(partial(play, iteration))
        self.replay.add(games)
        stats = games.stats | results_to_log(games.results) | {"replay_positions": float(len(self.replay))}
        # here, since in hooks of an epoch's end the first process's progress bar asks the others for metrics
        self.generation_stats = stats if self._process[1] == 1 else gather_stats(stats)

    def train_dataloader(self) -> DataLoader[Any]:
        self._stop.listen()
        dataset = SelfPlayDataset(
            self.replay,
            self.refill,
            self._iteration,
            self.steps_per_iteration,
            self.batch_size,
            self.seed,
            self._process[0],
            self._before_batch,
            auxiliary=self._network.auxiliary_heads is not None,
        )
        return DataLoader(dataset, batch_size=None)

    # -- evaluation ------------------------------------------------------------------------------------------------

    def _play_evaluation(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """This process's share of the match against one opponent; the deals are the same at every iteration."""
        self._check_workers()
        seed = derive_seed(self.seed, "evaluation", name)
        match = Match(self.evaluation_simulations, name)
        return self._play_match(match, self.evaluation_games, seed, on_progress=lambda _: self._stop.heed())

    def _play_test(self, match: Match) -> tuple[np.ndarray, np.ndarray]:
        """This process's share of a match; the deals are the same at every number of simulations."""
        # not those of evaluation, by which a checkpoint may have been chosen
        seed = derive_seed(self.seed, "test", match.opponent)
        before, total = self._games_tested, self.test_games // self._process[1] * len(self.test_matches)
        played = self._play_match(
            match,
            self.test_games,
            seed,
            timed=True,
            on_progress=lambda games: self._while_playing(before + games, total),
        )
        self._games_tested += len(played[0])
        return played

    def _play_match(
        self,
        match: Match,
        games: int,
        seed: int,
        timed: bool = False,
        on_progress: Callable[[float], None] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        rank, world = self._process
        low, high = 2 * (games // 2 * rank // world), 2 * (games // 2 * (rank + 1) // world)
        advice = f"lower data.parallel_games (now {self.parallel_games})"
        with memory_advice("in a match", advice), TorchEvaluator(self._network) as evaluate:
            player = NetworkPlayer(
                evaluate,
                simulations=match.simulations,
                temperature=0.0,
                seed=derive_seed(seed, "search"),
                threads=self.threads,
                settings=self.evaluation_search,
            )
            roster = self.roster.to(next(self._network.parameters()).device)
            opponent = roster[match.opponent].player(derive_seed(seed, "opponent"), self.threads)
            if timed and rank == 0:
                timing = self.game, derive_seed(self.seed, "timing")
                self.move_times.measure(f"sims:{match.simulations}", player, *timing)
                if isinstance(opponent, IsmctsPlayer | NetworkPlayer):
                    self.move_times.measure(match.opponent, opponent, *timing)
            return self._stop.together(
                partial(
                    play_match,
                    player,
                    opponent,
                    high - low,
                    game=self.game,
                    seed=seed,
                    first=low,
                    parallel_games=self.parallel_games,
                    memory=self._evaluation_memory,
                    on_progress=on_progress,
                )
            )

    @property
    def test_matches(self) -> tuple[Match, ...]:
        """The matches of `test`, in the order of its loaders."""
        return tuple(Match(number, name) for number in self.test_simulations for name in self.test_opponents)

    def test_facts(self) -> dict[str, Any]:
        """Returns the settings that a test is played with, by the names that ``test.json`` writes."""
        names = ("game", "seed", "test_games", "threads", "parallel_games")
        return {name: getattr(self, name) for name in names} | {"search": asdict(self.evaluation_search)}

    def val_dataloader(self) -> list[DataLoader[Any]]:
        """One loader an opponent, in the order of `evaluation_opponents`."""
        self._stop.listen()
        return [
            DataLoader(EvaluationDataset(name, partial(self._play_evaluation, name)), batch_size=None)
            for name in self.evaluation_opponents
        ]

    def test_dataloader(self) -> list[DataLoader[Any]]:
        """One loader a match, in the order of `test_matches`."""
        self._stop.listen()
        self.move_times, self._games_tested = MoveTimes(), 0
        return [
            DataLoader(EvaluationDataset(match.opponent, partial(self._play_test, match)), batch_size=None)
            for match in self.test_matches
        ]

    # -- checkpoints -----------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Pool and, where wanted, replay window: on the first process all processes' windows, so all must ask.

        Settings are not state: on a resume the YAML's hold.
        """
        state: dict[str, Any] = {"opponent_pool": self.opponent_pool.state_dict()}
        if self.save_replay:
            state |= self._replay_state()
        return state

    def _replay_state(self) -> dict[str, Any]:
        window = self.replay.state_dict()
        if self._process[1] == 1:
            return {"replay": window}
        assert self.trainer is not None
        windows = gather_windows(window, self.trainer.strategy.root_device)
        # Lightning writes what the first process returns, and drops what the others do
        return {} if windows is None else {"replay": windows.pop(0), "replay_of_rank": windows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._resumed = True
        self.opponent_pool.load_state_dict(state_dict["opponent_pool"])
        if windows := windows_in(state_dict):
            self.replay.load_state_dict(own_window(windows, *self._process))
        elif self._process[0] == 0:
            log.warning("The checkpoint holds no replay window: it fills anew from the next iteration on.")
