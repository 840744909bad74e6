"""The command `lit-trainer tournament`."""

from __future__ import annotations

from pathlib import Path

import torch
from rich.console import Console

from lit_trainer.measuring.contestants import load_contestants
from lit_trainer.measuring.tournament import FILE_NAME, _time, new_record, open_record, play, rate
from lit_trainer.reporting.tournament_report import draw, print_tables
from lit_trainer.utils.files import write_json


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
        agents: Two or more players: FILE.ckpt, FILE.ckpt@SIMULATIONS, a run's folder, a built-in opponent, ismcts:N, or
            package.module.Agent(argument=value).
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
