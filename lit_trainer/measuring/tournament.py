"""Plays a round robin on mirrored deals and rates the players in Elo."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lit_trainer.measuring.contestants import Contestant
from lit_trainer.measuring.matches import play_match
from lit_trainer.measuring.metrics import MatchScore
from lit_trainer.measuring.move_times import time_moves
from lit_trainer.measuring.positions import POSITIONS, sample_positions
from lit_trainer.measuring.statistics import ELO, Z95, Floats, bradley_terry, pair_dispersion, rating_errors
from lit_trainer.self_play.lanes import LaneMemory
from lit_trainer.utils.environment import environment
from lit_trainer.utils.files import write_json
from lit_trainer.utils.seeding import derive_seed
from sim_core import get_game

FORMAT = 1
FILE_NAME = "tournament.json"
PRIOR_GAMES = 1.0
"""Drawn games made up for every pairing, so that who won all games has a finite rating too."""


Record = dict[str, Any]
"""What ``tournament.json`` holds: docs/measuring.md explains each field."""


def new_record(contestants: list[Contestant], game: str, games: int, seed: int, device: str) -> Record:
    """The record of a tournament of which nothing has been played."""
    return {
        "format": FORMAT,
        **environment(),
        "device": device,
        "game": game,
        "rules_version": get_game(game).version,
        "games": games,
        "seed": seed,
        "prior_games": PRIOR_GAMES,
        "agents": [
            {
                "name": one.name,
                "spec": one.spec,
                "identity": one.identity,
                "simulations": one.simulations,
                "iteration": one.iteration,
                "ms_per_move": None,
            }
            for one in contestants
        ],
        "pairings": [],
        "ratings": [],
    }


def open_record(path: Path, new: Record) -> Record:
    """The record kept in a file where there is one, else the new one.

    Raises:
        ValueError: it is of a tournament with other settings, or no such record.
    """
    if not path.exists():
        return new
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        written = kept["format"]
        facts = {field: kept[field] for field in ("game", "rules_version", "games", "seed", "device", "prior_games")}
        agents = [agent["identity"] for agent in kept["agents"]]
        _ = kept["pairings"], kept["ratings"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f"out: {str(path)!r} is there, but is no tournament's record; expected another folder"
        ) from None
    advice = "expected the same to go on with it, or another --out"
    if written != FORMAT:
        raise ValueError(f"out: {str(path)!r} has format {written!r}, this version reads {FORMAT}; {advice}")
    for field, value in facts.items():
        if value != new[field]:
            raise ValueError(f"{field}: {new[field]!r} given, but {str(path)!r} was begun with {value!r}; {advice}")
    for old, one in zip(kept["agents"], new["agents"], strict=False):
        if old["identity"] != one["identity"]:
            what = "has other weights now" if old["spec"] == one["spec"] else f"stands where {old['spec']!r} stood"
            raise ValueError(f"agents: {one['spec']!r} {what} in {str(path)!r}; {advice}")
    if len(agents) != len(new["agents"]):
        raise ValueError(
            f"agents: {len(new['agents'])} given, but {str(path)!r} was begun with {len(agents)}; {advice}"
        )
    result: Record = kept
    return result


def _time(record: Record, contestants: list[Contestant], threads: int) -> None:
    """Measure the time a move of those who think and have not been measured."""
    positions = sample_positions(record["game"], POSITIONS, derive_seed(record["seed"], "timing"))
    for agent, one in zip(record["agents"], contestants, strict=True):
        if one.is_timed and agent["ms_per_move"] is None:
            agent["ms_per_move"] = time_moves(one.player(1, threads), positions)._asdict()


def play(
    record: Record,
    contestants: list[Contestant],
    path: Path,
    threads: int,
    parallel_games: int,
    console: Console | None = None,
) -> None:
    """Play the pairings that the record lacks; each is written to the file as soon as it is finished."""
    done = {(pairing["a"], pairing["b"]) for pairing in record["pairings"]}
    pairs = [pair for pair in combinations(range(len(contestants)), 2) if pair not in done]
    memory = LaneMemory()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=record["games"] * len(pairs))
        for number, (a, b) in enumerate(pairs):
            one, other = contestants[a], contestants[b]
            progress.update(task, description=f"{one.name} - {other.name}", completed=number * record["games"])
            before = number * record["games"]

            def advance(played: float, before: int = before) -> None:
                progress.update(task, completed=before + int(played))

            pairing = _pairing(record, one, other, threads, parallel_games, memory, advance)
            record["pairings"].append({"a": a, "b": b, **pairing})
            write_json(path, record)


def _pairing(
    record: Record,
    one: Contestant,
    other: Contestant,
    threads: int,
    parallel_games: int,
    memory: LaneMemory,
    on_progress: Callable[[float], None],
) -> Record:
    """Play one pairing. It depends on the two players and the seed alone, not on who else takes part."""
    seed = derive_seed(record["seed"], "tournament", record["game"], *sorted((one.identity, other.identity)))
    start = time.perf_counter()
    outcomes, margins = play_match(
        one.player(derive_seed(seed, one.identity), threads),
        other.player(derive_seed(seed, other.identity), threads),
        record["games"],
        game=record["game"],
        seed=seed,
        parallel_games=parallel_games,
        memory=memory,
        on_progress=on_progress,
    )
    score = MatchScore()
    score.update(torch.from_numpy(outcomes), torch.from_numpy(margins))
    of_pairs = outcomes.astype(np.int64).reshape(-1, 2).sum(axis=1)
    return {
        **score.compute(),
        "pairs": np.bincount(of_pairs + 2, minlength=5).tolist(),
        "seconds": round(time.perf_counter() - start, 3),
    }


def rate(record: Mapping[str, Any]) -> list[Record]:
    """Elo of every player with its 95 % interval, in the order of the agents."""
    n, prior = len(record["agents"]), record["prior_games"]
    points, games, variances = (np.zeros((n, n)) for _ in range(3))
    for pairing in record["pairings"]:
        a, b, played = pairing["a"], pairing["b"], float(record["games"])
        made = pairing["score"] * played
        points[a, b], points[b, a] = made + prior / 2, played - made + prior / 2
        games[a, b] = games[b, a] = played + prior
        variances[a, b] = variances[b, a] = _variance(pairing["pairs"], prior)
    ratings = bradley_terry(points, games)
    errors: Floats = rating_errors(ratings, games, variances)
    return [
        {
            "name": agent["name"],
            "elo": ELO * float(ratings[k]),
            "low": ELO * float(ratings[k] - Z95 * errors[k]),
            "high": ELO * float(ratings[k] + Z95 * errors[k]),
            "score": float((points[k].sum() - (n - 1) * prior / 2) / (games[k].sum() - (n - 1) * prior)),
        }
        for k, agent in enumerate(record["agents"])
    ]


def _variance(pairs: list[int], prior: float) -> float:
    """Of a match's points, from how many of its pairs brought 0, 1/2, 1, 3/2 and 2."""
    count = sum(pairs)
    scores = np.arange(5) / 4
    mean = float(scores @ pairs) / count
    squares = float((scores - mean) ** 2 @ pairs)
    # a little inside 0 and 1, so that a match in which all games were won does not claim to be sure
    inside = (2 * count * mean + prior / 2) / (2 * count + prior)
    return 4 * count * pair_dispersion(count, mean, squares) * inside * (1 - inside)
