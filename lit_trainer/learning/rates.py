"""Looks ahead at a run's learning rates, and warns where its schedule and its length do not fit."""

from __future__ import annotations

from collections.abc import Iterator

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.learning.resume import configuration

_LENGTHS = ("T_max", "total_iters", "total_steps")
"""Arguments of torch's schedulers that say after how many steps the schedule is done."""
_KEY = "model.lr_scheduler.init_args"


def schedule_warning(
    optimizer: Optimizer,
    scheduler: LRScheduler,
    *,
    interval: str,
    iterations: int,
    steps_per_iteration: int,
    checkpoint: Checkpoint | None = None,
) -> str | None:
    """Returns a warning if the learning rate rises again, or stays at 0, because the run is longer than its schedule.

    In a resumed run it also warns of a schedule that begins anew and would not be done at the run's end.

    Args:
        optimizer: A new optimizer. It is changed.
        scheduler: A new scheduler, made for `optimizer`. It is changed.
        interval: Unit of the scheduler's steps, "epoch" or "step".
        iterations: Iterations that the run will have done at its end, those before a resume included.
        steps_per_iteration: Optimizer steps per iteration.
        checkpoint: Checkpoint that the run goes on from. None: the run is new.

    Returns:
        The warning, which names the key to set. None: the schedule fits.

    Raises:
        ValueError: The scheduler takes fewer steps than the run has; names the key to set.
    """
    name = next((name for name in _LENGTHS if isinstance(getattr(scheduler, name, None), int)), None)
    if name is None:
        return None
    length, per = getattr(scheduler, name), 1 if interval == "epoch" else steps_per_iteration
    done, anew = 0, True
    if checkpoint is not None:
        done = checkpoint.iteration
        anew = checkpoint.optimizer_configuration != configuration(optimizer, scheduler, interval)
        if not anew:
            scheduler.load_state_dict(checkpoint.contents["lr_schedulers"][0])
            for group, rate in zip(optimizer.param_groups, checkpoint.rates, strict=True):
                group["lr"] = rate
    left, before = per * (iterations - done), scheduler.last_epoch
    key, advice = f"{_KEY}.{name}", f"set it to {left}"
    if checkpoint is not None:
        advice += f": a changed schedule starts anew at iteration {done}, and then ends with the run"
    if before + left > length and hasattr(scheduler, "total_steps"):
        raise ValueError(f"{key}: {length} given, but the run takes {before + left} steps; {advice}")
    too_long = bool(checkpoint) and anew and left < length
    if before + left <= length and not too_long:
        return None
    rates = list(_rates(optimizer, scheduler, left))
    after = rates[max(0, length - before) :]
    if too_long:
        happens = f"the schedule starts anew at iteration {done} and is not done at the run's end, at {rates[-1]:g}"
    elif after and max(after) > after[0] * (1 + 1e-6):
        happens = f"the learning rate is {after[0]:g} at step {length} and then rises again, to {max(after):g}"
    elif len(after) > 1 and after[0] == 0:
        happens = f"the learning rate is 0 from step {length} on, so that nothing is learned"
    else:
        return None
    return f"{key}: {length} does not fit trainer.max_epochs: {iterations}: {happens}; {advice}"


def _rates(optimizer: Optimizer, scheduler: LRScheduler, steps: int) -> Iterator[float]:
    """Yields the learning rate now and after each step."""
    yield float(optimizer.param_groups[0]["lr"])
    for _ in range(steps):
        optimizer.step()  # torch warns of a scheduler that is stepped alone; without gradients nothing changes
        scheduler.step()
        yield float(optimizer.param_groups[0]["lr"])
