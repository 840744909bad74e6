"""Checks what comes from Python, because C may index by it unchecked. Each error names the argument."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


def integer(name: str, value: Any, low: int, high: int, expected: str | None = None) -> int:
    """Returns `value` as an int from `low` to `high`, or raises ValueError.

    Numbers of numpy and torch are integers too, arrays and tensors without dimensions among them.
    """
    is_bool = isinstance(value, bool) or str(getattr(value, "dtype", "")).endswith("bool")
    try:
        number = None if is_bool or bool(getattr(value, "ndim", False)) else operator.index(value)
    except TypeError:
        number = None
    if number is None or not low <= number <= high:
        shown = repr(value) if not isinstance(value, int) or value.bit_length() < 128 else "a huge integer"
        raise ValueError(f"{name}: {shown[:100]} given, expected {expected or f'an integer from {low} to {high}'}")
    return number


def seed(value: Any) -> int:
    """Returns `value` as a seed, or raises ValueError."""
    return integer("seed", value, 0, 2**64 - 1, "an integer from 0 to 2**64 - 1")


def array(name: str, values: Any) -> NDArray[Any]:
    """Returns `values` as a plain array, or raises ValueError. A subclass could lie about its shape and type."""
    try:
        return np.asarray(values)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{name}: {type(values).__name__} given, expected an array: {error}") from None


def integers(name: str, values: Any, n: int | None, low: int, high: int) -> NDArray[np.int64]:
    """Returns a copy of `values` as an aligned int64 array [n] within `low` to `high`, or raises ValueError.

    One integer is repeated `n` times. With `n` None any number of rows is allowed, but a single integer is not.
    """
    found = np.array(array(name, values))  # no other thread can write into the copy once it is checked
    if found.shape == (0,) and isinstance(values, (list, tuple)):
        found = found.astype(np.int64)  # numpy makes float64 of an empty list
    if found.dtype.kind not in "iu":
        raise ValueError(f"{name}: dtype {found.dtype} given, expected integers")
    if found.ndim == 0 and n is not None:
        found = np.full(n, found)
    if found.ndim != 1 or (n is not None and len(found) != n):
        raise ValueError(f"{name}: shape {found.shape} given, expected ({'m' if n is None else n},)")
    if found.size and (found.min() < low or found.max() > high):
        worst = found.min() if found.min() < low else found.max()
        raise ValueError(f"{name}: {worst} given, expected {low} to {high}")
    return np.require(found, np.int64, ["C", "A"])  # aligned too: C reads the numbers where they lie


def output(name: str, out: Any, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Returns the caller's buffer, checked, as a plain array over the same memory. None: a new array."""
    if out is None:
        return np.empty(shape, dtype=dtype)
    found = np.asarray(out) if isinstance(out, np.ndarray) else None
    if found is None or found.dtype != dtype or found.shape != shape or not found.flags.carray:
        given = type(out).__name__ if found is None else f"{found.dtype} {found.shape}"
        kind = " that is read-only, not contiguous or not aligned" if found is not None and found.shape == shape else ""
        raise ValueError(
            f"{name}: {given}{kind} given, expected a contiguous, writable {np.dtype(dtype)} array {shape}"
        )
    return found
