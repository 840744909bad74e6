"""Writes what `lit-trainer test` measured: tables, ``test.json`` and ``test.png``."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from lit_trainer.checkpoints.description import Description
from lit_trainer.measuring.matches import Match, by_simulations, player_name, timed_name
from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.measuring.move_times import MoveTime
from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.old_paths import current_path
from lit_trainer.reporting.heat_maps import measurement_map
from lit_trainer.reporting.sources import results_of, run_data
from lit_trainer.reporting.tables import comparison_table, match_table, print_table
from lit_trainer.utils.environment import environment
from lit_trainer.utils.files import save_figure, write_json

if TYPE_CHECKING:  # Lightning, which other commands that read a record can do without
    from lightning.pytorch import LightningModule, Trainer

TEST_FORMAT = 1
"""Format of ``test.json``, which docs/measuring.md explains."""
TEST_RECORD = "test.json"
TEST_PICTURE = "test.png"


def _words(time: MoveTime) -> str:
    return f"{time.batched:.3g} ms per move batched, {time.alone:.3g} ms alone"


def measurement_record(trainer: Trainer, module: LightningModule) -> dict[str, Any]:
    """Returns what ``test.json`` says. docs/measuring.md explains each field."""
    data, results = run_data(trainer), results_of(module)
    facts: dict[str, Any] = {"format": TEST_FORMAT, **environment(), "device": str(trainer.strategy.root_device)}
    facts["checkpoint"] = None if trainer.ckpt_path is None else os.path.abspath(trainer.ckpt_path)
    facts["iteration"] = results.iterations_done
    if (network := results.network) is not None:
        own = Description.of(network)
        facts["network"] = own.network | {"parameters": sum(p.numel() for p in network.parameters())}
        facts["rules_version"] = own.rules_version
    if settings := data.test_facts:
        facts |= {**settings, "processes": trainer.world_size}
    facts["ms_per_move"] = {name: time._asdict() for name, time in data.move_times.items()}
    facts["results"] = [
        {**match.to_record(), "games": result.games, **asdict(result)} for match, result in results.tested.items()
    ]
    return facts


def report(trainer: Trainer, module: LightningModule, folder: Path) -> None:
    """Prints the tables, and writes ``test.json`` and ``test.png`` into a folder."""
    tested, times = results_of(module).tested, dict(run_data(trainer).move_times)
    facts = measurement_record(trainer, module)
    console = Console(emoji=False, highlight=False)  # ismcts:100: is no picture
    for simulations, models in by_simulations(tested).items():
        only = next(iter(models)) if len(models) == 1 else None
        own = {
            model: times.pop(timed_name(simulations, model))
            for model in models
            if timed_name(simulations, model) in times
        }
        taken = "; ".join(("" if only else f"{model}: ") + _words(time) for model, time in own.items())
        title = player_name(simulations, only or "none").capitalize() + (f" ({taken})" if taken else "")
        print_table(match_table(models[only], title) if only else comparison_table(models, title))
    for name, time in times.items():
        console.print(f"{name}: {_words(time)}")
    source = Path(facts["checkpoint"]).name if facts["checkpoint"] else "untrained network"
    write_json(folder / TEST_RECORD, facts)
    save_figure(folder / TEST_PICTURE, measurement_map(tested, f"{source}, iteration {facts['iteration']}"))
    console.print(f"Written: {folder / TEST_RECORD}, {folder / TEST_PICTURE}", soft_wrap=True)


def read_record(path: Path, network: PolicyValueNetwork, iteration: int, field: str = "test_json") -> dict[str, Any]:
    """Returns what a ``test.json`` says, once it is sure to be of this network.

    Args:
        path: Path of the file.
        network: Network that was measured.
        iteration: Iterations that the network's run had done.
        field: Setting that named the file, for messages.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no such record, or of another network.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{field}: there is no file {str(path)!r}")
    own = Description.of(network)
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = facts["format"]
        pairs = [
            ("iteration", facts["iteration"], iteration),
            ("class_path", current_path(facts["network"]["class_path"]), own.class_path),
            ("init_args", facts["network"]["init_args"], own.init_args),
            ("rules_version", facts["rules_version"], own.rules_version),
        ]
        for row in facts["results"]:
            _ = MatchResult.from_record(row), Match.from_record(row)
        _ = [facts[name] for name in ("date", "torch", "device", "seed")]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{field}: {str(path)!r} is no record of `lit-trainer test`") from None
    if version != TEST_FORMAT:
        raise ValueError(f"{field}: {str(path)!r} has format {version!r}, this version reads {TEST_FORMAT}")
    for name, has, wanted in pairs:
        if has != wanted:
            raise ValueError(f"{field}: {str(path)!r} measured {name} {has!r}, the checkpoint has {wanted!r}")
    return facts
