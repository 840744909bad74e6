"""Finding an attribute by its path, and the errors when it is not there."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException

from callbacks._targets import Target


class Holder(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rate: Any = 1.0
        self.parts = torch.nn.ModuleList([torch.nn.Identity(), torch.nn.Dropout(0.5)])
        self.register_buffer("level", torch.tensor(1.0))
        self.scale = torch.nn.Parameter(torch.tensor(1.0))

    @property
    def size(self) -> int:
        return 3


def set_number(module: Any, path: str, value: float = 0.25) -> None:
    Target(path).set_number(SimpleNamespace(datamodule=None), module, value)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["module.rate", "pl_module", "", "pl_module.", "trainer..rate", ".rate", "rate"])
def test_malformed_path(path: str) -> None:
    with pytest.raises(ValueError, match=f"target='{path}' is not a dotted path: give 'trainer' or 'pl_module'"):
        Target(path)


def test_sets_a_nested_number() -> None:
    holder = Holder()
    set_number(holder, "pl_module.parts.1.p")
    assert holder.parts[1].p == 0.25


def test_sets_what_is_none_so_far() -> None:
    holder = Holder()
    holder.rate = None
    set_number(holder, "pl_module.rate")
    assert holder.rate == 0.25


def test_fills_a_tensor_in_place() -> None:
    holder = Holder()
    level = holder.level
    set_number(holder, "pl_module.level")
    assert holder.level is level
    assert level.item() == 0.25
    assert "level" in dict(holder.named_buffers())


@pytest.mark.parametrize(
    ("tensor", "value", "message"),
    [
        (
            torch.tensor(1),
            0.625,
            r"is a tensor of torch\.int64, which takes whole numbers, and 0\.625 is a float\. Give",
        ),
        (
            torch.tensor(1),
            1.0,
            r"is a tensor of torch\.int64, which takes whole numbers, and 1\.0 is a float\. Give the schedule integer:",
        ),
        (torch.tensor(1, dtype=torch.int8), 200, r"is a tensor of torch\.int8, which holds -128 to 127, and not 200"),
        (torch.tensor(1, dtype=torch.uint8), -1, r"is a tensor of torch\.uint8, which holds 0 to 255, and not -1"),
        (
            torch.tensor(1.0, dtype=torch.float16),
            1e5,
            r"is a tensor of torch\.float16, which holds -65504 to 65504, and not 100000",
        ),
        (torch.tensor(True), 1, r"holds a Tensor of 1 torch\.bool, which a schedule does not overwrite"),
        (torch.tensor(1j), 1, r"holds a Tensor of 1 torch\.complex64, which"),
        (torch.tensor([1.0, 2.0]), 1.0, r"holds a Tensor of 2 torch\.float32, which"),
    ],
)
@pytest.mark.parametrize("only_check", [False, True])
def test_a_tensor_that_would_store_another_number_is_refused(
    only_check: bool, tensor: torch.Tensor, value: float, message: str
) -> None:
    """A number cut off, wrapped round or made infinite, while the log says another."""
    holder, before = Holder(), tensor.clone()
    holder.rate = tensor
    target, trainer = Target("pl_module.rate"), SimpleNamespace()
    with pytest.raises(MisconfigurationException, match=rf"^target='pl_module\.rate' {message}"):
        (target.check_number if only_check else target.set_number)(trainer, holder, value)  # type: ignore[arg-type]
    assert torch.equal(tensor, before)


def test_a_tensor_of_whole_numbers_takes_one() -> None:
    holder = Holder()
    holder.rate = torch.tensor(1, dtype=torch.uint8)
    set_number(holder, "pl_module.rate", 255)
    assert holder.rate.item() == 255 and holder.rate.dtype == torch.uint8


def test_missing_part_is_named_with_its_owner_and_near_matches() -> None:
    with pytest.raises(MisconfigurationException) as error:
        set_number(Holder(), "pl_module.parts.1.pp")
    message = "target='pl_module.parts.1.pp': 'pl_module.parts.1' is a Dropout and has no attribute 'pp'."
    assert str(error.value).startswith(message)

    with pytest.raises(MisconfigurationException) as error:
        set_number(Holder(), "pl_module.part.1.p")
    assert "'pl_module' is a Holder and has no attribute 'part'. Did you mean 'parts'" in str(error.value)


def test_a_wrong_name_creates_nothing() -> None:
    holder = Holder()
    with pytest.raises(MisconfigurationException):
        set_number(holder, "pl_module.rte")
    assert not hasattr(holder, "rte")


def test_none_on_the_way() -> None:
    with pytest.raises(MisconfigurationException, match=r"'trainer\.datamodule' is None, so it has no 'rate'"):
        set_number(Holder(), "trainer.datamodule.rate")


@pytest.mark.parametrize(
    ("path", "kind"),
    [("parts", "ModuleList"), ("forward", "function|method"), ("scale", "Parameter"), ("training", "bool")],
)
def test_does_not_overwrite_what_is_no_number(path: str, kind: str) -> None:
    with pytest.raises(MisconfigurationException, match=f"holds a ({kind}), which a schedule does not overwrite"):
        set_number(Holder(), f"pl_module.{path}")


def test_read_only_attribute() -> None:
    with pytest.raises(MisconfigurationException, match="cannot be set: 'size' of Holder is read-only"):
        set_number(Holder(), "pl_module.size")


@dataclass(frozen=True)
class Frozen:
    level: Any = None
    rate: float = 1.0
    inner: Any = None
    derived: int = field(default=3, init=False)

    @property
    def size(self) -> int:
        return 3


def test_a_frozen_owner_is_replaced_on_its_own_owner() -> None:
    holder = Holder()
    holder.rate = before = Frozen(inner=Frozen())
    set_number(holder, "pl_module.rate.inner.rate")
    assert holder.rate == Frozen(inner=Frozen(rate=0.25))
    assert before == Frozen(inner=Frozen())


def test_what_is_not_frozen_between_is_kept() -> None:
    holder, between = Holder(), SimpleNamespace(settings=Frozen())
    holder.rate = kept = Frozen(inner=between)
    set_number(holder, "pl_module.rate.inner.settings.rate")
    assert holder.rate is kept and kept.inner is between
    assert between.settings == Frozen(rate=0.25)


def test_a_tensor_of_a_frozen_owner_is_filled_in_place() -> None:
    holder = Holder()
    holder.rate = kept = Frozen(level=torch.tensor(1.0))
    set_number(holder, "pl_module.rate.level")
    assert holder.rate is kept
    assert kept.level.item() == 0.25


@pytest.mark.parametrize("name", ["size", "derived"])
def test_a_frozen_owner_sets_only_fields(name: str) -> None:
    holder = Holder()
    holder.rate = Frozen()
    with pytest.raises(MisconfigurationException, match=rf"'{name}' of Frozen is read-only \(not a field\)"):
        set_number(holder, f"pl_module.rate.{name}")


def test_the_place_of_a_frozen_owner_may_be_read_only() -> None:
    class Closed(Holder):
        @property
        def settings(self) -> Frozen:
            return Frozen()

    with pytest.raises(MisconfigurationException, match="cannot be set: 'settings' of Closed is read-only"):
        set_number(Closed(), "pl_module.settings.rate")


def test_check_number_sets_nothing() -> None:
    holder = Holder()
    holder.rate = kept = Frozen()
    Target("pl_module.rate.rate").check_number(SimpleNamespace(), holder, 0.25)  # type: ignore[arg-type]
    assert holder.rate is kept and kept == Frozen()


def test_the_error_names_the_users_argument() -> None:
    with pytest.raises(ValueError, match="pool='nowhere' is not a dotted path"):
        Target("nowhere", argument="pool")
