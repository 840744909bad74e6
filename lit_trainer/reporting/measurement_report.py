"""Writes what `lit-trainer test` measured: tables, ``test.json`` and ``test.png``."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from rich.console import Console

from lit_trainer.checkpoints.description import Description
from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.measuring.move_times import MoveTime
from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.old_paths import current_path
from lit_trainer.reporting.sources import results_of, run_data
from lit_trainer.reporting.tables import match_table, print_table
from lit_trainer.utils.files import save_figure, write_json

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer
from lit_trainer.measuring.matches import Measurement, player_name
from lit_trainer.utils.environment import environment

FORMAT = 1


def move_time_text(time: MoveTime | None) -> str:
    """A time a move in words, or nothing where it was not measured."""
    return "" if time is None else f"{time.batched:.3g} ms a move batched, {time.alone:.3g} ms alone"


def heat_map(path: Path, measurement: Measurement, title: str) -> None:
    """Draw the scores, opponents by numbers of simulations, into a picture, written whole or not at all."""
    opponents = list(next(iter(measurement.values())))
    scores = [[100 * results[name].score for results in measurement.values()] for name in opponents]
    figure = Figure(figsize=(3.2 + 1.3 * len(measurement), 1.6 + 0.42 * len(opponents)), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(scores, cmap="RdYlGn", vmin=0, vmax=100, aspect="auto")
    axes.set_xticks(range(len(measurement)), [player_name(simulations) for simulations in measurement])
    axes.set_yticks(range(len(opponents)), opponents)
    axes.set_title(title, fontsize=10)
    for column, results in enumerate(measurement.values()):
        for row, name in enumerate(opponents):
            half = 50 * (results[name].high - results[name].low)
            score = scores[row][column]
            colour = "black" if 12 < score < 88 else "white"  # the map is dark at its ends
            axes.text(column, row, f"{score:.1f} ± {half:.1f}", ha="center", va="center", fontsize=8, color=colour)
    figure.colorbar(image, label="score in % (wins and half the draws)")
    save_figure(path, figure)


def record(trainer: Trainer, module: LightningModule) -> dict[str, Any]:
    """What ``test.json`` says: docs/measuring.md explains each field."""
    data, found = run_data(trainer), results_of(module)
    facts: dict[str, Any] = {"format": FORMAT, **environment(), "device": str(trainer.strategy.root_device)}
    facts["checkpoint"] = None if trainer.ckpt_path is None else os.path.abspath(trainer.ckpt_path)
    facts["iteration"] = found.iterations_done
    if (network := found.network) is not None:
        own = Description.of(network)
        facts["network"] = own.network | {"parameters": sum(p.numel() for p in network.parameters())}
        facts["rules_version"] = own.rules_version
    if settings := data.test_facts:
        facts |= {**settings, "processes": trainer.world_size}
    facts["ms_per_move"] = {name: time._asdict() for name, time in data.move_times.items()}
    facts["results"] = [
        {"simulations": simulations, "opponent": name, "games": result.games, **asdict(result)}
        for simulations, results in found.measurement.items()
        for name, result in results.items()
    ]
    return facts


def report(trainer: Trainer, module: LightningModule, folder: Path) -> None:
    """Print the tables, and write ``test.json`` and ``test.png`` into a folder."""
    measurement, times = results_of(module).measurement, run_data(trainer).move_times
    facts = record(trainer, module)
    console = Console(emoji=False, highlight=False)  # ismcts:100: is no picture
    for simulations, results in measurement.items():
        own = move_time_text(times.get(f"sims:{simulations}"))
        print_table(match_table(results, player_name(simulations).capitalize() + (f" ({own})" if own else "")))
    for name, time in times.items():
        if not name.startswith("sims:"):
            console.print(f"{name}: {move_time_text(time)}")
    source = Path(facts["checkpoint"]).name if facts["checkpoint"] else "untrained network"
    write_json(folder / "test.json", facts)
    heat_map(folder / "test.png", measurement, f"{source}, iteration {facts['iteration']}")
    console.print(f"Written: {folder / 'test.json'}, {folder / 'test.png'}", soft_wrap=True)


def read_record(path: Path, network: PolicyValueNetwork, iteration: int, field: str = "test_json") -> dict[str, Any]:
    """What a ``test.json`` says, once it is sure to be of this network.

    Args:
        path: of the file.
        network: that it is to be a measurement of.
        iteration: iterations that the network's run had done.
        field: the setting that named the file, for messages.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no such record, or of another network.
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
            _ = MatchResult.from_record(row), row["simulations"], row["opponent"]
        _ = [facts[name] for name in ("date", "torch", "device", "seed")]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{field}: {str(path)!r} is no record of `lit-trainer test`") from None
    if version != FORMAT:
        raise ValueError(f"{field}: {str(path)!r} has format {version!r}, this version reads {FORMAT}")
    for name, has, wanted in pairs:
        if has != wanted:
            raise ValueError(f"{field}: {str(path)!r} measured {name} {has!r}, the checkpoint has {wanted!r}")
    return facts
