"""`lit-trainer tournament`: everybody against everybody on mirrored deals, kept pairing by pairing, rated in Elo."""

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

from lit_trainer.contestants import Contestant, load_contestants
from lit_trainer.evaluation import play_match
from lit_trainer.files import write_json
from lit_trainer.lanes import LaneMemory
from lit_trainer.measurement import environment
from lit_trainer.metrics import MatchScore
from lit_trainer.seeding import derive_seed
from lit_trainer.statistics import ELO, Z95, Floats, bradley_terry, pair_dispersion, rating_errors
from lit_trainer.timing import POSITIONS, sample_positions, time_moves
from lit_trainer.tournament_report import draw, print_tables
from sim_core import get_game

FORMAT = 1
FILE_NAME = "tournament.json"
PRIOR_GAMES = 1.0
"""Drawn games made up for every pairing, so that who won all games has a finite rating too."""

Record = dict[str, Any]
"""What ``tournament.json`` holds: docs/measuring.md explains each field."""


def tournament(
    agents: list[str],
    games: int = 400,
    game: str | None = None,
    seed: int = 42,
    out: Path = Path("runs/tournament"),
    threads: int = 2,
    parallel_games: int = 512,
    device: str = "auto",
) -> None:
    """Play a round robin, or go on with an interrupted one, and rate the players.

    Args:
        agents: two or more: checkpoints' paths, PATH@N for search with N simulations a move, the game's opponents,
            ismcts:N.
        games: games of each pairing, half of them in either seat.
        game: name of the game; by default the checkpoints'.
        seed: of deals and of all choices; the same seed gives the same result.
        out: folder for tournament.json and tournament.png. Finished pairings found there are kept.
        threads: for trees and networks; no result depends on it.
        parallel_games: games played side by side.
        device: where networks lie, e.g. "cpu" or "cuda"; "auto" is the GPU if there is one.

    Raises:
        ValueError: names the argument, the value and what would be right, before anything is played.
    """
    for name, value, lowest in (("games", games, 2), ("threads", threads, 1), ("parallel_games", parallel_games, 1)):
        if value < lowest:
            raise ValueError(f"{name}: {value} given, expected a whole number of at least {lowest}")
    if games % 2:
        raise ValueError(f"games: {games} given, expected an even number (two seats a deal)")
    console = Console(emoji=False, highlight=False)
    placed = _device(device)
    game, contestants = load_contestants(agents, game, placed)
    record = open_record(out / FILE_NAME, new_record(contestants, game, games, seed, placed))
    kept = len(record["pairings"])
    if kept:
        console.print(f"{kept} finished pairings are kept from {out / FILE_NAME}.", soft_wrap=True, markup=False)
    try:
        _time(record, contestants, threads)
        play(record, contestants, out / FILE_NAME, threads, parallel_games, console)
    except KeyboardInterrupt:
        done, total = len(record["pairings"]), len(contestants) * (len(contestants) - 1) // 2
        console.print(
            f"Interrupted: {done} of {total} pairings are kept in {out / FILE_NAME}; the same command goes on there.",
            soft_wrap=True,
            markup=False,
        )
        raise SystemExit(130) from None
    record["ratings"] = rate(record)
    write_json(out / FILE_NAME, record)
    draw(out / "tournament.png", record)
    print_tables(record)
    console.print(f"Written: {out / FILE_NAME}, {out / 'tournament.png'}", soft_wrap=True, markup=False)


def _device(device: str) -> str:
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        raise ValueError(f"device: {device!r} given, expected auto, cpu, cuda or cuda:N ({reason})") from None
    return device


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
        **score.compute()._asdict(),
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
