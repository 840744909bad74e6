"""Measures what each part of the recipe is worth: ``python benchmarks/ablations.py --folder FOLDER``.

Trains `configs/quickstart.yaml` with one thing changed at a time, several seeds of each, by the command line that users
have. Then it measures every player against the built-in opponents on one set of deals. Finished runs and scores are
kept, so a stopped benchmark continues, and seeds or variants can be added later. docs/experiments.md has the figures.
"""

from __future__ import annotations

import copy
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonargparse
import yaml
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
TEST_SEED = 20261125
WIDTH = 128
"""Width of the network: half of the quickstart's, so that three seeds of everything take an hour."""
POPULATION = {
    "trainer.check_val_every_n_epoch": 5,
    "data.evaluation.games": 200,
    "data.opponent_pool": {
        "class_path": "lit_trainer.AdaptiveOpponentPool",
        "init_args": {"self_play_share": 0.5, "past_share": 0.0},
    },
    "adaptive": True,
}
"""Half of the games against built-in opponents, weighted by twelve evaluations. Other ways to weigh change this."""
POOL = "data.opponent_pool.init_args"

TOLD = POPULATION | {
    f"{POOL}.self_play_share": 0.25,
    "data.generation.opponent_model": "told",
    "model.network.init_args.condition": "belief",
    "data.replay.hide_condition": 0.2,
}
"""Three quarters of the games against built-in opponents, which search and network know."""

BASE = {"EntropyScheduleCallback.start_coef": 0.02}
"""Changes that all variants share: an entropy bonus that falls to 0 over the run."""

VARIANTS: dict[str, dict[str, Any]] = {
    "base": {},
    "entropy: constant 0.02": {"EntropyScheduleCallback.end_coef": 0.02},
    "entropy: none": {"EntropyScheduleCallback.start_coef": 0.0},
    "temperature: 1 to 0.5": {
        "TemperatureScheduleCallback.end_temp": 0.5,
        "TemperatureScheduleCallback.decay_type": "linear",
    },
    "targets: visits (PUCT, noise)": {"data.generation.search": {"dirichlet_fraction": 0.25}},
    "targets: none (value alone learns)": {"data.generation.simulations": 0},
    "auxiliary heads": {
        "model.network.init_args.auxiliary": True,
        "model.margin_coef": 0.3,
        "model.hand_coef": 0.1,
    },
    "half the value's target the search's": {"model.search_value_share": 0.5},
    "population: linear": POPULATION,
    "population: PFSP (1 - w)^2": POPULATION | {f"{POOL}.rule": "pfsp_hard"},
    "population: PFSP w (1 - w)": POPULATION | {f"{POOL}.rule": "pfsp_even"},
    "population: fixed, equal": POPULATION
    | {"adaptive": False, "data.opponent_pool.class_path": "lit_trainer.OpponentPool"},
    "population: linear, endgame values": POPULATION | {"data.generation.value_target": "endgame"},
    "told": TOLD,
    "told: half of the games self-play": TOLD | {f"{POOL}.self_play_share": 0.5},
    "told: network without a condition": {name: value for name, value in TOLD.items() if "condition" not in name},
    "told: network without cards": TOLD | {"model.network.init_args.condition": "opponent"},
    "told: fixed, equal": TOLD | {"adaptive": False, "data.opponent_pool.class_path": "lit_trainer.OpponentPool"},
    "told: entropy none": TOLD | {"EntropyScheduleCallback.start_coef": 0.0},
    "told: temperature 1 to 0.5": TOLD
    | {"TemperatureScheduleCallback.end_temp": 0.5, "TemperatureScheduleCallback.decay_type": "linear"},
}
"""Name to the settings that differ from the quickstart's."""

BASES = {"population": "population: linear", "told": "told"}
"""First word of a name to the variant that it is compared with. Others are compared with "base"."""


def base_of(name: str) -> str:
    """Returns the name of the variant that a variant is compared with, itself for such a base."""
    return BASES.get(name.partition(":")[0], "base")


def configuration(changes: dict[str, Any], folder: Path, seed: int, iterations: int | None = None) -> dict[str, Any]:
    """Returns the quickstart's YAML with changes, on one thread, evaluated only at its end unless they say more.

    Args:
        changes: Dotted path, or a callback's class name and its argument, to the value.
        folder: Folder of the run.
        seed: Random seed of the run.
        iterations: Iterations of the run. None: the configuration's number.
    """
    config: dict[str, Any] = yaml.safe_load((ROOT / "configs/quickstart.yaml").read_text())
    trainer, callbacks = config["trainer"], config["trainer"]["callbacks+"]  # all runs share the other callbacks
    config |= {"seed_everything": seed, "evaluate_first": False}
    config["data"]["generation"]["threads"] = 1
    config["model"]["network"] = {"class_path": "lit_trainer.ResidualMLP", "init_args": {"width": WIDTH, "blocks": 4}}
    trainer |= {"check_val_every_n_epoch": trainer["max_epochs"], "accelerator": "cpu", "enable_progress_bar": False}
    trainer["logger"] = {
        "class_path": "lightning.pytorch.loggers.CSVLogger",
        "init_args": {"save_dir": str(folder), "name": "", "version": ""},
    }
    if iterations is not None:
        trainer["max_epochs"] = iterations
    changes = copy.deepcopy(BASE | changes)
    if changes.pop("adaptive", False):
        callbacks.append({"class_path": "callbacks.AdaptiveOpponentCallback"})
    by_name = {given["class_path"].rpartition(".")[2]: given.setdefault("init_args", {}) for given in callbacks}
    for path, value in changes.items():
        *parents, last = path.split(".")
        place: Any = by_name if parents[0] in by_name else config
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return config


def train(changes: dict[str, Any], folder: Path, seed: int, iterations: int | None = None) -> Path:
    """Trains a run, or continues it where it stopped, and returns its last checkpoint. No run is trained twice."""
    config = configuration(changes, folder, seed, iterations)
    file, last = folder / "given.yaml", folder / "checkpoints" / "last.ckpt"
    done = folder / "seconds.json"
    if done.exists():
        return last
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(config))
    start = time.perf_counter()
    command = [sys.executable, "-m", "lit_trainer", "fit", "--config", str(file)]
    if last.exists():
        command += ["--ckpt_path", str(last)]
    with (folder / "log.txt").open("a") as log:
        subprocess.run(command, check=True, stdout=log, stderr=log, env=os.environ | {"OMP_NUM_THREADS": "1"})
    done.write_text(json.dumps({"seconds": time.perf_counter() - start}))
    return last


def measure(
    checkpoint: Path, folder: Path, games: int, simulations: Sequence[int], opponent_model: str = "none"
) -> dict[str, dict[str, float]]:
    """Measures a checkpoint by ``lit-trainer test``, and returns simulations to opponent to score."""
    kept = folder / f"scores_{games}{'' if opponent_model == 'none' else f'_{opponent_model}'}.json"
    if not kept.exists():
        config = yaml.safe_load((folder / "given.yaml").read_text())
        with tempfile.TemporaryDirectory() as scratch:
            config["trainer"]["logger"]["init_args"]["save_dir"] = scratch
            config["seed_everything"] = TEST_SEED
            config["data"]["test"] = {
                "games": games,
                "simulations": list(simulations),
                "opponent_model": opponent_model,
            }
            file = Path(scratch) / "test.yaml"
            file.write_text(yaml.safe_dump(config))
            command = [
                sys.executable,
                "-m",
                "lit_trainer",
                "test",
                "--config",
                str(file),
                "--ckpt_path",
                str(checkpoint),
            ]
            with (folder / "log.txt").open("a") as log:
                env = os.environ | {"OMP_NUM_THREADS": "1"}
                subprocess.run(command, check=True, stdout=log, stderr=log, env=env)
            results = json.loads(next(Path(scratch).rglob("test.json")).read_text())["results"]
        scores: dict[str, dict[str, float]] = {}
        for result in results:
            scores.setdefault(str(result["simulations"]), {})[result["opponent"]] = result["score"]
        kept.write_text(json.dumps(scores, indent=1))
    found: dict[str, dict[str, float]] = json.loads(kept.read_text())
    return found


def figures(scores: dict[str, dict[str, float]]) -> list[float]:
    """Returns scores in percent for each number of simulations: against the hardest opponent, and the mean over all."""
    row = []
    for of_one in scores.values():
        row += [100 * min(of_one.values()), 100 * statistics.mean(of_one.values())]
    return row


def described(values: list[float]) -> str:
    """Returns the mean over seeds and half its 95 % interval (Student's t)."""
    if len(values) < 2:
        return f"{values[0]:.1f}"
    t = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78}.get(len(values), 2.6)
    return f"{statistics.mean(values):.1f} ± {t * statistics.stdev(values) / len(values) ** 0.5:.1f}"


def main(
    folder: str = "runs/ablations",
    seeds: int = 3,
    only: Sequence[str] | None = None,
    games: int = 1000,
    simulations: int = 16,
    opponent_model: str = "none",
    iterations: int | None = None,
) -> None:
    """Trains and measures all variants, and prints their scores and the differences.

    Args:
        folder: Folder where runs and scores are kept.
        seeds: Runs of each variant, with the seeds 1, 2 and so on.
        only: Names of variants. None: all.
        games: Games against each opponent.
        simulations: Simulations per move of the search that is measured beside the raw policy.
        opponent_model: What the measured players know of the opponents: none, told or infer.
        iterations: Iterations of each run. None: the quickstart's.
    """
    if unknown := [name for name in only or () if name not in VARIANTS]:
        raise SystemExit(f"only: {unknown[0]!r} given, expected some of {', '.join(VARIANTS)}")
    columns = [
        f"{who}: {what}" for who in ("policy", f"{simulations} simulations") for what in ("hardest", "mean of all")
    ]
    found: dict[str, list[list[float]]] = {name: [] for name in only or VARIANTS}
    for seed in range(
        1, seeds + 1
    ):  # seed by seed, so that a benchmark that is stopped early can still compare variants
        for name, of_seeds in found.items():
            place = Path(folder).resolve() / f"{''.join(c if c.isalnum() else '_' for c in name)}_{seed}"
            checkpoint = train(VARIANTS[name], place, seed, iterations)
            of_seeds.append(figures(measure(checkpoint, place, games, (0, simulations), opponent_model)))
    table = Table("variant", *columns)
    for name, of_seeds in found.items():
        table.add_row(name, *(described(list(column)) for column in zip(*of_seeds, strict=True)))
    console = Console(width=160)
    console.print(table)
    differences = Table("variant less its base, seed by seed", *columns)
    for name, of_seeds in found.items():
        base = base_of(name) if base_of(name) != name else "base"
        if base in found and base != name:
            pairs = zip(of_seeds, found[base], strict=True)
            rows = [[a - b for a, b in zip(mine, its, strict=True)] for mine, its in pairs]
            differences.add_row(name, *(described(list(column)) for column in zip(*rows, strict=True)))
    console.print(differences)


if __name__ == "__main__":
    jsonargparse.auto_cli(main)
