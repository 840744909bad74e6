"""Finds what a callback reads or drives: one attribute, by a dotted path from the trainer or the module."""

import dataclasses
import difflib
from dataclasses import dataclass
from numbers import Real
from typing import Any, get_args, get_type_hints

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import LightningModule, Trainer

ROOTS = ("trainer", "pl_module")
_INTEGER = "Give the schedule integer: true, which sets the nearest whole number."


@dataclass(frozen=True)
class Target:
    """Reads and sets one attribute, given by its dotted path.

    Args:
        path: `"trainer"` or `"pl_module"`, then attribute names: `"trainer.datamodule.temperature"`.
        argument: Name of the user's argument that holds the path, for the error messages.

    Raises:
        ValueError: The path does not start at a root, or names nothing below it.
    """

    path: str
    argument: str = "target"

    def __post_init__(self) -> None:
        root, *names = self.path.split(".")
        if root not in ROOTS or not names or not all(names):
            raise ValueError(
                f"{self} is not a dotted path: give 'trainer' or 'pl_module', then the names of attributes,"
                " as in 'pl_module.entropy_coef'."
            )

    def __str__(self) -> str:
        return f"{self.argument}={self.path!r}"

    def get(self, trainer: Trainer, pl_module: LightningModule) -> Any:
        """Returns what the path leads to now: a restored checkpoint may have replaced any object on the way.

        Raises:
            MisconfigurationException: A part of the path does not exist.
        """
        return self._follow(trainer, pl_module, self.path)

    def set_number(self, trainer: Trainer, pl_module: LightningModule, value: float) -> None:
        """Sets the attribute, which has to exist and hold a number, a tensor of one element or None.

        A tensor is filled in place: buffers stay buffers, memory shared with workers stays shared, and a
        compiled module is not compiled anew for each value. A tensor of whole numbers takes no others. Where the
        attribute belongs to a frozen dataclass, a copy with the new value (`dataclasses.replace`, so the dataclass
        checks it) takes its place on its owner; a frozen owner is replaced the same way, up to any depth.

        Raises:
            MisconfigurationException: A part of the path does not exist, holds something else, or cannot be
                set; or a frozen dataclass refuses the value.
        """
        owner, current = self._owner_and_current(trainer, pl_module)
        if isinstance(current, torch.Tensor):
            self._check_holds(current.dtype, value)
            with torch.no_grad():
                current.fill_(value)
        else:
            self._put(trainer, pl_module, self.path, owner, value)

    def check_number(self, trainer: Trainer, pl_module: LightningModule, value: float) -> None:
        """Checks that the attribute could be set to a value, and sets nothing.

        Raises:
            MisconfigurationException: As `set_number`, except for an attribute that turns out to be read-only.
        """
        owner, current = self._owner_and_current(trainer, pl_module)
        if isinstance(current, torch.Tensor):
            self._check_holds(current.dtype, value)
        elif _is_frozen(owner):
            self._replaced(owner, self.path, value)

    def _check_holds(self, kind: torch.dtype, value: float) -> None:
        """Raises MisconfigurationException if a tensor of a kind would store another number than the value."""
        if kind.is_floating_point:
            limits: torch.finfo | torch.iinfo = torch.finfo(kind)
        elif isinstance(value, float):
            raise MisconfigurationException(
                f"{self} is a tensor of {kind}, which takes whole numbers, and {value!r} is a float. {_INTEGER}"
            )
        else:
            limits = torch.iinfo(kind)
        if not limits.min <= value <= limits.max:
            raise MisconfigurationException(
                f"{self} is a tensor of {kind}, which holds {limits.min:g} to {limits.max:g}, and not {value!r}."
            )

    def _owner_and_current(self, trainer: Trainer, pl_module: LightningModule) -> tuple[Any, Any]:
        owner = self._follow(trainer, pl_module, self.path.rpartition(".")[0])
        current = self._follow(trainer, pl_module, self.path)
        found = type(current).__name__
        if isinstance(current, torch.Tensor) and not isinstance(current, torch.nn.Parameter):
            is_number = current.dtype != torch.bool and not current.is_complex()
            if current.numel() == 1 and is_number:
                return owner, current
            found = f"{found} of {current.numel()} {current.dtype}"
        if current is not None and (isinstance(current, bool) or not isinstance(current, Real)):
            raise MisconfigurationException(
                f"{self} holds a {found}, which a schedule does not overwrite: it sets"
                " attributes that hold a number, a tensor of one element or None."
            )
        return owner, current

    def _put(self, trainer: Trainer, pl_module: LightningModule, path: str, owner: Any, value: Any) -> None:
        owner_path, _, name = path.rpartition(".")
        if _is_frozen(owner):
            copy = self._replaced(owner, path, value)
            owner_of_owner = self._follow(trainer, pl_module, owner_path.rpartition(".")[0])
            self._put(trainer, pl_module, owner_path, owner_of_owner, copy)
            return
        try:
            setattr(owner, name, value)
        except (AttributeError, TypeError) as error:
            raise MisconfigurationException(
                f"{self} cannot be set: {name!r} of {type(owner).__name__} is read-only ({error})."
            ) from error

    def _replaced(self, owner: Any, path: str, value: Any) -> Any:
        name = path.rpartition(".")[2]
        kind = type(owner).__name__
        if name not in {field.name for field in dataclasses.fields(owner) if field.init}:
            raise MisconfigurationException(f"{self} cannot be set: {name!r} of {kind} is read-only (not a field).")
        if isinstance(value, float) and _is_whole(type(owner), name):
            raise MisconfigurationException(
                f"{self}: {name!r} of {kind} takes whole numbers, and {value!r} is a float. {_INTEGER}"
            )
        try:
            return dataclasses.replace(owner, **{name: value})
        except (TypeError, ValueError) as error:
            raise MisconfigurationException(f"{self} cannot be set to {value!r}: {error}") from error

    def _follow(self, trainer: Trainer, pl_module: LightningModule, path: str) -> Any:
        root, *names = path.split(".")
        found: Any = trainer if root == "trainer" else pl_module
        walked = root
        for name in names:
            if found is None:
                raise MisconfigurationException(f"{self}: {walked!r} is None, so it has no {name!r}.")
            try:
                found = getattr(found, name)
            except AttributeError as error:
                raise MisconfigurationException(
                    f"{self}: {walked!r} is a {type(found).__name__} and has no attribute {name!r}."
                    f"{_near_matches(name, found)}"
                ) from error
            walked += f".{name}"
        return found


def _is_frozen(owner: Any) -> bool:
    if not dataclasses.is_dataclass(owner) or isinstance(owner, type):
        return False
    return bool(owner.__dataclass_params__.frozen)  # type: ignore[attr-defined]


def _is_whole(owner: type, name: str) -> bool:
    """Returns whether a dataclass declares a field as int, or as int or None."""
    try:
        declared = get_type_hints(owner)[name]
    except (NameError, TypeError):  # an annotation that only a type checker can resolve
        return False
    allowed = get_args(declared) or (declared,)
    return int in allowed and float not in allowed


def _near_matches(name: str, owner: object) -> str:
    public_names = [known for known in dir(owner) if not known.startswith("_")]
    matches = difflib.get_close_matches(name, public_names)
    return f" Did you mean {' or '.join(map(repr, matches))}?" if matches else ""
