"""Resuming: the configuration's optimizer settings win, the moments stay, and what did not change goes on exactly."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR, StepLR

from lit_trainer.checkpoints.description import ENTRY
from lit_trainer.learning.resume import apply_current_settings, configuration

MakeOptimizer = Callable[[Iterator[nn.Parameter]], Optimizer]
MakeScheduler = Callable[[Optimizer], LRScheduler] | None


class Made:
    """Holds an optimizer and its scheduler over a small model, always from the same start."""

    def __init__(self, optimizer: MakeOptimizer, scheduler: MakeScheduler = None) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        self.optimizer = optimizer(self.model.parameters())
        self.scheduler = scheduler(self.optimizer) if scheduler else None

    def learn(self, steps: int, first: int = 0) -> None:
        for step in range(first, first + steps):
            inputs = torch.randn(16, 4, generator=torch.Generator().manual_seed(step))
            self.optimizer.zero_grad()
            (self.model(inputs).squeeze(-1) - inputs.sum(dim=1)).square().mean().backward()
            self.optimizer.step()
            if self.scheduler:
                self.scheduler.step()

    def save(self) -> dict[str, Any]:
        return copy.deepcopy(
            {
                "state_dict": self.model.state_dict(),
                "optimizer_states": [self.optimizer.state_dict()],
                "lr_schedulers": [self.scheduler.state_dict()] if self.scheduler else [],
            }
        )

    def load(self, checkpoint: dict[str, Any]) -> None:
        """Loads in Lightning's order: weights, optimizer, scheduler."""
        self.model.load_state_dict(checkpoint["state_dict"])
        self.optimizer.load_state_dict(checkpoint["optimizer_states"][0])
        if self.scheduler:
            self.scheduler.load_state_dict(checkpoint["lr_schedulers"][0])

    @property
    def rate(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])

    def moments(self) -> list[torch.Tensor]:
        return [state["exp_avg_sq"] for state in self.optimizer.state.values()]


def new_configuration(optimizer: MakeOptimizer, scheduler: MakeScheduler = None) -> dict[str, Any]:
    made = Made(optimizer, scheduler)
    return configuration(made.optimizer, made.scheduler)


def resumed(
    first: tuple[MakeOptimizer, MakeScheduler], second: tuple[MakeOptimizer, MakeScheduler], steps: int = 7
) -> tuple[Made, Made]:
    """Makes a run of some steps, and continues it under a configuration that may differ."""
    run = Made(*first)
    run.learn(steps)
    checkpoint = run.save()
    again = Made(*second)
    apply_current_settings(checkpoint, new_configuration(*first), *_new(*second))
    again.load(checkpoint)
    return run, again


def _new(optimizer: MakeOptimizer, scheduler: MakeScheduler) -> tuple[Optimizer, LRScheduler | None]:
    made = Made(optimizer, scheduler)
    return made.optimizer, made.scheduler


ADAMW = partial(AdamW, lr=1e-2, weight_decay=1e-2)
COSINE = partial(CosineAnnealingLR, T_max=40, eta_min=1e-4)
KINDS: dict[str, tuple[MakeOptimizer, MakeScheduler]] = {
    "constant": (ADAMW, None),
    "cosine": (ADAMW, COSINE),
    "one cycle": (ADAMW, partial(OneCycleLR, max_lr=0.05, total_steps=40)),
    "momentum": (partial(SGD, lr=1e-2, momentum=0.9), partial(StepLR, step_size=3)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_configuration_goes_on_exactly(kind: str) -> None:
    run = Made(*KINDS[kind])
    run.learn(7)
    checkpoint = run.save()
    before = copy.deepcopy(checkpoint)
    apply_current_settings(checkpoint, new_configuration(*KINDS[kind]), *_new(*KINDS[kind]))
    assert str(checkpoint) == str(before)
    again = Made(*KINDS[kind])
    again.load(checkpoint)
    for one in (run, again):
        one.learn(9, first=7)
    assert again.rate == run.rate
    for first, second in zip(run.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize("kind", KINDS)
def test_a_configuration_survives_its_checkpoint(kind: str, tmp_path: Path) -> None:
    """Fails if settings differ after a file, so that every resume counts as a change."""
    found = new_configuration(*KINDS[kind])
    torch.save(found, tmp_path / "c.pt")
    assert torch.load(tmp_path / "c.pt", weights_only=True) == found == new_configuration(*KINDS[kind])


def test_another_rate_wins_and_moments_are_kept() -> None:
    run, again = resumed((ADAMW, None), (partial(AdamW, lr=3e-4, weight_decay=0.0, betas=(0.8, 0.99)), None))
    group = again.optimizer.param_groups[0]
    assert (group["lr"], group["weight_decay"], group["betas"]) == (3e-4, 0.0, (0.8, 0.99))
    assert len(run.moments()) == 4
    for kept, expected in zip(again.moments(), run.moments(), strict=True):
        assert torch.equal(kept, expected)
        assert expected.any()
    again.learn(2, first=7)
    assert again.rate == 3e-4


def test_another_rate_under_a_schedule_starts_the_schedule_anew() -> None:
    """Fails if the saved schedule sets its old rate again at the next step."""
    run, again = resumed((ADAMW, COSINE), (partial(AdamW, lr=2e-3), COSINE))
    assert again.rate == 2e-3
    reference = Made(partial(AdamW, lr=2e-3), COSINE)
    for one in (again, reference):
        one.learn(5, first=7)
    assert again.rate == pytest.approx(reference.rate)
    assert run.rate != again.rate


@pytest.mark.parametrize(
    "scheduler",
    [partial(CosineAnnealingLR, T_max=400), partial(StepLR, step_size=2), None],
    ids=["longer", "kind", "none"],
)
def test_another_schedule_starts_anew_and_moments_are_kept(scheduler: MakeScheduler) -> None:
    run, again = resumed((ADAMW, COSINE), (ADAMW, scheduler))
    assert again.rate == 1e-2
    for kept, expected in zip(again.moments(), run.moments(), strict=True):
        assert torch.equal(kept, expected)
    reference = Made(ADAMW, scheduler)
    for one in (again, reference):
        one.learn(5, first=7)
    assert again.rate == pytest.approx(reference.rate)


def test_a_schedule_where_there_was_none() -> None:
    _, again = resumed((ADAMW, None), (ADAMW, partial(StepLR, step_size=2)))
    assert again.rate == 1e-2
    again.learn(2, first=7)
    assert again.rate == pytest.approx(1e-3)


@pytest.mark.parametrize("optimizer", [partial(Adam, lr=5e-3), partial(SGD, lr=5e-3, momentum=0.9)])
def test_another_optimizer_starts_anew(optimizer: MakeOptimizer) -> None:
    run, again = resumed((ADAMW, COSINE), (optimizer, COSINE))
    assert not again.optimizer.state
    assert again.rate == 5e-3
    for kept, expected in zip(again.model.parameters(), run.model.parameters(), strict=True):
        assert torch.equal(kept, expected)
    again.learn(3, first=7)


def test_a_setting_that_needs_other_moments() -> None:
    _, again = resumed((ADAMW, None), (partial(AdamW, lr=1e-2, amsgrad=True), None))
    again.learn(2, first=7)


def test_without_optimizer_states_there_is_nothing_to_change() -> None:
    checkpoint: dict[str, Any] = {"state_dict": {}, "optimizer_states": [], "lr_schedulers": []}
    apply_current_settings(checkpoint, None, *_new(ADAMW, COSINE))
    assert checkpoint == {"state_dict": {}, "optimizer_states": [], "lr_schedulers": []}


# ---------------------------------------------------------------------- through the trainer


@pytest.fixture(scope="module")
def straight(run_for: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """Returns a run of two iterations with a schedule, and its checkpoint."""
    folder = tmp_path_factory.mktemp("straight")
    run = run_for(folder, 2, optimizer=ADAMW, lr_scheduler=COSINE)
    run.trainer.save_checkpoint(folder / "iter2.ckpt")
    return run, folder / "iter2.ckpt"


def steps_taken(run: Any) -> set[float]:
    return {float(state["step"]) for state in run.trainer.optimizers[0].state.values()}


def test_a_resumed_run_ends_as_a_straight_one(straight: tuple[Any, Path], run_for: Any, tmp_path: Path) -> None:
    options = {"optimizer": ADAMW, "lr_scheduler": COSINE}
    whole = run_for(tmp_path, 3, **options)
    again = run_for(tmp_path, 3, straight[1], **options)
    assert again.trainer.current_epoch == 3
    assert steps_taken(again) == steps_taken(whole) == {9.0}
    assert again.trainer.optimizers[0].param_groups[0]["lr"] == whole.trainer.optimizers[0].param_groups[0]["lr"]
    for first, second in zip(whole.module.parameters(), again.module.parameters(), strict=True):
        assert torch.equal(first, second)
    assert list(again.data.opponent_pool.past) == list(whole.data.opponent_pool.past) == [1, 2]


def test_a_resumed_run_takes_its_configurations_rate(straight: tuple[Any, Path], run_for: Any, tmp_path: Path) -> None:
    again = run_for(tmp_path, 3, straight[1], optimizer=partial(AdamW, lr=1e-4))
    group = again.trainer.optimizers[0].param_groups[0]
    assert group["lr"] == 1e-4
    assert steps_taken(again) == {9.0}, "the moments went on"
    other = run_for(tmp_path, 3, straight[1], optimizer=partial(SGD, lr=1e-3, momentum=0.9))
    assert other.trainer.optimizers[0].param_groups[0]["lr"] == 1e-3


def test_a_checkpoint_tells_its_optimizers_settings(straight: tuple[Any, Path]) -> None:
    saved = torch.load(straight[1], weights_only=True)[ENTRY]["optimizer_configuration"]
    assert saved["optimizer"] == "AdamW"
    assert saved["scheduler"] == "CosineAnnealingLR"
    assert saved["groups"][0]["lr"] == 1e-2
    assert saved["scheduler_state"]["T_max"] == 40
