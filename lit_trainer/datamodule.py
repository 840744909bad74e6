"""The data of a run: self-play for training, matches against known opponents for validation and test."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from lit_trainer.evaluation import EvaluationDataset, play_match
from lit_trainer.evaluators import TorchEvaluator
from lit_trainer.game_generator import OpponentGames, generate_games_batched_by_opponent
from lit_trainer.ismcts import IsmctsPlayer, ismcts_iterations
from lit_trainer.networks import PolicyValueNetwork
from lit_trainer.opponent_pool import SELF_PLAY, AdaptiveOpponentPool, OpponentPool, past_name
from lit_trainer.players import BuiltinPlayer, NetworkPlayer, Player, PythonPlayer
from lit_trainer.replay import ReplayWindow
from lit_trainer.seeding import derive_seed
from lit_trainer.selfplay import SelfPlayDataset
from sim_core import get_game

log = logging.getLogger(__name__)


class SelfPlayDataModule(LightningDataModule):
    """One iteration is one epoch: play `games_per_iteration`, learn for `steps_per_iteration` batches.

    Args:
        game: name of the game.
        opponent_pool: whom the learner plays. None: itself alone.
        games_per_iteration: games an iteration, of each process.
        steps_per_iteration: optimizer batches an iteration.
        batch_size: positions a batch, of each process.
        replay_positions: positions the replay window holds.
        simulations: search simulations a move in self-play; 0 plays the network's policy, which then has no target
            to learn from (the value learns on).
        temperature: of the visit shares that self-play samples from; `TemperatureScheduleCallback` drives it.
        c_puct: exploration constant of PUCT.
        dirichlet_fraction: share of noise in the root's priors in self-play.
        dirichlet_alpha: concentration of that noise.
        parallel_games: games played side by side; more fill the network's batches, fewer save memory.
        threads: threads for tree work.
        evaluation_opponents: opponents of validation and test: the game's, the pool's agents, or ``ismcts:N`` for tree
            search of N iterations a move. None: the pool's, or all built-in ones.
        evaluation_games: games against each, half from either seat.
        evaluation_simulations: simulations a move in evaluation; 0 is the policy alone.
        asynchronous: let workers play while the trainer learns. Not in this version: only false is accepted.
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
        c_puct: float = 1.5,
        dirichlet_fraction: float = 0.25,
        dirichlet_alpha: float = 0.5,
        parallel_games: int = 1024,
        threads: int = 2,
        evaluation_opponents: Sequence[str] | None = None,
        evaluation_games: int = 200,
        evaluation_simulations: int = 0,
        asynchronous: bool = False,
        save_replay: bool = True,
        seed: int = 42,
    ) -> None:
        super().__init__()
        rules = get_game(game)
        for name, value, lowest in (
            ("games_per_iteration", games_per_iteration, 1),
            ("steps_per_iteration", steps_per_iteration, 1),
            ("batch_size", batch_size, 1),
            ("replay_positions", replay_positions, 1),
            ("simulations", simulations, 0),
            ("parallel_games", parallel_games, 1),
            ("threads", threads, 1),
            ("evaluation_games", evaluation_games, 2),
            ("evaluation_simulations", evaluation_simulations, 0),
        ):
            if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
                raise ValueError(f"{name}: {value!r} given, expected a whole number of at least {lowest}")
        if evaluation_games % 2:
            raise ValueError(f"evaluation_games: {evaluation_games} given, expected an even number (two seats a deal)")
        if not 0.0 <= temperature < float("inf"):
            raise ValueError(f"temperature: {temperature!r} given, expected 0 or more")
        if not 0.0 <= dirichlet_fraction <= 1.0:
            raise ValueError(f"dirichlet_fraction: {dirichlet_fraction!r} given, expected 0 to 1")
        if not dirichlet_alpha >= 1e-3:
            raise ValueError(f"dirichlet_alpha: {dirichlet_alpha!r} given, expected at least 0.001")
        if not c_puct >= 0.0:
            raise ValueError(f"c_puct: {c_puct!r} given, expected 0 or more")
        if asynchronous:
            raise ValueError("asynchronous: true given, but this version generates synchronously only; set it to false")
        self.game = game
        self.opponent_pool = opponent_pool or OpponentPool(opponents=[], self_play_share=1.0, past_share=0.0)
        known = (*rules.opponents, *self.opponent_pool.agents)
        for name in self.opponent_pool.opponents:
            if name not in known and ismcts_iterations("opponent_pool", name) is None:
                raise ValueError(f"opponent_pool: {name!r} is no opponent of {game}; known are {', '.join(known)}")
        self.evaluation_opponents = tuple(
            evaluation_opponents
            if evaluation_opponents is not None
            else self.opponent_pool.opponents or rules.opponents
        )
        if len(set(self.evaluation_opponents)) != len(self.evaluation_opponents):
            raise ValueError(f"evaluation_opponents: a name stands twice in {', '.join(self.evaluation_opponents)}")
        for name in self.evaluation_opponents:
            if name not in known and ismcts_iterations("evaluation_opponents", name) is None:
                raise ValueError(f"evaluation_opponents: {name!r} is not known; known are {', '.join(known)}, ismcts:N")
            if isinstance(self.opponent_pool, AdaptiveOpponentPool) and name not in self.opponent_pool.opponents:
                raise ValueError(
                    f"evaluation_opponents: {name!r} is not in the adaptive pool, which weighs by these evaluations; "
                    f"its opponents are {', '.join(self.opponent_pool.opponents)}"
                )
        self.games_per_iteration = games_per_iteration
        self.steps_per_iteration = steps_per_iteration
        self.batch_size = batch_size
        self.simulations = simulations
        self.temperature = temperature
        self.c_puct = c_puct
        self.dirichlet_fraction = dirichlet_fraction
        self.dirichlet_alpha = dirichlet_alpha
        self.parallel_games = parallel_games
        self.threads = threads
        self.evaluation_games = evaluation_games
        self.evaluation_simulations = evaluation_simulations
        self.save_replay = save_replay
        self.seed = seed
        self.replay = ReplayWindow(replay_positions, game)
        self.on_progress: list[Callable[[float, int], None]] = []
        """Called while games are generated with the games played so far and their total."""
        self.generation_stats: dict[str, float] = {}
        """Of the newest iteration: games a second, the forward pass's share of the time and the like."""

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

    def setup(self, stage: str) -> None:
        """Check that network and data are of one game, before anything is played."""
        self.check_game(self._network)

    # -- training --------------------------------------------------------------------------------------------------

    def _opponent(self, name: str, seed: int, evaluators: dict[str, TorchEvaluator]) -> Player | None:
        """The player behind a name of the pool's plan; None for the learner itself."""
        if name == SELF_PLAY:
            return None
        if name in self.opponent_pool.agents:
            return PythonPlayer(name, self.opponent_pool.agents[name])
        if name in evaluators:
            # the past plays its policy: as many kinds of games at a thirtieth of the cost
            return NetworkPlayer(evaluators[name], simulations=0, temperature=self.temperature or 1.0, seed=seed)
        if (iterations := ismcts_iterations("opponents", name)) is not None:
            return IsmctsPlayer(iterations, seed, self.threads)
        return BuiltinPlayer(name, seed)

    def refill(self, iteration: int) -> None:
        """Play an iteration's games with the current weights and put their positions into the window."""
        rank, _ = self._process
        seed = derive_seed(self.seed, "self-play", iteration, rank)
        pool, network = self.opponent_pool, self._network
        if pool.needs_snapshot(iteration):
            pool.add_snapshot(iteration, network)
        plan = pool.plan(self.games_per_iteration)
        past = {past_name(k): TorchEvaluator(pool.past_network(k, network)) for k in pool.past if past_name(k) in plan}
        for evaluator in past.values():
            evaluator.network.eval()
        opponents = [
            OpponentGames(name, count, self._opponent(name, derive_seed(seed, name), past))
            for name, count in plan.items()
        ]
        with TorchEvaluator(network) as evaluate:
            learner = NetworkPlayer(
                evaluate,
                simulations=self.simulations,
                temperature=self.temperature,
                seed=derive_seed(seed, "search"),
                c_puct=self.c_puct,
                dirichlet_fraction=self.dirichlet_fraction,
                dirichlet_alpha=self.dirichlet_alpha,
                threads=self.threads,
            )
            games = generate_games_batched_by_opponent(
                learner,
                opponents,
                game=self.game,
                seed=seed,
                parallel_games=self.parallel_games,
                on_progress=self._report_progress,
            )
        self.replay.add(games)
        scores = {
            f"score/{name}": (wins + draws / 2) / (wins + draws + losses)
            for name, (wins, draws, losses) in games.results.items()
        }
        self.generation_stats = games.stats | scores | {"replay_positions": float(len(self.replay))}

    def _report_progress(self, games: float) -> None:
        for report in self.on_progress:
            report(games, self.games_per_iteration)

    def train_dataloader(self) -> DataLoader[Any]:
        dataset = SelfPlayDataset(
            self.replay,
            self.refill,
            self._iteration,
            self.steps_per_iteration,
            self.batch_size,
            self.seed,
            self._process[0],
        )
        return DataLoader(dataset, batch_size=None)

    # -- evaluation ------------------------------------------------------------------------------------------------

    def _play_evaluation(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """This process's share of the match against one opponent; the deals are the same at every iteration."""
        rank, world = self._process
        deals = self.evaluation_games // 2
        low, high = 2 * (deals * rank // world), 2 * (deals * (rank + 1) // world)
        seed = derive_seed(self.seed, "evaluation", name)
        with TorchEvaluator(self._network) as evaluate:
            player = NetworkPlayer(
                evaluate,
                simulations=self.evaluation_simulations,
                temperature=0.0,
                seed=derive_seed(seed, "search"),
                c_puct=self.c_puct,
                threads=self.threads,
            )
            opponent = self._opponent(name, derive_seed(seed, "opponent"), {})
            assert opponent is not None
            return play_match(
                player, opponent, high - low, game=self.game, seed=seed, first=low, parallel_games=self.parallel_games
            )

    def val_dataloader(self) -> list[DataLoader[Any]]:
        """One loader an opponent, in the order of `evaluation_opponents`."""
        return [
            DataLoader(EvaluationDataset(name, partial(self._play_evaluation, name)), batch_size=None)
            for name in self.evaluation_opponents
        ]

    test_dataloader = val_dataloader

    # -- checkpoints -----------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Pool and, where wanted, replay window. Settings are not state: on a resume the YAML's hold."""
        state: dict[str, Any] = {"opponent_pool": self.opponent_pool.state_dict()}
        if self.save_replay:
            state["replay"] = self.replay.state_dict()
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.opponent_pool.load_state_dict(state_dict["opponent_pool"])
        if "replay" in state_dict:
            self.replay.load_state_dict(state_dict["replay"])
        else:
            log.warning("The checkpoint holds no replay window: it fills anew from the next iteration on.")
