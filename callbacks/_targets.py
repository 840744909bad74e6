"""Finds what a callback reads or drives: one attribute, by a dotted path from the trainer or the module."""

import difflib
from dataclasses import dataclass
from numbers import Real
from typing import Any

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import LightningModule, Trainer

ROOTS = ("trainer", "pl_module")


@dataclass(frozen=True)
class Target:
    """One attribute by its dotted path.

    Args:
        path: `"trainer"` or `"pl_module"`, then attribute names: `"trainer.datamodule.temperature"`.
        argument: The name under which the user gave the path, for the errors.

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
        """What the path leads to now: a restored checkpoint may have replaced any object on the way.

        Raises:
            MisconfigurationException: A part of the path does not exist.
        """
        return self._follow(trainer, pl_module, self.path)

    def set_number(self, trainer: Trainer, pl_module: LightningModule, value: float) -> None:
        """Sets the attribute, which has to exist and hold a number, a tensor of one element or None.

        A tensor is filled in place: buffers stay buffers, memory shared with workers stays shared, and a
        compiled module is not compiled anew for each value.

        Raises:
            MisconfigurationException: A part of the path does not exist, holds something else, or cannot be
                set.
        """
        owner_path, _, name = self.path.rpartition(".")
        owner = self._follow(trainer, pl_module, owner_path)
        current = self._follow(trainer, pl_module, self.path)
        is_parameter = isinstance(current, torch.nn.Parameter)
        if isinstance(current, torch.Tensor) and current.numel() == 1 and not is_parameter:
            with torch.no_grad():
                current.fill_(value)
            return
        if current is not None and (isinstance(current, bool) or not isinstance(current, Real)):
            raise MisconfigurationException(
                f"{self} holds a {type(current).__name__}, which a schedule does not overwrite: it sets"
                " attributes that hold a number, a tensor of one element or None."
            )
        try:
            setattr(owner, name, value)
        except (AttributeError, TypeError) as error:
            raise MisconfigurationException(
                f"{self} cannot be set: {name!r} of {type(owner).__name__} is read-only ({error})."
            ) from error

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


def _near_matches(name: str, owner: object) -> str:
    public_names = [known for known in dir(owner) if not known.startswith("_")]
    matches = difflib.get_close_matches(name, public_names)
    return f" Did you mean {' or '.join(map(repr, matches))}?" if matches else ""
