"""Checks the checkpoint that a subcommand is given, before anything is played or written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Timer

from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.cli.slurm import slurm_job
from lit_trainer.learning.data_module import SelfPlayDataModule
from lit_trainer.learning.module import AlphaZeroModule
from lit_trainer.learning.resume import check_resumable, check_weights


def checked_checkpoint(
    command: str, settings: Namespace, trainer: Trainer, module: AlphaZeroModule, data: SelfPlayDataModule
) -> Checkpoint | None:
    """Returns the checkpoint that a subcommand begins with, once it is sure to fit. None: it begins with none.

    Args:
        command: The subcommand: "fit", "validate" or "test".
        settings: The subcommand's settings.
        trainer: The trainer, before it has run.
        module: The module, with its network.
        data: The data module.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Names the setting, and what is wrong with the checkpoint or with doing without.
    """
    path = settings.get("ckpt_path")
    if path is None:
        _check_none_is_taken(trainer)
        if command != "fit" and settings.model.initial_weights is None and not settings.untrained:
            raise ValueError(
                f"ckpt_path: missing, so that {command} would measure a network with random weights; expected a "
                "checkpoint, or --untrained true if that is meant"
            )
        return None
    if not path:
        raise ValueError(f"ckpt_path: {path!r} given, expected a checkpoint, or null for none")
    try:
        checkpoint = Checkpoint.read(path)
        checkpoint.check_fits(module.network)
        _ = checkpoint.iteration
        try:
            if command == "fit":
                check_resumable(checkpoint, module, data)
            else:
                check_weights(checkpoint, module)
        except ValueError as error:
            raise ValueError(f"ckpt_path: {checkpoint.name} cannot be taken: {error}") from None
        if command == "fit":
            check_limits(trainer, checkpoint)
    except (ValueError, OSError) as error:
        others = sorted(other.name for other in Path(path).parent.glob("*.ckpt") if other != Path(path))
        raise type(error)(f"{error}" + (f". Beside it lie {', '.join(others)}" if others else "")) from None
    return checkpoint


def _check_none_is_taken(trainer: Trainer) -> None:
    """Refuses a checkpoint of Lightning's own SIGUSR1 handler, which Lightning would resume from under SLURM."""
    folder = Path(trainer.default_root_dir)
    if slurm_job() is not None and (found := sorted(folder.glob("hpc_ckpt_*"))):
        raise ValueError(
            f"trainer.default_root_dir: {str(found[-1])!r} lies there, from which Lightning would go on; expected it "
            "elsewhere, or a ckpt_path"
        )


def check_limits(trainer: Trainer, checkpoint: Checkpoint) -> None:
    """Checks that a resumed run has something left to do.

    Args:
        trainer: The trainer of the resumed run.
        checkpoint: The checkpoint that it goes on from.

    Raises:
        ValueError: The run's length in iterations, steps or time is used up. Names the setting, what is given, and what
            the checkpoint's run has done.
    """
    if trainer.fast_dev_run:  # type: ignore[attr-defined]
        raise ValueError(
            f"trainer.fast_dev_run: {trainer.fast_dev_run} given with a checkpoint: the run would end before the "  # type: ignore[attr-defined]
            "first step; expected false, or no ckpt_path"
        )
    done = checkpoint.iteration
    reached = f"but {checkpoint.name} is of"
    if trainer.max_epochs is not None and 0 <= trainer.max_epochs <= done:
        raise ValueError(f"trainer.max_epochs: {trainer.max_epochs} given, {reached} iteration {done}; expected more")
    steps = checkpoint.steps
    if steps is not None and 0 <= trainer.max_steps <= steps:
        raise ValueError(f"trainer.max_steps: {trainer.max_steps} given, {reached} step {steps}; expected more")
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, Timer) and callback._duration is not None:
            spent = _seconds_spent(checkpoint.callbacks.get(callback.state_key))
            if spent >= callback._duration:
                raise ValueError(
                    f"trainer.max_time: {callback._duration:g} s given, {reached} a run that has taken {spent:.0f} s; "
                    "expected more"
                )


def _seconds_spent(state: Any) -> float:
    """Returns the time of training in the state of Lightning's `Timer`. It counts on in a resumed run."""
    elapsed = state.get("time_elapsed") if isinstance(state, Mapping) else None
    spent = elapsed.get("train", 0.0) if isinstance(elapsed, Mapping) else 0.0
    return float(spent) if isinstance(spent, int | float) else 0.0
