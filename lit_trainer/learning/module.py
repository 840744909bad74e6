"""Teaches a network by the AlphaZero loss, and logs the results of evaluation matches."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from lit_trainer.checkpoints.description import ENTRY, Description
from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.learning.losses import AlphaZeroLoss, alphazero_loss, hidden_loss, margin_loss
from lit_trainer.learning.resume import add_condition, apply_current_settings, configuration
from lit_trainer.learning.scores import MatchScores, logged_models, logged_tests
from lit_trainer.measuring.matches import Match, by_model, of_first_model
from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.reporting.sources import run_data
from sim_core import get_game

if TYPE_CHECKING:
    _on_class = classmethod
else:  # Lightning's own kind of class method, which refuses to be called on an instance
    _on_class = type(vars(LightningModule)["load_from_checkpoint"])


def _told(observations: Tensor, condition: Tensor | None) -> tuple[Tensor, ...]:
    # networks that cannot be told anything have forwards of one argument
    return (observations,) if condition is None else (observations, condition)


def default_optimizer(parameters: Iterable[Any]) -> Optimizer:
    """Returns AdamW with a learning rate of 1e-3."""
    return AdamW(parameters, lr=1e-3)


class AlphaZeroModule(LightningModule):
    """Learns a policy and a value from search policies and outcomes (Silver et al. 2017).

    Args:
        network: Policy-value network that learns. It may be compiled in place, by `network.compile()`.
        optimizer: Makes the optimizer for the network's parameters.
        lr_scheduler: Makes a scheduler for the optimizer. None: the learning rate is constant. One that follows a
            metric is `lightning.pytorch.cli.ReduceLROnPlateau`, whose `monitor` names it, such as `train/loss` or
            `val/mean_win_rate`.
        lr_interval: Unit of the scheduler's steps: "epoch", one step per iteration, or "step", one per batch.
        value_coef: Weight of the value term in the loss.
        entropy_coef: Weight of the policy's entropy, in nats. `EntropyScheduleCallback` changes it during a run.
        search_value_share: Share of the search's value in the value's target, from 0 to 1. The rest is the game's
            outcome.
        margin_coef: Weight of the squared error to the game's final margin of points. It needs a network with
            `auxiliary: true`, whose further heads only learn and are not used in play.
        hand_coef: Weight of the cross-entropy to the opponent's hidden hand, with a number for each card that may be in
            it. It needs a network with `auxiliary: true`.
        initial_weights: Checkpoint whose network weights a new run starts with. Optimizer, replay window and iterations
            are not taken from it. `ckpt_path` takes precedence.

    Raises:
        FileNotFoundError: The checkpoint does not exist.
        ValueError: Names the argument that is out of range.
    """

    def __init__(
        self,
        network: PolicyValueNetwork,
        optimizer: OptimizerCallable = default_optimizer,
        lr_scheduler: LRSchedulerCallable | None = None,
        lr_interval: Literal["epoch", "step"] = "epoch",
        value_coef: float = 1.0,
        entropy_coef: float = 0.0,
        search_value_share: float = 0.0,
        margin_coef: float = 0.0,
        hand_coef: float = 0.0,
        initial_weights: str | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(network, PolicyValueNetwork):
            raise ValueError(
                f"network: {type(network).__name__} given, expected a PolicyValueNetwork; compile one in place, by "
                "network.compile()"
            )
        for name, value in (
            ("value_coef", value_coef),
            ("entropy_coef", entropy_coef),
            ("margin_coef", margin_coef),
            ("hand_coef", hand_coef),
        ):
            if not 0.0 <= value < float("inf"):
                raise ValueError(f"{name}: {value!r} given, expected 0 or more")
        if not 0.0 <= search_value_share <= 1.0:
            raise ValueError(f"search_value_share: {search_value_share!r} given, expected 0 to 1")
        for name, value in (("margin_coef", margin_coef), ("hand_coef", hand_coef)):
            if value and network.auxiliary_heads is None:
                raise ValueError(
                    f"{name}: {value!r} given, expected 0: the network has no auxiliary heads; make it with "
                    "auxiliary: true"
                )
        if hand_coef and not get_game(network.game).hidden_size:
            raise ValueError(f"hand_coef: {hand_coef!r} given, expected 0: {network.game} has no hidden hand to learn")
        if initial_weights is not None:
            Checkpoint.read(initial_weights, "initial_weights").load_into(network)
        # no save_hyperparameters: what a checkpoint remembers must not win over a resumed run's configuration
        self.network = network
        self._optimizer = optimizer
        self._lr_scheduler = lr_scheduler
        self.lr_interval = lr_interval
        self.value_coef = value_coef
        self.entropy_coef = entropy_coef
        self.search_value_share = search_value_share
        self.margin_coef = margin_coef
        self.hand_coef = hand_coef
        self.evaluation: dict[str, MatchResult] = {}
        """Opponent to its result in the newest validation, with its first model."""
        self.evaluation_by_model: dict[str, dict[str, MatchResult]] = {}
        """Model of the opponents, then opponent, to its result in the newest validation."""
        self.tested: dict[Match, MatchResult] = {}
        """Match to its result in the newest test."""
        self.iterations_done = 0
        """Iterations that the weights have behind them, those of a loaded checkpoint's run included."""
        self._scores = MatchScores()

    def forward(self, observations: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Returns logits [B, A] and values [B].

        Args:
            observations: Observations [B, OBSERVATION_SIZE].
            condition: What the network is told besides them [B, condition_size]. None: nothing.
        """
        logits, value = self.network(*_told(observations, condition))
        return logits, value

    # -- learning --------------------------------------------------------------------------------------------------

    def loss(self, batch: dict[str, Tensor]) -> AlphaZeroLoss:
        """Returns the loss and its terms on a batch of positions.

        Args:
            batch: Positions and targets as `ReplayWindow.sample` returns them, for a network with auxiliary heads with
                their targets.
        """
        inputs = _told(batch["observations"], batch.get("condition"))
        if self.network.auxiliary_heads is None:
            logits, value = self(*inputs)
            return self._alphazero_loss(logits, value, batch)
        logits, value, guessed = self.network.forward_auxiliary(*inputs)
        loss = self._alphazero_loss(logits, value, batch)
        margin, hand = margin_loss(guessed.margin, batch["margin"]), hidden_loss(guessed.hidden, batch["hidden"])
        # also where a weight is 0: parameters without a gradient would stop several processes
        total = loss.total + self.margin_coef * margin + self.hand_coef * hand
        return loss._replace(total=total, margin=margin, hand=hand if guessed.hidden.shape[1] else None)

    def _value_target(self, batch: dict[str, Tensor]) -> Tensor:
        if not self.search_value_share:
            return batch["outcome"]
        return torch.lerp(batch["outcome"], batch["search_value"], self.search_value_share)

    def _alphazero_loss(self, logits: Tensor, value: Tensor, batch: dict[str, Tensor]) -> AlphaZeroLoss:
        return alphazero_loss(
            logits,
            value,
            batch["policy"],
            self._value_target(batch),
            batch["legal_mask"],
            value_coef=self.value_coef,
            entropy_coef=self.entropy_coef,
        )

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        size = len(batch["outcome"])
        options: dict[str, Any] = {"on_step": False, "on_epoch": True, "sync_dist": True, "batch_size": size}
        self.log("train/loss", loss.total, prog_bar=True, **options)
        terms = {"policy_loss": loss.policy, "value_loss": loss.value, "entropy": loss.entropy}
        for name, value in terms.items():
            self.log(f"train/{name}", value, prog_bar=name != "entropy", **options)
        for name, term in {"margin_loss": loss.margin, "hand_loss": loss.hand}.items():
            if term is not None:
                self.log(f"train/{name}", term, **options)
        return loss.total

    def on_train_epoch_end(self) -> None:
        # iterations done: the number in a checkpoint's file name, at which it resumes
        self.iterations_done = self.current_epoch + 1
        self.log("iteration", float(self.iterations_done))
        stats = run_data(self.trainer).logged_stats
        self.log_dict({f"selfplay/{name}": value for name, value in stats.items()})
        if self.device.type == "cuda":
            # of this process's learner; its iteration alone, so that a rise shows where it began
            self.log("gpu/peak_memory_gib", torch.cuda.max_memory_allocated(self.device) / 2**30, rank_zero_only=True)
            torch.cuda.reset_peak_memory_stats(self.device)

    def configure_optimizers(self) -> Any:
        optimizer, scheduler = self._new_optimizer()
        if scheduler is None:
            return optimizer
        settings: dict[str, Any] = {"scheduler": scheduler, "interval": self.lr_interval}
        if isinstance(scheduler, ReduceLROnPlateau):
            settings["monitor"] = monitor = getattr(scheduler, "monitor", None)
            if monitor is None:
                raise ValueError(
                    "lr_scheduler: torch's ReduceLROnPlateau given, which names no metric; expected "
                    "lightning.pytorch.cli.ReduceLROnPlateau with a monitor, such as train/loss"
                )
            if monitor.startswith("val/") and self._trainer is not None:
                # between validations it would count the same number again and again as no progress
                settings["frequency"] = self._trainer.check_val_every_n_epoch or 1
        return {"optimizer": optimizer, "lr_scheduler": settings}

    def _new_optimizer(self) -> tuple[Optimizer, LRScheduler | None]:
        optimizer = self._optimizer(self.network.parameters())
        scheduler = None if self._lr_scheduler is None else self._lr_scheduler(optimizer)
        return optimizer, scheduler

    # -- evaluation ------------------------------------------------------------------------------------------------

    def on_validation_epoch_start(self) -> None:
        self._scores = MatchScores()

    def validation_step(self, batch: dict[str, Any], batch_idx: int, dataloader_idx: int = 0) -> None:
        """Counts a batch's games for the opponent that the batch names, see `MatchScores`."""
        self._scores.update(batch)

    def on_validation_epoch_end(self) -> None:
        """Logs each opponent's score (a draw counts half), draws, interval and margins; then mean and worst score."""
        if models := by_model(self._scores.results(self.device)):
            self.evaluation, self.evaluation_by_model = next(iter(models.values())), models
            self._log_scores("val", self.evaluation)
            self.log_dict(logged_models(models), batch_size=1)

    def _log_scores(self, prefix: str, results: Mapping[str, MatchResult]) -> None:
        # summed over all processes by the metrics: the same numbers everywhere
        for name, result in results.items():
            for kind, value in result.to_log().items():
                self.log(f"{prefix}/{kind}/{name}", value, batch_size=1)
        scores = [result.score for result in results.values()]
        self.log(f"{prefix}/mean_win_rate", sum(scores) / len(scores), prog_bar=True, batch_size=1)
        self.log(f"{prefix}/worst_win_rate", min(scores), batch_size=1)

    @property
    def measurement(self) -> dict[int, dict[str, MatchResult]]:
        """Returns simulations per move, then opponent, to the result in the newest test, with its first model."""
        return of_first_model(self.tested)

    def on_test_epoch_start(self) -> None:
        self._scores = MatchScores()

    def test_step(self, batch: dict[str, Any], batch_idx: int, dataloader_idx: int = 0) -> None:
        """Counts a batch's games for the match that the batch names, see `MatchScores`."""
        self._scores.update(batch)

    def on_test_epoch_end(self) -> None:
        """Logs what `on_validation_epoch_end` does, for each number of simulations and each model of the opponents."""
        self.tested = self._scores.results(self.device)
        for prefix, results in logged_tests(self.tested):
            self._log_scores(prefix, results)

    # -- checkpoints -----------------------------------------------------------------------------------------------

    @_on_class
    def load_from_checkpoint(cls, checkpoint_path: Any, *args: Any, **kwargs: Any) -> Self:
        """Returns the module of a checkpoint. Its network is built again as the checkpoint says.

        Args:
            checkpoint_path: Path of the checkpoint.
            *args: Arguments of Lightning's method of this name.
            **kwargs: Arguments of Lightning's method and of this class. A given `network` takes the weights.

        Raises:
            FileNotFoundError: The checkpoint does not exist.
            ValueError: The checkpoint is damaged, or its network cannot be built.
        """
        if "network" not in kwargs and isinstance(checkpoint_path, str | os.PathLike):
            kwargs["network"] = Checkpoint.read(checkpoint_path, "checkpoint_path").new_network()
        return super().load_from_checkpoint(checkpoint_path, *args, **kwargs)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        settings = configuration(*self._new_optimizer(), self.lr_interval)
        checkpoint[ENTRY] = Description.of(self.network).entry(settings)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        found = Checkpoint(checkpoint)
        found.check_fits(self.network)
        add_condition(checkpoint, self.network)
        self.iterations_done = found.iteration
        apply_current_settings(checkpoint, found.optimizer_configuration, *self._new_optimizer(), self.lr_interval)
