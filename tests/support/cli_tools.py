"""Drives the real command line with the shipped YAML files, cut to seconds by flags."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lit_trainer.__main__ import main
from lit_trainer.cli.lightning_cli import LitTrainerCLI, ignore_noise

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs"
PROFILES = CONFIGS / "profiles"

TINY = [
    "--trainer.accelerator=cpu",
    "--data.generation.games=6",
    "--data.steps_per_iteration=2",
    "--data.batch_size=16",
    "--data.replay.positions=400",
    "--data.generation.simulations=2",
    "--data.evaluation.games=2",
    "--data.test.games=2",
    "--data.test.simulations=[0,2]",
    "--data.generation.threads=1",
]


def config(*names: str) -> list[str]:
    """Returns the flags that name shipped configurations."""
    return [f"--config={CONFIGS / name}" for name in names]


_built: dict[bool, dict[str, Any]] = {}
"""Parsers of the command line, with and without subcommands, as `LightningCLI.setup_parser` leaves them."""
_build = LitTrainerCLI.setup_parser


def _build_once(cli: LitTrainerCLI, add_subcommands: bool, *settings: Any) -> None:
    """Builds a parser in the first call of a process only, because that takes as long as parsing."""
    if add_subcommands not in _built:
        before = set(vars(cli))
        _build(cli, add_subcommands, *settings)
        _built[add_subcommands] = {name: value for name, value in vars(cli).items() if name not in before}
    vars(cli).update(_built[add_subcommands])


class BuiltOnce(LitTrainerCLI):
    """Is the command line, whose parser is built once for all tests."""

    setup_parser = _build_once


@contextmanager
def _cut_short() -> Iterator[None]:
    """Builds one parser for all runs, and hides the warning of iterations shorter than the interval of logging."""
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(LitTrainerCLI, "setup_parser", _build_once)
        warnings.filterwarnings(
            "ignore", r"The number of training batches \(\d+\) is smaller than the logging interval"
        )
        yield


def run(*args: str) -> None:
    """Runs the command `lit-trainer` in this process, as a user would call it."""
    with _cut_short():
        main(list(args))


def trained(*args: str) -> LitTrainerCLI:
    """Runs `lit-trainer` in this process, and returns the command line with its trainer, module and data module."""
    with _cut_short():
        ignore_noise()
        return LitTrainerCLI(list(args))


def metrics(folder: Path, column: str, key: str = "epoch") -> dict[int, float]:
    """Returns epoch (or "step") to the last value of a column of a run's ``metrics.csv``."""
    with open(folder / "metrics.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get(column)]
    return {int(float(row[key])): float(row[column]) for row in rows}


def every(epochs: int, name: str) -> list[str]:
    """Returns the flags of one more ModelCheckpoint, which keeps ``<name><iteration>.ckpt`` every `epochs` epochs."""
    return [
        "--trainer.callbacks+=lightning.pytorch.callbacks.ModelCheckpoint",
        f"--trainer.callbacks.init_args.filename={name}{{iteration:.0f}}",
        "--trainer.callbacks.init_args.auto_insert_metric_name=false",
        f"--trainer.callbacks.init_args.every_n_epochs={epochs}",
        "--trainer.callbacks.init_args.save_top_k=-1",
        "--trainer.callbacks.init_args.save_on_train_epoch_end=true",
        # another mode gives its state another name than the configurations' own has
        "--trainer.callbacks.init_args.mode=max",
    ]
