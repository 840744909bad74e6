"""Checks of what comes from Python: C indexes by these numbers and reads these buffers where they lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim_core import _arguments


def test_integers_in_range_are_taken() -> None:
    for value in (0, 5, np.int64(3), np.uint8(5), np.array(4), np.array(2, dtype=np.uint64)):
        found = _arguments.integer("k", value, 0, 5)
        assert found == value and type(found) is int
    assert _arguments.seed(2**64 - 1) == 2**64 - 1


@pytest.mark.parametrize(
    "value",
    [-1, 6, 2.0, True, "3", None, np.float64(1.0), np.True_, np.array(True), np.array(6), np.array([3]), np.array(2.0)],
)
def test_other_integers_are_named(value: object) -> None:
    with pytest.raises(ValueError, match=r"^k: .* given, expected an integer from 0 to 5$"):
        _arguments.integer("k", value, 0, 5)


def test_a_huge_integer_is_not_printed() -> None:
    with pytest.raises(ValueError, match=r"^seed: a huge integer given, expected an integer from 0 to 2\*\*64 - 1$"):
        _arguments.seed(10**9999)


def test_rows_become_aligned_int64() -> None:
    odd = np.frombuffer(b"\0" + np.arange(4, dtype=np.int64).tobytes(), np.uint8)[1:].view(np.int64)
    for given in ([0, 1, 2, 3], np.arange(4, dtype=np.uint16), np.arange(8)[::2] // 2, odd):
        found = _arguments.integers("rows", given, 4, 0, 3)
        assert found.dtype == np.int64 and found.flags.c_contiguous and found.flags.aligned
        assert found.tolist() == [0, 1, 2, 3]
    assert _arguments.integers("rows", 2, 3, 0, 3).tolist() == [2, 2, 2]
    assert _arguments.integers("rows", [], None, 0, 3).tolist() == []


def test_rows_are_copied() -> None:
    """Another thread may write into the caller's array once it is checked."""
    mine = np.arange(4)
    assert not np.shares_memory(_arguments.integers("rows", mine, 4, 0, 3), mine)


@pytest.mark.parametrize(
    ("values", "n", "message"),
    [
        ([0.0], 1, r"^rows: dtype float64 given, expected integers$"),
        ([0, 1], 3, r"^rows: shape \(2,\) given, expected \(3,\)$"),
        ([[0]], None, r"^rows: shape \(1, 1\) given, expected \(m,\)$"),
        (1, None, r"^rows: shape \(\) given, expected \(m,\)$"),
        ([0, 4], 2, r"^rows: 4 given, expected 0 to 3$"),
        ([-1, 9], 2, r"^rows: -1 given, expected 0 to 3$"),
        ([[0], [1, 2]], 2, r"^rows: list given, expected an array: "),
    ],
    ids=str,
)
def test_wrong_rows_are_named(values: Any, n: int | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _arguments.integers("rows", values, n, 0, 3)


def test_buffers_are_used_as_they_are() -> None:
    mine = np.empty((2, 3), dtype=np.float32)
    assert np.shares_memory(_arguments.output("out", mine, (2, 3), np.float32), mine)
    made = _arguments.output("out", None, (2, 3), np.float32)
    assert made.shape == (2, 3) and made.dtype == np.float32
    read_only = np.empty((2, 3), dtype=np.float32)
    read_only.flags.writeable = False
    wrong = (
        mine.T,
        mine.astype(np.float64),
        mine[:1],
        read_only,
        [[0.0] * 3] * 2,
        np.empty((3, 2), np.float32).T,
    )
    for buffer in wrong:
        with pytest.raises(
            ValueError, match=r"^out: .* given, expected a contiguous, writable float32 array \(2, 3\)$"
        ):
            _arguments.output("out", buffer, (2, 3), np.float32)
