"""Errors of memory say which setting to lower; other errors stay as they are."""

from __future__ import annotations

import pytest
import torch

from lit_trainer.utils.memory import add_memory_advice, is_out_of_memory, memory_advice


def notes(error: BaseException) -> list[str]:
    return getattr(error, "__notes__", [])


def cpu_error() -> RuntimeError:
    """Returns the error that PyTorch raises where the machine's memory is too small."""
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60, dtype=torch.uint8)
    return raised.value


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory"), cpu_error()], ids=repr)
def test_errors_of_memory_get_a_note(error: BaseException) -> None:
    assert is_out_of_memory(error)
    add_memory_advice(error, "in self-play", "lower this (now 5)")
    assert notes(error)[-1] == "Out of memory in self-play: lower this (now 5)"


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("memory"), KeyboardInterrupt()], ids=repr)
def test_other_errors_get_none(error: BaseException) -> None:
    assert not is_out_of_memory(error)
    with pytest.raises(type(error)), memory_advice("in self-play", "lower this"):
        raise error
    assert notes(error) == []


def test_the_innermost_place_knows_best() -> None:
    error = MemoryError()
    error.add_note("a note of somebody else")
    with pytest.raises(MemoryError), memory_advice("in training", "b"), memory_advice("in self-play", "a"):
        raise error
    assert notes(error) == ["a note of somebody else", "Out of memory in self-play: a"]


def test_nothing_happens_without_an_error() -> None:
    with memory_advice("in self-play", "a"):
        found = 1
    assert found == 1
