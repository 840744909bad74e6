"""GradNormCallback: both norms against ones measured independently, by walking over every gradient."""

import csv
import math
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

from callbacks import GradNormCallback

MakeTrainer = Callable[..., Any]
PRE, POST = "train/grad_norm_pre_clip", "train/grad_norm_post_clip"


def norm_of(parameters: Any, p: float = 2.0) -> float:
    """Returns the norm by its plain definition, element by element."""
    elements = torch.cat([parameter.grad.flatten() for parameter in parameters if parameter.grad is not None])
    if math.isinf(p):
        return float(elements.abs().max())
    return float((elements.abs() ** p).sum() ** (1 / p))


@pytest.fixture
def measuring(regression: Any) -> Any:
    """Returns a regression that measures by itself: in its hook before clipping, and in its optimizer."""

    class Measuring(regression):  # type: ignore[misc]
        def __init__(self, p: float = 2.0, **options: Any) -> None:
            super().__init__()
            self.p, self.options = p, options
            self.pre: list[float] = []
            self.post: list[float] = []

        def on_before_optimizer_step(self, optimizer: Any) -> None:
            self.pre.append(norm_of(self.parameters(), self.p))

        def configure_optimizers(self) -> Any:
            module = self

            class Noting(torch.optim.SGD):
                """Notes the gradients after the closure and before the update."""

                def step(self, closure: Any = None) -> Any:
                    def closure_then_note() -> Any:
                        result = closure()
                        module.post.append(norm_of(module.parameters(), module.p))
                        return result

                    return super().step(closure_then_note)

            return Noting(self.parameters(), **{"lr": 0.05, **self.options})

    return Measuring


def logged(logger: CSVLogger, *names: str) -> list[list[float]]:
    with open(Path(logger.log_dir) / "metrics.csv") as file:
        rows = [row for row in csv.DictReader(file) if row.get(names[0])]
    return [[float(row[name]) for row in rows] for name in names]


def check(module: Any, logger: CSVLogger, steps: int) -> None:
    pre, post = logged(logger, PRE, POST)
    assert len(pre) == steps
    assert pre == pytest.approx(module.pre, rel=1e-5)
    assert post == pytest.approx(module.post, rel=1e-5)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.5, math.inf])
def test_without_clipping_both_are_the_norm(
    p: float, make_trainer: MakeTrainer, measuring: Any, data: Any, tmp_path: Path
) -> None:
    module, logger = measuring(p), CSVLogger(tmp_path)
    make_trainer(GradNormCallback(p), logger=logger, max_epochs=2).fit(module, data)
    check(module, logger, steps=8)
    assert module.pre == module.post


def test_clipping_by_norm(make_trainer: MakeTrainer, measuring: Any, data: Any, tmp_path: Path) -> None:
    module, logger = measuring(), CSVLogger(tmp_path)
    make_trainer(GradNormCallback(), logger=logger, max_epochs=3, gradient_clip_val=7.0).fit(module, data)
    check(module, logger, steps=12)
    pre, post = logged(logger, PRE, POST)
    assert max(post) <= 7.0 + 1e-5 < max(pre)
    assert any(a == b for a, b in zip(pre, post, strict=True)), "some steps are below the limit"


def test_clipping_by_value(make_trainer: MakeTrainer, measuring: Any, data: Any, tmp_path: Path) -> None:
    module, logger = measuring(), CSVLogger(tmp_path)
    limit = {"gradient_clip_val": 0.5, "gradient_clip_algorithm": "value"}
    make_trainer(GradNormCallback(), logger=logger, **limit).fit(module, data)
    check(module, logger, steps=4)
    pre, post = logged(logger, PRE, POST)
    assert all(0.5 < b < a for a, b in zip(pre, post, strict=True)), "neither norm is the limit"


def test_overridden_clipping(make_trainer: MakeTrainer, measuring: Any, data: Any, tmp_path: Path) -> None:
    class Halving(measuring):  # type: ignore[misc]
        def configure_gradient_clipping(self, optimizer: Any, *arguments: Any, **options: Any) -> None:
            for parameter in self.parameters():
                parameter.grad /= 2

    module, logger = Halving(), CSVLogger(tmp_path)
    make_trainer(GradNormCallback(), logger=logger, gradient_clip_val=1000.0).fit(module, data)
    check(module, logger, steps=4)
    pre, post = logged(logger, PRE, POST)
    assert post == pytest.approx([norm / 2 for norm in pre])


def test_an_optimizer_that_writes_into_the_gradients(
    make_trainer: MakeTrainer, measuring: Any, data: Any, tmp_path: Path
) -> None:
    after_step = []

    class Nesterov(measuring):  # type: ignore[misc]
        def on_train_batch_end(self, *arguments: Any) -> None:
            after_step.append(norm_of(self.parameters()))

    module, logger = Nesterov(momentum=0.9, nesterov=True, foreach=True), CSVLogger(tmp_path)
    make_trainer(GradNormCallback(), logger=logger, gradient_clip_val=1.0).fit(module, data)
    check(module, logger, steps=4)
    assert after_step != pytest.approx(module.post, rel=0.1), "this optimizer no longer writes into them"


def test_accumulated_gradients(make_trainer: MakeTrainer, measuring: Any, data: Any, tmp_path: Path) -> None:
    module, logger = measuring(), CSVLogger(tmp_path)
    make_trainer(GradNormCallback(), logger=logger, max_epochs=2, accumulate_grad_batches=2, gradient_clip_val=0.5).fit(
        module, data
    )
    check(module, logger, steps=4)


def test_gradients_that_are_not_finite_are_shown(
    make_trainer: MakeTrainer, regression: Any, data: Any, tmp_path: Path
) -> None:
    class Diverging(regression):  # type: ignore[misc]
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            return super().training_step(batch, batch_idx) * (math.nan if batch_idx == 1 else 1.0)

    logger = CSVLogger(tmp_path)
    make_trainer(GradNormCallback(), logger=logger, gradient_clip_val=1.0).fit(Diverging(), data)
    pre, post = logged(logger, PRE, POST)
    assert [math.isnan(norm) for norm in pre] == [math.isnan(norm) for norm in post] == [False, True, True, True]


def test_manual_optimization_with_two_optimizers(
    make_trainer: MakeTrainer, regression: Any, data: Any, tmp_path: Path
) -> None:
    class TwoOptimizers(regression):  # type: ignore[misc]
        """Steps with two optimizers. The second one clips its gradients before it steps."""

        def __init__(self) -> None:
            super().__init__()
            self.automatic_optimization = False
            self.norms: list[list[float]] = [[], []]

        def training_step(self, batch: Any, batch_idx: int) -> None:
            for index, optimizer in enumerate(self.optimizers()):
                optimizer.zero_grad()
                self.manual_backward(self.loss(batch))
                if index == 1:
                    self.clip_gradients(optimizer, 0.5, "norm")
                self.norms[index].append(norm_of(self.layers[2 * index].parameters()))
                optimizer.step()

        def configure_optimizers(self) -> Any:
            return [torch.optim.SGD(self.layers[i].parameters(), lr=0.05) for i in (0, 2)]

    module, logger = TwoOptimizers(), CSVLogger(tmp_path)
    trainer = make_trainer(GradNormCallback(), logger=logger)
    trainer.fit(module, data)
    columns = logged(logger, f"{PRE}/0", f"{POST}/0", f"{PRE}/1", f"{POST}/1")
    expected = [module.norms[0], module.norms[0], module.norms[1], module.norms[1]]
    assert [len(column) for column in columns] == [4] * 4
    assert columns == [pytest.approx(column, rel=1e-5) for column in expected]
    assert PRE not in trainer.callback_metrics


def test_steps_taken_where_lightning_refuses_to_log(make_trainer: MakeTrainer, regression: Any, data: Any) -> None:
    class StepsAtTheEnd(regression):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.automatic_optimization = False
            self.stepped = False

        def training_step(self, batch: Any, batch_idx: int) -> None:
            self.batch = batch

        def on_train_epoch_end(self) -> None:
            self.manual_backward(self.loss(self.batch))
            self.optimizers().step()
            self.stepped = True

    module = StepsAtTheEnd()
    make_trainer(GradNormCallback()).fit(module, data)
    assert module.stepped


@pytest.mark.parametrize("fused", [False, True])
def test_loss_scaling(fused: bool, make_trainer: MakeTrainer, regression: Any, data: Any, tmp_path: Path) -> None:
    true_norms = []

    class Scaled(regression):  # type: ignore[misc]
        def on_after_backward(self) -> None:
            true_norms.append(norm_of(self.parameters()) / self.trainer.precision_plugin.scaler.get_scale())

            if len(true_norms) == 3:
                self.layers[0].weight.grad[0, 0] = math.inf

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.01, fused=fused)

    logger = CSVLogger(tmp_path)
    plugin = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=16.0))
    limit = {} if fused else {"gradient_clip_val": 1.0}
    make_trainer(GradNormCallback(), logger=logger, plugins=[plugin], **limit).fit(Scaled(), data)
    pre, post = logged(logger, PRE, POST)
    finite = [0, 1, 3]
    assert [pre[i] for i in finite] == pytest.approx([true_norms[i] for i in finite], rel=1e-3)
    assert [post[i] for i in finite] == pytest.approx(
        [true_norms[i] if fused else min(true_norms[i], 1.0) for i in finite], rel=1e-3
    )
    assert pre[2] == math.inf
    assert math.isinf(post[2]) if fused else math.isnan(post[2]), "the scaler skips the step of a plain optimizer"


def test_sparse_gradients(make_trainer: MakeTrainer, regression: Any, data: Any) -> None:
    true_norms = []

    class Embedded(regression):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.Embedding(5, 2, sparse=True)

        def loss(self, batch: Any) -> torch.Tensor:
            return self.layers(torch.tensor([1, 1, 3])).square().sum()  # a row hit twice has to be summed

        def on_after_backward(self) -> None:
            true_norms.append(float(self.layers.weight.grad.to_dense().norm()))

    trainer = make_trainer(GradNormCallback())
    trainer.fit(Embedded(), data)
    assert float(trainer.callback_metrics[PRE]) == pytest.approx(true_norms[-1])
    assert float(trainer.callback_metrics[POST]) == pytest.approx(true_norms[-1])


def test_an_optimizer_replaced_while_training(
    make_trainer: MakeTrainer, regression: Any, data: Any, tmp_path: Path
) -> None:
    class Replacing(regression):  # type: ignore[misc]
        def on_train_epoch_start(self) -> None:
            self.trainer.strategy.optimizers = [torch.optim.SGD(self.parameters(), lr=0.01)]

    logger = CSVLogger(tmp_path)
    make_trainer(GradNormCallback(), logger=logger, max_epochs=2).fit(Replacing(), data)
    pre, post = logged(logger, PRE, POST)
    assert len(pre) == 8
    assert pre == post


@pytest.mark.parametrize("fails", [False, True])
def test_leaves_no_hook_behind(fails: bool, make_trainer: MakeTrainer, regression: Any, data: Any) -> None:
    class Failing(regression):  # type: ignore[misc]
        def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
            self.optimizer = self.optimizers().optimizer
            assert "step" in vars(self.optimizer)
            if fails:
                raise RuntimeError("stop")

    module, trainer = Failing(), make_trainer(GradNormCallback())
    if fails:
        with pytest.raises(RuntimeError, match="stop"):
            trainer.fit(module, data)
    else:
        trainer.fit(module, data)
    assert "step" not in vars(module.optimizer)
    assert not module.optimizer._optimizer_step_pre_hooks
    assert not module.optimizer._optimizer_step_post_hooks


class Plain:
    """Somebody else's optimizer, with what Lightning asks for and nothing else: gradient descent."""

    def __init__(self, parameters: Any) -> None:
        self.inner = torch.optim.SGD(parameters, lr=0.05)
        self.param_groups, self.defaults, self.state = self.inner.param_groups, self.inner.defaults, self.inner.state

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.inner.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        return self.inner.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.inner.load_state_dict(state)

    def step(self, closure: Any = None) -> Any:
        return self.inner.step(closure)


class Wrapper(Plain, torch.optim.Optimizer):
    """A wrapper of another optimizer that does not run torch's constructor, as many do."""


@pytest.mark.parametrize("kind", [Plain, Wrapper])
def test_an_optimizer_without_torch_s_hooks(
    kind: Any, make_trainer: MakeTrainer, regression: Any, data: Any, tmp_path: Path
) -> None:
    class Wrapped(regression):  # type: ignore[misc]
        def configure_optimizers(self) -> Any:
            self.wrapper = kind(self.parameters())
            return self.wrapper

    rows = []
    for module, name in ((Wrapped(), "wrapped"), (regression(), "plain")):
        torch.manual_seed(1)
        module.layers.apply(lambda part: part.reset_parameters() if hasattr(part, "reset_parameters") else None)
        logger = CSVLogger(tmp_path, name=name)
        make_trainer(GradNormCallback(), logger=logger, gradient_clip_val=0.5).fit(module, data)
        rows.append(logged(logger, PRE, POST))
        if isinstance(module, Wrapped):
            assert "step" not in vars(module.wrapper)
    assert rows[0] == rows[1] and len(rows[0][0]) == 4
    assert max(rows[0][1]) <= 0.5 + 1e-6 < max(rows[0][0])


def test_a_scheduler_s_own_step_is_put_back(make_trainer: MakeTrainer, regression: Any, data: Any) -> None:
    """A scheduler that takes the optimizer for one that has never stepped."""

    class Scheduled(regression):  # type: ignore[misc]
        def configure_optimizers(self) -> Any:
            self.optimizer = super().configure_optimizers()
            scheduler = torch.optim.lr_scheduler.ConstantLR(self.optimizer, factor=0.5)
            self.step_of_scheduler = vars(self.optimizer)["step"]
            return [self.optimizer], [scheduler]

    module = Scheduled()
    make_trainer(GradNormCallback()).fit(module, data)
    assert vars(module.optimizer)["step"] is module.step_of_scheduler


def test_schedulers_and_a_second_callback_wrap_the_same_step(
    make_trainer: MakeTrainer, measuring: Any, data: Any, tmp_path: Path
) -> None:
    """torch's schedulers wrap an optimizer's step too: one made before, one made in the middle of the run."""

    class Scheduled(measuring):  # type: ignore[misc]
        def configure_optimizers(self) -> Any:
            self.optimizer = super().configure_optimizers()
            return [self.optimizer], [torch.optim.lr_scheduler.ConstantLR(self.optimizer, factor=0.5)]

        def on_train_epoch_start(self) -> None:
            if self.current_epoch == 1:
                self.later = torch.optim.lr_scheduler.ConstantLR(self.optimizer, factor=0.5)

    class Largest(GradNormCallback):
        def on_train_batch_end(self, trainer: Any, *arguments: Any) -> None:
            largest.append([float(self._norms[name]) for name in (PRE, POST)])

    largest: list[list[float]] = []
    module, logger = Scheduled(), CSVLogger(tmp_path)
    callbacks = GradNormCallback(), Largest(math.inf)
    make_trainer(*callbacks, logger=logger, max_epochs=2, gradient_clip_val=0.5).fit(module, data)
    check(module, logger, steps=8)
    for most, norms in zip(largest, zip(*logged(logger, PRE, POST), strict=True), strict=True):
        assert 0 < most[0] < norms[0] and 0 < most[1] < norms[1]
    steps = len(module.post)
    module.optimizer.step(lambda: None)
    assert len(module.post) == steps + 1 and callbacks[0]._norms == callbacks[1]._norms == {}


def test_refuses_a_strategy_that_shards_gradients() -> None:
    trainer = SimpleNamespace(strategy=FSDPStrategy())
    with pytest.raises(MisconfigurationException, match="cannot be used with FSDPStrategy"):
        GradNormCallback().setup(trainer, None, "fit")  # type: ignore[arg-type]


@pytest.mark.parametrize("norm_type", [0, -1.0, math.nan, "2", None, True])
def test_wrong_norm_type(norm_type: Any) -> None:
    with pytest.raises(ValueError, match=rf"norm_type={norm_type!r} must be a number above 0"):
        GradNormCallback(norm_type)
