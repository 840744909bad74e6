"""Reads and writes ``tournament.json``, which keeps a tournament's finished matches. docs/measuring.md explains it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.measuring.move_times import MoveTime
from lit_trainer.measuring.tournament import Entry, Pairing, Rating, Tournament
from lit_trainer.utils.files import write_json

TOURNAMENT_FORMAT = 1
"""Format of the file."""

_SETTINGS = ("game", "rules_version", "games", "seed", "device", "opening_plies", "prior_games")
_OF_EARLIER_VERSIONS = {"opening_plies": 0}
"""Settings that files of earlier versions do not hold."""


def write_tournament(path: Path, tournament: Tournament) -> None:
    """Writes a tournament to a file, whole or not at all."""
    agents = []
    for entry in tournament.entries:
        time = entry.ms_per_move
        agents.append(vars(entry) | {"ms_per_move": None if time is None else time._asdict()})
    pairings = [
        {
            "a": pairing.a,
            "b": pairing.b,
            **asdict(pairing.result),
            "pairs": list(pairing.pairs),
            "seconds": pairing.seconds,
        }
        for pairing in tournament.pairings
    ]
    record = {
        "format": TOURNAMENT_FORMAT,
        **tournament.environment,
        **{name: getattr(tournament, name) for name in _SETTINGS},
        "agents": agents,
        "pairings": pairings,
        "ratings": [asdict(rating) for rating in tournament.ratings],
    }
    write_json(path, record)


def resume_tournament(path: Path, new: Tournament) -> Tournament:
    """Returns the tournament kept in a file where there is one, otherwise the new one.

    Args:
        path: Path of the file.
        new: The tournament that is wanted.

    Raises:
        ValueError: The file is of a tournament with other settings, or no such record.
    """
    if not path.exists():
        return new
    try:
        record = _OF_EARLIER_VERSIONS | json.loads(path.read_text(encoding="utf-8"))
        written = record["format"]
        settings = {name: record[name] for name in _SETTINGS}
        agents = [(agent["identity"], agent["spec"]) for agent in record["agents"]]
        _ = record["pairings"], record["ratings"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f"out: {str(path)!r} is there, but is no tournament's record; expected another folder"
        ) from None
    advice = "expected the same to go on with it, or another --out"
    if written != TOURNAMENT_FORMAT:
        raise ValueError(f"out: {str(path)!r} has format {written!r}, this version reads {TOURNAMENT_FORMAT}; {advice}")
    for name, value in settings.items():
        if value != (wanted := getattr(new, name)):
            raise ValueError(f"{name}: {wanted!r} given, but {str(path)!r} was begun with {value!r}; {advice}")
    for (identity, spec), entry in zip(agents, new.entries, strict=False):
        if identity != entry.identity:
            what = "has other weights now" if spec == entry.spec else f"stands where {spec!r} stood"
            raise ValueError(f"agents: {entry.spec!r} {what} in {str(path)!r}; {advice}")
    if len(agents) != len(new.entries):
        raise ValueError(f"agents: {len(new.entries)} given, but {str(path)!r} was begun with {len(agents)}; {advice}")
    try:
        return _tournament(record, new)
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"out: {str(path)!r} is damaged; expected another folder") from None


def _tournament(record: Mapping[str, Any], new: Tournament) -> Tournament:
    entries = []
    for agent in record["agents"]:
        time = agent["ms_per_move"]
        names = ("name", "spec", "identity", "simulations", "iteration")
        entry = Entry(**{name: agent[name] for name in names}, ms_per_move=None if time is None else MoveTime(**time))
        entries.append(entry)
    pairings = [
        Pairing(row["a"], row["b"], MatchResult.from_record(row), tuple(row["pairs"]), row["seconds"])
        for row in record["pairings"]
    ]
    return Tournament(
        new.game,
        new.games,
        new.seed,
        new.device,
        tuple(entries),
        new.opening_plies,
        pairings=tuple(pairings),
        ratings=tuple(Rating(**row) for row in record["ratings"]),
        environment={name: record.get(name) for name in new.environment},
    )
