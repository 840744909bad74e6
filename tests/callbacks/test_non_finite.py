"""NonFiniteCallback: no weight is ever spoilt, and what did it can be looked at."""

import csv
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.plugins import MixedPrecision
from lightning.pytorch.strategies import FSDPStrategy

from callbacks import GradNormCallback, NonFiniteCallback, NonFiniteError

pytestmark = pytest.mark.timeout(120)
MakeTrainer = Callable[..., Any]


@pytest.fixture
def faulty(regression: Any) -> Any:
    """Returns a regression whose loss or gradient is spoilt in some batches, counted over the whole run."""

    class Faulty(regression):  # type: ignore[misc]
        def __init__(self, at: tuple[int, ...] = (), value: float = math.nan, of: str = "loss") -> None:
            super().__init__()
            self.at, self.value, self.of, self.count = at, value, of, -1
            self.weights: list[torch.Tensor] = []

        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            self.count += 1
            self.weights.append(torch.cat([p.detach().flatten().clone() for p in self.parameters()]))
            loss = self.loss(batch)
            return loss * self.value if self.of == "loss" and self.count in self.at else loss

        def on_after_backward(self) -> None:
            if self.of == "gradient" and self.count in self.at:
                self.layers[2].weight.grad[0, 3] = self.value

        def configure_optimizers(self) -> Any:
            # weight decay and momentum would move the weights where a step with zero gradients is made
            return torch.optim.AdamW(self.parameters(), lr=0.05, weight_decay=0.1)

    return Faulty


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("of", ["loss", "gradient"])
def test_a_run_stops_before_a_weight_is_spoilt(
    of: str, value: float, faulty: Any, data: Any, make_trainer: MakeTrainer, tmp_path: Path
) -> None:
    model = faulty(at=(6,), value=value, of=of)
    trainer = make_trainer(NonFiniteCallback(), max_epochs=3, gradient_clip_val=1.0)
    with pytest.raises(NonFiniteError) as stopped:
        trainer.fit(model, data)
    message = str(stopped.value)
    assert message.startswith("Step 6 (epoch 1, batch 2): ")
    assert f": the loss is {value}; " in message or of == "gradient"
    assert ": the loss is finite, the gradient is not, of layers.2.weight; " in message or of == "loss"
    path = tmp_path / "non_finite-step6.pt"
    assert str(path) in message
    weights = torch.cat([p.detach().flatten() for p in model.parameters()])
    assert torch.equal(weights, model.weights[6]), "the step was made all the same"
    saved = torch.load(path, weights_only=True)
    (batch,) = saved["batches"]
    assert torch.equal(batch[0], data.dataset.tensors[0][8:12])
    assert (saved["epoch"], saved["step"]) == (1, 6)
    assert torch.equal(saved["state_dict"]["layers.0.weight"], model.layers[0].weight)
    assert math.isfinite(saved["losses"][0]) == (of == "gradient")
    assert trainer.global_step == 6


def test_a_finite_run_is_the_run_without_it(faulty: Any, data: Any, make_trainer: MakeTrainer, tmp_path: Path) -> None:
    """Fails if large gradients are taken for infinite ones: 1e30 is finite, although the sum of squares is not."""
    ends = []
    for callbacks in ([], [NonFiniteCallback()], [NonFiniteCallback(action="skip")]):
        torch.manual_seed(1)
        model = faulty(at=(3,), value=1e30)
        make_trainer(*callbacks, max_epochs=2).fit(model, data)
        ends.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(ends[0], ends[1]) and torch.equal(ends[0], ends[2])
    assert not list(tmp_path.glob("*.pt"))


@pytest.mark.parametrize("of", ["loss", "gradient"])
def test_a_skipped_step_is_as_if_its_batch_had_not_been_there(
    of: str, faulty: Any, data: Any, make_trainer: MakeTrainer, tmp_path: Path
) -> None:
    """Fails if a skipped step still decays moments or weights, or is counted."""
    model = faulty(at=(1, 2, 6), of=of)
    logger = CSVLogger(tmp_path, name="log", version=0)
    callback = NonFiniteCallback(action="skip", max_skipped=2)
    with pytest.warns(UserWarning, match=r"Step \d .*The step has not been made\. Steps skipped so far: ") as warned:
        make_trainer(callback, max_epochs=2, logger=logger).fit(model, data)
    said = [str(warning.message) for warning in warned if "skipped so far" in str(warning.message)]
    assert [(text[5], text[-2]) for text in said] == [("1", "1"), ("2", "2"), ("6", "3")]
    weights = [*model.weights, torch.cat([p.detach().flatten() for p in model.parameters()])]
    for step in range(8):
        assert torch.equal(weights[step], weights[step + 1]) == (step in (1, 2, 6)), step
    assert {int(state["step"]) for state in model.trainer.optimizers[0].state.values()} == {5}
    assert callback.skipped == 3
    with open(tmp_path / "log/version_0/metrics.csv", newline="") as file:
        assert [float(row["train/skipped_steps"]) for row in csv.DictReader(file)] == [2.0, 3.0]
    assert len(list((tmp_path / "log/version_0").glob("non_finite-*.pt"))) == 3


def test_too_many_in_a_row_stop_the_run(faulty: Any, data: Any, make_trainer: MakeTrainer, tmp_path: Path) -> None:
    callback = NonFiniteCallback(action="skip", max_skipped=7)
    with (
        warnings.catch_warnings(),
        pytest.raises(NonFiniteError, match=r"Step 9 .*max_skipped=7 steps in a row were skipped"),
    ):
        warnings.simplefilter("ignore")
        make_trainer(callback, max_epochs=9).fit(faulty(at=tuple(range(2, 99))), data)
    assert callback.skipped == 7
    assert len(list(tmp_path.glob("*.pt"))) == 5, "a file for each of a long row would fill the disk"


def test_accumulated_gradients(faulty: Any, data: Any, make_trainer: MakeTrainer, tmp_path: Path) -> None:
    """Fails if accumulated batches are forgotten: one spoilt batch spoils the step, and the file needs all of them."""
    model = faulty(at=(2,))
    callback = NonFiniteCallback(action="skip")
    with pytest.warns(UserWarning, match=r"Step 0 \(epoch 0, batch 3\): the loss is nan"):
        make_trainer(callback, max_epochs=2, accumulate_grad_batches=4).fit(model, data)
    saved = torch.load(tmp_path / "non_finite-step0.pt", weights_only=True)
    assert [math.isfinite(loss) for loss in saved["losses"]] == [True, True, False, True]
    assert torch.equal(torch.cat([batch[0] for batch in saved["batches"]]), data.dataset.tensors[0])
    assert torch.equal(model.weights[0], model.weights[7]) and callback.skipped == 1
    assert {int(state["step"]) for state in model.trainer.optimizers[0].state.values()} == {1}


def test_manual_optimization(regression: Any, data: Any, make_trainer: MakeTrainer) -> None:
    class Manual(regression):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.automatic_optimization = False

        def training_step(self, batch: Any, batch_idx: int) -> None:
            optimizer = self.optimizers()
            optimizer.zero_grad()
            self.manual_backward(self.loss(batch) * (math.nan if batch_idx == 1 else 1.0))
            optimizer.step()

    callback = NonFiniteCallback(action="skip")
    model = Manual()
    with pytest.warns(UserWarning, match="the loss is nan"):
        make_trainer(callback).fit(model, data)
    assert callback.skipped == 1
    assert all(p.isfinite().all() for p in model.parameters())


def test_beside_gradient_norms(faulty: Any, data: Any, make_trainer: MakeTrainer, tmp_path: Path) -> None:
    """Fails if the norm is logged otherwise than it arrived, or as if the step had used it."""
    logger = CSVLogger(tmp_path, name="log", version=0)
    with pytest.warns(UserWarning, match="the gradient is not"):
        make_trainer(GradNormCallback(), NonFiniteCallback(action="skip"), logger=logger).fit(
            faulty(at=(1,), of="gradient"), data
        )
    with open(tmp_path / "log/version_0/metrics.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["train/grad_norm_pre_clip"]]
    pre, post = ([float(row[f"train/grad_norm_{when}_clip"]) for row in rows] for when in ("pre", "post"))
    assert math.isnan(pre[1]) and post[1] == 0.0
    assert all(pre[k] == post[k] > 0 for k in (0, 2, 3))


def test_a_scaler_is_left_to_find_its_scale(faulty: Any, data: Any, make_trainer: MakeTrainer) -> None:
    """Fails if a gradient scaler's first steps, whose gradients are infinite by design, stop the run."""
    for of, stops in (("gradient", False), ("loss", True)):
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
        trainer = make_trainer(NonFiniteCallback(), plugins=[MixedPrecision("16-mixed", "cpu", scaler)])
        model = faulty(at=(1,), value=math.inf, of=of)
        if stops:
            with pytest.raises(NonFiniteError, match="the loss is inf"):
                trainer.fit(model, data)
        else:
            trainer.fit(model, data)
        assert all(p.isfinite().all() for p in model.parameters())


def test_a_file_that_cannot_be_written_is_said(
    faulty: Any, data: Any, make_trainer: MakeTrainer, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    trainer = make_trainer(NonFiniteCallback(dirpath=str(tmp_path / "file" / "folder")))
    with pytest.raises(NonFiniteError, match=r"the loss is nan; batch and weights could not be written to .*directory"):
        trainer.fit(faulty(at=(1,)), data)


@pytest.mark.parametrize("given", [False, True])
def test_no_file_is_overwritten(given: bool, faulty: Any, data: Any, make_trainer: MakeTrainer, tmp_path: Path) -> None:
    """Fails if a run loses what another one wrote into its folder, or says that it wrote there."""
    folder = tmp_path / "kept" if given else tmp_path
    folder.mkdir(exist_ok=True)
    (folder / "non_finite-step1.pt").write_text("another run's")
    (folder / "non_finite-step1-v1.pt").symlink_to(tmp_path / "nowhere.pt")
    for name in ("non_finite-step1-v2.pt", "non_finite-step1-v3.pt"):
        trainer = make_trainer(NonFiniteCallback(dirpath=str(folder) if given else None))
        with pytest.raises(NonFiniteError, match=f"batch and weights are in {folder / name}"):
            trainer.fit(faulty(at=(1,)), data)
        assert torch.load(folder / name, weights_only=True)["step"] == 1
    assert (folder / "non_finite-step1.pt").read_text() == "another run's" and not (tmp_path / "nowhere.pt").exists()


def test_the_count_goes_on_after_a_resume(faulty: Any, data: Any, make_trainer: MakeTrainer, tmp_path: Path) -> None:
    trainer = make_trainer(NonFiniteCallback(action="skip"))
    with pytest.warns(UserWarning, match="Steps skipped"):
        trainer.fit(faulty(at=(1,)), data)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    callback = NonFiniteCallback(action="skip")
    with pytest.warns(UserWarning, match="Steps skipped so far: 2"):
        make_trainer(callback, max_epochs=2).fit(faulty(at=(2,)), data, ckpt_path=tmp_path / "a.ckpt")
    assert callback.skipped == 2


@pytest.mark.parametrize("wrong", [{"action": "ignore"}, {"max_skipped": 0}, {"max_skipped": True}])
def test_wrong_arguments_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"^{next(iter(wrong))}="):
        NonFiniteCallback(**wrong)


def test_sharded_gradients_are_refused() -> None:
    trainer = SimpleNamespace(strategy=FSDPStrategy())
    with pytest.raises(MisconfigurationException, match="cannot be used with FSDPStrategy"):
        NonFiniteCallback().setup(trainer, None, "fit")  # type: ignore[arg-type]
