"""Plays a tournament and writes what came of it: the command `lit-trainer tournament`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lit_trainer.measuring.contestants import Contestant, load_contestants
from lit_trainer.measuring.tournament import Tournament, new_tournament, play_missing, rate, with_times
from lit_trainer.reporting.tournament_file import resume_tournament, write_tournament
from lit_trainer.reporting.tournament_report import print_tables, tournament_picture
from lit_trainer.utils.files import save_figure

FILE_NAME = "tournament.json"
PICTURE_NAME = "tournament.png"


def tournament(
    agents: list[str],
    games: int = 400,
    game: str | None = None,
    seed: int = 42,
    opening_plies: int | None = None,
    out: Path = Path("runs/tournament"),
    threads: int = 2,
    parallel_games: int = 512,
    device: str = "auto",
) -> None:
    """Plays a round robin, or goes on with an interrupted one, and rates the players.

    Args:
        agents: Two or more players: FILE.ckpt, FILE.ckpt@SIMULATIONS, a run's folder, a built-in opponent, ismcts:N, or
            package.module.Agent(argument=value).
        games: Games of each pairing, half of them from either seat.
        game: Name of the game. By default that of the checkpoints.
        seed: Random seed. The same seed gives the same result.
        opening_plies: Random plies that each game begins with, the same for both seats. By default 2 where the game's
            deal draws nothing, so that games differ from each other, otherwise none.
        out: Folder for tournament.json and tournament.png. Finished pairings found there are kept.
        threads: Threads for trees and networks. No result depends on it.
        parallel_games: Games played side by side.
        device: Device of the networks, such as "cpu" or "cuda". "auto" is the GPU if there is one.

    Raises:
        ValueError: Names the argument, the value and what would be right, before anything is played.
    """
    for name, value, lowest in (("games", games, 2), ("threads", threads, 1), ("parallel_games", parallel_games, 1)):
        if value < lowest:
            raise ValueError(f"{name}: {value} given, expected a whole number of at least {lowest}")
    if games % 2:
        raise ValueError(f"games: {games} given, expected an even number (each deal is played from two seats)")
    console = Console(emoji=False, highlight=False)
    placed = _device(device)
    game, contestants = load_contestants(agents, game, placed)
    store = out / FILE_NAME
    played = resume_tournament(store, new_tournament(contestants, game, games, seed, placed, opening_plies))
    if played.pairings:
        kept = f"{len(played.pairings)} finished pairings are kept from {store}."
        console.print(kept, soft_wrap=True, markup=False)
    try:
        played = with_times(played, contestants, threads)
        played = _play(played, contestants, store, threads, parallel_games, console)
    except KeyboardInterrupt:
        done, total = len(resume_tournament(store, played).pairings), len(contestants) * (len(contestants) - 1) // 2
        console.print(
            f"Interrupted: {done} of {total} pairings are kept in {store}; the same command goes on there.",
            soft_wrap=True,
            markup=False,
        )
        raise SystemExit(130) from None
    played = replace(played, ratings=rate(played))
    write_tournament(store, played)
    save_figure(out / PICTURE_NAME, tournament_picture(played))
    print_tables(played)
    console.print(f"Written: {store}, {out / PICTURE_NAME}", soft_wrap=True, markup=False)


def _play(
    played: Tournament,
    contestants: Sequence[Contestant],
    store: Path,
    threads: int,
    parallel_games: int,
    console: Console,
) -> Tournament:
    """Returns the tournament with all matches. Each is written to the file as soon as it is finished."""
    missing = played.missing
    numbers = {pair: number for number, pair in enumerate(missing)}
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=played.games * len(missing))
        games = played.games

        def advance(a: int, b: int, done: float) -> None:
            names = f"{contestants[a].name} - {contestants[b].name}"
            progress.update(task, description=names, completed=numbers[a, b] * games + int(done))

        options = {"threads": threads, "parallel_games": parallel_games}
        for pairing in play_missing(played, contestants, **options, on_progress=advance):
            played = played.with_pairing(pairing)
            write_tournament(store, played)
    return played


def _device(device: str) -> str:
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        raise ValueError(f"device: {device!r} given, expected auto, cpu, cuda or cuda:N ({reason})") from None
    return device
