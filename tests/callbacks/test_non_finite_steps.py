"""NonFiniteCallback: which step is left out, which batch is kept, and what a run leaves to the next one."""

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision

from callbacks import NonFiniteCallback, NonFiniteError

pytestmark = pytest.mark.timeout(120)
MakeTrainer = Callable[..., Any]


def weights_of(part: Any) -> torch.Tensor:
    return torch.cat([p.detach().flatten().clone() for p in part.parameters()])


def scaled() -> MixedPrecision:
    return MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=2.0))


@pytest.fixture
def manual(regression: Any) -> Any:
    """Two parts with an optimizer each, which step several times in a batch; some of the losses are spoilt."""

    class Manual(regression):  # type: ignore[misc]
        def __init__(self, spoilt: Any = (), together: bool = False) -> None:
            super().__init__()
            self.automatic_optimization = False
            self.spoilt, self.together = spoilt, together
            self.moved: list[tuple[int, int, int]] = []

        def step(self, index: int, when: tuple[int, int, int]) -> None:
            before = weights_of(self.layers[2 * index])
            self.optimizers()[index].step()
            if not torch.equal(before, weights_of(self.layers[2 * index])):
                self.moved.append(when)

        def training_step(self, batch: Any, batch_idx: int) -> None:
            for inner in range(3):
                for index in range(2):
                    when = batch_idx, inner, index
                    if index == 0 or not self.together:
                        for optimizer in self.optimizers():
                            optimizer.zero_grad()
                        self.manual_backward(self.loss(batch) * (math.nan if when in self.spoilt else 1.0))
                    self.step(index, when)

        def configure_optimizers(self) -> Any:
            return [torch.optim.AdamW(self.layers[i].parameters(), lr=0.01, weight_decay=0.1) for i in (0, 2)]

    return Manual


ALL = [(batch, inner, index) for batch in range(4) for inner in range(3) for index in range(2)]


@pytest.mark.parametrize("plugins", [[], "scaler"])
@pytest.mark.parametrize("together", [False, True])
def test_exactly_the_step_that_used_the_nan_is_left_out(
    together: bool, plugins: Any, manual: Any, data: Any, make_trainer: MakeTrainer
) -> None:
    """Every later step of the batch, and those of a second optimizer; with one loss for both, both are left out."""
    module = manual(spoilt=[(1, 1, 0), (2, 0, 0), (2, 2, 1)], together=together)
    callback = NonFiniteCallback(action="skip", max_skipped=1)
    with pytest.warns(UserWarning, match="the loss is nan.*Steps skipped so far") as warned:
        make_trainer(callback, plugins=[scaled()] if plugins else []).fit(module, data)
    left_out = [(1, 1, 0), (2, 0, 0), (2, 2, 1)]
    if together:  # the loss is computed once for both
        left_out = [(1, 1, 0), (1, 1, 1), (2, 0, 0), (2, 0, 1)]
    assert [when for when in ALL if when not in module.moved] == left_out
    assert callback.skipped == len(left_out)
    assert len([warning for warning in warned if "skipped so far" in str(warning.message)]) == len(left_out)


def test_a_row_is_one_optimizer_s(manual: Any, data: Any, make_trainer: MakeTrainer) -> None:
    """Another optimizer's good steps between those that are left out ended the row."""
    callback = NonFiniteCallback(action="skip", max_skipped=2)
    module = manual(spoilt=[when for when in ALL if when[2] == 0])
    with warnings.catch_warnings(), pytest.raises(NonFiniteError, match="max_skipped=2 steps in a row"):
        warnings.simplefilter("ignore")
        make_trainer(callback).fit(module, data)
    assert module.moved == [(0, 0, 1), (0, 1, 1)]


@pytest.fixture
def accumulating(regression: Any) -> Any:
    """Steps after 40 batches of one position each; one loss or gradient is spoilt."""

    class Accumulating(regression):  # type: ignore[misc]
        def __init__(self, at: int, of: str) -> None:
            super().__init__()
            self.at, self.of = at, of

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            self.now = batch_idx == self.at
            return self.loss(batch) * (math.nan if self.now and self.of == "loss" else 1.0)

        def on_after_backward(self) -> None:
            if self.now and self.of == "gradient":
                self.layers[2].weight.grad[0, 3] += math.nan

    return Accumulating


@pytest.mark.parametrize("at", [0, 2, 15, 16, 31, 32, 39])
@pytest.mark.parametrize(("of", "plugins"), [("loss", []), ("gradient", []), ("loss", "scaler")])
def test_the_guilty_batch_of_many_is_kept(
    of: str, plugins: Any, at: int, accumulating: Any, data: Any, make_trainer: MakeTrainer, tmp_path: Path
) -> None:
    """More batches to a step than are kept: "the loss is finite", and with a gradient scaler nothing at all."""
    batches = torch.utils.data.TensorDataset(torch.randn(40, 3), torch.randn(40, 1))
    data.train_dataloader = lambda: torch.utils.data.DataLoader(batches, batch_size=1)
    trainer = make_trainer(
        NonFiniteCallback(), accumulate_grad_batches=40, plugins=[scaled()] if plugins else [], log_every_n_steps=40
    )
    what = "the loss is nan" if of == "loss" else "the loss is finite, the gradient is not, of layers.2.weight"
    with pytest.raises(NonFiniteError, match=rf"^Step 0 \(epoch 0, batch 39\): {what}; "):
        trainer.fit(accumulating(at, of), data)
    saved = torch.load(tmp_path / "non_finite-step0.pt", weights_only=True)
    inputs = torch.cat([batch[0] for batch in saved["batches"]])
    assert len(inputs) <= 16 and any(torch.equal(row, batches.tensors[0][at]) for row in inputs)
    if of == "loss":
        (place,) = (k for k, loss in enumerate(saved["losses"]) if math.isnan(loss))
        assert torch.equal(inputs[place], batches.tensors[0][at])


def test_a_scaler_whose_optimizer_scales_itself_skips_the_step(
    regression: Any, data: Any, make_trainer: MakeTrainer
) -> None:
    """Without a gradient to look at, such a scaler ended the run in an assertion."""

    class Fused(regression):  # type: ignore[misc]
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            return self.loss(batch) + (math.inf if batch_idx == 1 else 0.0)  # its gradient is finite

        def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
            before.append(weights_of(self))

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters(), lr=0.01, fused=True)

    before: list[torch.Tensor] = []
    callback = NonFiniteCallback(action="skip")
    with pytest.warns(UserWarning, match="the loss is inf"):
        make_trainer(callback, plugins=[scaled()]).fit(Fused(), data)
    assert [torch.equal(before[k], before[k + 1]) for k in range(3)] == [False, True, False]
    assert callback.skipped == 1


def test_another_run_begins_to_count_anew(
    accumulating: Any, data: Any, make_trainer: MakeTrainer, tmp_path: Path
) -> None:
    """Skipped steps, the row and the limit of files of the run before; a resume and a longer run go on."""

    def run(trainer: Any, at: int, **options: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trainer.fit(accumulating(at, "loss"), data, **options)
        return trainer

    callback = NonFiniteCallback(action="skip", max_skipped=5)
    first = run(make_trainer(callback, max_epochs=5), 1)
    assert callback.skipped == 5 and len(list(tmp_path.glob("*.pt"))) == 5
    first.fit_loop.max_epochs = 7
    run(first, 1)
    assert callback.skipped == 7, "the same trainer goes on"
    first.save_checkpoint(tmp_path / "seven.ckpt")
    for path in tmp_path.glob("*.pt"):
        path.unlink()
    clean = run(make_trainer(callback, max_epochs=1), -1)
    assert callback.skipped == 0
    clean.save_checkpoint(tmp_path / "clean.ckpt")
    run(make_trainer(callback, max_epochs=1), 1)
    assert callback.skipped == 1 and len(list(tmp_path.glob("*.pt"))) == 1
    resumed = run(make_trainer(callback, max_epochs=8), 1, ckpt_path=tmp_path / "seven.ckpt")
    assert callback.skipped == 8
    resumed.fit_loop.max_epochs = 9
    run(resumed, -1, ckpt_path=tmp_path / "clean.ckpt")
    assert callback.skipped == 0, "its checkpoint says nothing, because nothing had been skipped"
