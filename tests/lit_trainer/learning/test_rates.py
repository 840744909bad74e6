"""A warning says beforehand what a learning rate's schedule does in a run that is longer or shorter than it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from support.cli_tools import ROOT, BuiltOnce, config
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, OneCycleLR, PolynomialLR

from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.learning.rates import schedule_warning
from lit_trainer.learning.resume import configuration

Make = Callable[[torch.optim.Optimizer], LRScheduler]


def made(scheduler: Make) -> tuple[torch.optim.Optimizer, LRScheduler]:
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    return optimizer, scheduler(optimizer)


def checkpoint(scheduler: Make, iterations: int) -> Checkpoint:
    """Returns the checkpoint of a run with this schedule."""
    optimizer, schedule = made(scheduler)
    settings = configuration(optimizer, schedule)
    for _ in range(iterations):
        optimizer.step()
        schedule.step()
    contents: dict[str, Any] = {
        "loops": {"fit_loop": {"epoch_progress": {"current": {"processed": iterations}}}},
        "lit_alphazero": {"optimizer_configuration": settings},
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [schedule.state_dict()],
    }
    return Checkpoint(contents)


def warning(scheduler: Make, iterations: int, before: Checkpoint | None = None, interval: str = "epoch") -> str | None:
    return schedule_warning(
        *made(scheduler), interval=interval, iterations=iterations, steps_per_iteration=4, checkpoint=before
    )


def cosine(length: int) -> Make:
    return partial(CosineAnnealingLR, T_max=length, eta_min=0.01)


def test_a_rate_that_rises_again_is_named() -> None:
    assert warning(cosine(6), 6) is None and warning(cosine(6), 3) is None
    said = "model.lr_scheduler.init_args.T_max: 6 does not fit trainer.max_epochs: 9: "
    rises = "the learning rate is 0.01 at step 6 and then rises again, to 0.055; "
    assert warning(cosine(6), 9) == said + rises + "set it to 9"
    resumed = warning(cosine(6), 9, checkpoint(cosine(6), 6))
    assert resumed is not None and resumed.startswith(said + rises + "set it to 3: a changed schedule starts anew")
    assert warning(cosine(6), 6, checkpoint(cosine(6), 3)) is None, "it goes on as it began"


def test_what_the_warning_advises_is_right() -> None:
    """Advice after which the same run is warned of again, or one that is taken as well with another value."""
    before = checkpoint(cosine(6), 6)
    assert warning(cosine(3), 9, before) is None
    longer = warning(cosine(9), 9, before)
    assert longer is not None and "is not done at the run's end, at 0.0775; set it to 3" in longer


def test_steps_are_counted_in_the_schedule_s_unit() -> None:
    assert warning(cosine(24), 6, interval="step") is None
    said = warning(cosine(6), 6, interval="step")
    assert said is not None and said.endswith("set it to 24")


def test_a_schedule_that_ends_at_zero_or_breaks_off() -> None:
    """Iterations without learning, and torch's own error in the middle of a run."""
    said = warning(partial(PolynomialLR, total_iters=3), 6)
    assert said is not None and "the learning rate is 0 from step 3 on, so that nothing is learned; set it to 6" in said
    assert warning(partial(OneCycleLR, max_lr=1.0, total_steps=6), 6) is None
    with pytest.raises(ValueError, match="total_steps: 3 given, but the run takes 6 steps; set it to 6"):
        warning(partial(OneCycleLR, max_lr=1.0, total_steps=3), 6)


def test_a_schedule_that_warms_up_is_fine() -> None:
    assert warning(partial(LinearLR, total_iters=3), 9) is None


@pytest.mark.filterwarnings("ignore:GPU available")
def test_the_resume_of_the_readme_ends_with_the_lowest_rate() -> None:
    """An example with which the rate rises, or never reaches its end."""
    (line,) = [line for line in (ROOT / "README.md").read_text().splitlines() if "--trainer.max_epochs 90" in line]
    words = shlex.split(line)
    flags = words[words.index("--trainer.max_epochs") : words.index("--ckpt_path")]
    cli = BuiltOnce([*config("quickstart.yaml"), "--trainer.accelerator=cpu", *flags], run=False)
    old = BuiltOnce([*config("quickstart.yaml"), "--trainer.accelerator=cpu"], run=False)
    before = checkpoint(lambda optimizer: old.model._lr_scheduler(optimizer), 60)
    optimizer, schedule = made(lambda optimizer: cli.model._lr_scheduler(optimizer))
    assert configuration(optimizer, schedule) != before.optimizer_configuration, "else it would not start anew"
    for _ in range(cli.trainer.max_epochs - 60):
        optimizer.step()
        schedule.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(5e-5)
    assert warning(lambda optimizer: cli.model._lr_scheduler(optimizer), cli.trainer.max_epochs, before) is None
