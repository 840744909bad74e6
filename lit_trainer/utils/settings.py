"""The base of all groups of settings: frozen dataclasses whose fields carry their own bounds."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from lit_trainer.utils.checks import whole_number


def whole(default: Any, lowest: int, highest: int, even: bool = False) -> Any:
    """Defines a field that holds a whole number.

    Args:
        default: Value of the field where none is given. None is allowed where it is the default.
        lowest: Smallest allowed value.
        highest: Largest allowed value, far above what any machine can do.
        even: Whether the number must be even.
    """
    return dataclasses.field(default=default, metadata={"lowest": lowest, "highest": highest, "even": even})


@dataclasses.dataclass(frozen=True)
class Settings:
    """Checks all fields declared by `whole` whenever an object is made, also by `dataclasses.replace`.

    A subclass with further rules overrides `__post_init__` and calls this one first.

    Raises:
        ValueError: Names the field with its group, the value, and what would be right.
    """

    group: ClassVar[str] = ""
    """Name of the group in a configuration, for messages."""

    def __post_init__(self) -> None:
        """Raises ValueError for the first field that is out of bounds."""
        for field in dataclasses.fields(self):
            if "lowest" not in field.metadata:
                continue
            value, name = getattr(self, field.name), self.qualified(field.name)
            if value is None and field.default is None:
                continue
            whole_number(name, value, field.metadata["lowest"], field.metadata["highest"])
            if field.metadata["even"] and value % 2:
                raise ValueError(f"{name}: {value} given, expected an even number (each deal is played from two seats)")

    @classmethod
    def qualified(cls, name: str) -> str:
        """Returns a field's name with its group, as a configuration writes it."""
        return f"{cls.group}.{name}" if cls.group else name
