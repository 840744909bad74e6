"""A whole checkpoint whose contents are wrong is refused by what is wrong, and never taken in part."""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.learning.resume import check_resumable

Contents = dict[str, Any]


@pytest.fixture
def checkpoint(checkpoint_path: Path) -> Contents:
    return copy.deepcopy(Checkpoint.read(checkpoint_path).contents)


def put(*keys: Any) -> Callable[[Contents], None]:
    """Sets the value at a path of keys to the last argument."""
    *path, last, value = keys

    def change(checkpoint: Contents) -> None:
        place: Any = checkpoint
        for key in path:
            place = place[key]
        place[last] = value(place[last]) if callable(value) else value

    return change


def without(*keys: Any) -> Callable[[Contents], None]:
    *path, last = keys

    def change(checkpoint: Contents) -> None:
        place: Any = checkpoint
        for key in path:
            place = place[key]
        del place[last]

    return change


def weights_alone(checkpoint: Contents) -> None:
    """Removes what Lightning's `save_weights_only` leaves out."""
    for key in ("callbacks", "optimizer_states", "lr_schedulers"):
        del checkpoint[key]


WINDOW = ("SelfPlayDataModule", "replay")
POOL = ("SelfPlayDataModule", "opponent_pool")
WEIGHT = "network.stem.weight"

WRONG: dict[str, tuple[Callable[[Contents], None], str]] = {
    "weights alone": (weights_alone, "no callbacks, optimizer_states, lr_schedulers; .* model.initial_weights"),
    "no loops": (without("loops"), "no loops"),
    "no version of Lightning": (without("pytorch-lightning_version"), "no pytorch-lightning_version"),
    "a weight is missing": (without("state_dict", WEIGHT), f"state_dict: {WEIGHT} is missing"),
    "a weight too many": (put("state_dict", "network.x", torch.zeros(1)), "state_dict: network.x is not known"),
    "a weight of another shape": (put("state_dict", WEIGHT, torch.zeros(2, 3)), rf"{WEIGHT}: \(2, 3\) found, expec"),
    "a weight that is none": (put("state_dict", WEIGHT, [1.0]), f"{WEIGHT}: list found"),
    "no optimizer": (put("optimizer_states", []), "optimizer_states: 0 found, expected a list of one"),
    "an optimizer's text": (put("optimizer_states", ["Adam"]), "optimizer_states: it lacks state"),
    "a schedule's text": (put("lr_schedulers", ["cosine"]), "lr_schedulers: expected a list of states"),
    "callbacks as a list": (put("callbacks", []), "callbacks: list found"),
    "no pool": (without(*POOL), "SelfPlayDataModule: it holds no opponent_pool"),
    "a pool without past": (without(*POOL, "past"), "past checkpoints are missing"),
    "another past network": (put(*POOL, "past", {1: {"a": torch.zeros(1)}}), "iteration 1 differs from the learner"),
    "a past without number": (put(*POOL, "past", {"one": {}}), "past: 'one' found, expected iterations"),
    "a rate above 1": (put(*POOL, "win_rates", {"random": 1.5}), "win_rates: random: 1.5 found"),
    "a window that is none": (put(*WINDOW, None), "replay: NoneType found"),
    "other rules": (put(*WINDOW, "rules_version", 9), "the saved window is of beasty_bar version 9, this run's game"),
    "another game": (put(*WINDOW, "game", "chess"), "the saved window is of chess"),
    "no states": (without(*WINDOW, "states"), "states: NoneType found, expected torch.uint8"),
    "one state for all": (put(*WINDOW, "states", lambda states: states[:1]), r"states: torch.uint8 \(1, 40\) found"),
    "states as numbers": (put(*WINDOW, "states", lambda states: states.float()), "states: torch.float32"),
    "one policy for all": (put(*WINDOW, "policies", lambda rows: rows[:1]), r"policies: torch.int16 \(1, 33\) found"),
    "one margin for all": (put(*WINDOW, "margins", lambda rows: rows[:1]), "margins: torch.int16"),
    "fewer outcomes": (put(*WINDOW, "outcomes", lambda rows: rows[:-1]), "states: torch.uint8"),
    "outcomes out of range": (
        put(*WINDOW, "outcomes", lambda rows: rows * 0 - 32768),
        "outcomes: expected -32767 to 32767",
    ),
    "old outcomes out of range": (
        put(*WINDOW, "outcomes", lambda rows: rows.to(torch.int8) * 0 + 99),
        "outcomes: expected -1, 0 or 1",
    ),
    "a condition too many": (
        put(*WINDOW, "conditions", torch.zeros(3, 10, dtype=torch.uint8)),
        r"conditions: torch.uint8 \(3, 10\) found, expected torch.uint8 \(\d+, 0\)",
    ),
    "fewer added than there": (put(*WINDOW, "added", -5), "added: -5 found, expected at least"),
    "added is a word": (put(*WINDOW, "added", "many"), "added: 'many' found"),
    "added is huge": (put(*WINDOW, "added", 10**30), "added: 10+ found"),
    "no positions": (put(*WINDOW, "states", lambda states: states * 0 + 255), "states from 0 on: packed: row 0 is no"),
    "windows as a list": (put("SelfPlayDataModule", "replay_of_rank", []), "replay_of_rank: list found"),
    "another window is damaged": (put("SelfPlayDataModule", "replay_of_rank", {1: {}}), "the saved window is of None"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_contents_are_refused_by_name(name: str, checkpoint: Contents, first_run: tuple[Any, Path]) -> None:
    """A run that goes on without a part of itself, or with one position in place of all, and says nothing."""
    change, words = WRONG[name]
    run, _ = first_run
    check_resumable(Checkpoint(checkpoint), run.module, run.data)
    change(checkpoint)
    with pytest.raises(ValueError, match=words):
        check_resumable(Checkpoint(checkpoint), run.module, run.data)


def test_what_older_windows_lack_is_no_damage(checkpoint: Contents, first_run: tuple[Any, Path]) -> None:
    run, _ = first_run
    for name in ("margins", "values"):
        del checkpoint["SelfPlayDataModule"]["replay"][name]
    check_resumable(Checkpoint(checkpoint), run.module, run.data)
    del checkpoint["SelfPlayDataModule"]["replay"]
    check_resumable(Checkpoint(checkpoint), run.module, run.data)


def test_data_of_another_kind_is_said(
    checkpoint: Contents, first_run: tuple[Any, Path], caplog: pytest.LogCaptureFixture
) -> None:
    run, _ = first_run
    del checkpoint["SelfPlayDataModule"]
    with caplog.at_level(logging.WARNING):
        check_resumable(Checkpoint(checkpoint), run.module, run.data)
    assert "holds nothing of SelfPlayDataModule: pool and replay window begin anew" in caplog.text


@pytest.mark.parametrize("processed", ["1x", None, -1, True, [1]])
def test_an_iteration_that_is_none_is_refused(processed: Any, checkpoint: Contents) -> None:
    put("loops", "fit_loop", "epoch_progress", "current", "processed", processed)(checkpoint)
    with pytest.raises(ValueError, match=rf"processed: {re.escape(repr(processed))} found, expected an iteration"):
        _ = Checkpoint(checkpoint).iteration
    del checkpoint["loops"]
    with pytest.raises(ValueError, match="processed: None found"):
        _ = Checkpoint(checkpoint).iteration
