"""The file that keeps a tournament: the same after reading it again, and refused by name if it is damaged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lit_trainer.measuring.tournament import Rating, Tournament
from lit_trainer.reporting.tournament_file import resume_tournament, write_tournament


def test_a_kept_tournament_is_read_back_whole(finished: Tournament, tmp_path: Path) -> None:
    path = tmp_path / "tournament.json"
    new = replace(finished, pairings=(), ratings=())
    assert resume_tournament(path, new) is new
    write_tournament(path, finished)
    assert resume_tournament(path, new) == finished
    before = path.read_bytes()
    write_tournament(path, resume_tournament(path, new))
    assert path.read_bytes() == before


def test_a_file_of_an_earlier_version_is_read(finished: Tournament, tmp_path: Path) -> None:
    """It has no median, no counts of distinct games, and no openings."""
    path = tmp_path / "tournament.json"
    write_tournament(path, finished)
    record = json.loads(path.read_text())
    del record["opening_plies"]
    for name in ("median_margin", "distinct_games", "independent_pairs"):
        del record["pairings"][0][name]
    path.write_text(json.dumps(record))
    (pairing,) = resume_tournament(path, finished).pairings
    assert pairing.result == replace(
        finished.pairings[0].result, median_margin=None, distinct_games=None, independent_pairs=None
    )


def test_a_damaged_file_is_refused_by_name(finished: Tournament, tmp_path: Path) -> None:
    path = tmp_path / "tournament.json"
    write_tournament(path, finished)
    record = json.loads(path.read_text())
    record["pairings"][0].pop("pairs")
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"^out: .*tournament\.json' is damaged"):
        resume_tournament(path, finished)
    assert isinstance(finished.ratings[0], Rating)


def test_the_file_of_another_tournament_is_refused_by_name(finished: Tournament, tmp_path: Path) -> None:
    """Matches with other settings or other agents that are rated together."""
    path = tmp_path / "tournament.json"
    write_tournament(path, finished)
    first, second = finished.entries
    for wanted, words in (
        (replace(finished, games=10), "games: 10 given, but "),
        (replace(finished, seed=4), "seed: 4 given, but "),
        (replace(finished, device="cuda"), "device: 'cuda' given, but "),
        (replace(finished, opening_plies=2), "opening_plies: 2 given, but "),
        (replace(finished, entries=(first,)), "agents: 1 given, but "),
        (replace(finished, entries=(second, first)), "agents: 'a.ckpt@4' stands where 'weak' stood"),
        (replace(finished, entries=(first, replace(second, identity="def@4"))), "'a.ckpt@4' has other weights now"),
    ):
        with pytest.raises(ValueError, match=f"^{words}" if words[0] != "'" else words):
            resume_tournament(path, wanted)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    with pytest.raises(ValueError, match="has format 2, this version reads 1"):
        resume_tournament(path, finished)
    path.write_text("[]")
    with pytest.raises(ValueError, match="is no tournament's record"):
        resume_tournament(path, finished)
