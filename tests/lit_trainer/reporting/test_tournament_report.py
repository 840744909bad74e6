"""What a tournament shows and keeps: the best first, each score at its place, and the same after reading it again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.rendered import rendered

from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.measuring.move_times import MoveTime
from lit_trainer.measuring.tournament import Entry, Pairing, Rating, Tournament, rate
from lit_trainer.reporting.tournament_file import resume_tournament, write_tournament
from lit_trainer.reporting.tournament_report import cross_scores, cross_table, ratings_table, tournament_picture

ENTRIES = (
    Entry("weak", "weak", "weak"),
    Entry("strong", "a.ckpt@4", "abc@4", simulations=4, iteration=7, ms_per_move=MoveTime(0.25, 2.0)),
)
LOST = Pairing(0, 1, MatchResult(2, 0, 6, 0.25, 0.1, 0.5, -3.0, -5.0, -1.0, -2.5), (2, 0, 2, 0, 0), 1.5)


@pytest.fixture
def finished() -> Tournament:
    begun = Tournament("beasty_bar", 8, 3, "cpu", ENTRIES, pairings=(LOST,))
    return replace(begun, ratings=rate(begun))


def test_the_best_is_first_and_scores_are_seen_from_the_row(finished: Tournament) -> None:
    scores, halves = cross_scores(finished)
    assert np.array_equal(scores, [[np.nan, 75], [25, np.nan]], equal_nan=True)
    assert halves[0, 1] == halves[1, 0] == pytest.approx(20)
    head, first, second = rendered(ratings_table(finished))[-3:]
    assert head == ["agent", "Elo", "95 %", "score %", "ms per move"]
    assert first[:2] == ["1", "strong"] and first[-2:] == ["75.0", "0.25"]
    assert second[:2] == ["2", "weak"] and second[-1] == "25.0"
    lines = rendered(cross_table(finished))
    assert ["1", "strong", "75.0"] in lines and ["2", "weak", "25.0"] in lines
    ratings, cross = tournament_picture(finished).axes[:2]
    assert [label.get_text() for label in ratings.get_yticklabels()] == ["strong", "weak"]
    assert {text.get_text() for text in cross.texts} == {"75.0\n±20.0", "25.0\n±20.0"}


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
    """It has no median."""
    path = tmp_path / "tournament.json"
    write_tournament(path, finished)
    record = json.loads(path.read_text())
    del record["pairings"][0]["median_margin"]
    path.write_text(json.dumps(record))
    (pairing,) = resume_tournament(path, finished).pairings
    assert pairing.result == replace(LOST.result, median_margin=None)


def test_a_damaged_file_is_refused_by_name(finished: Tournament, tmp_path: Path) -> None:
    path = tmp_path / "tournament.json"
    write_tournament(path, finished)
    record = json.loads(path.read_text())
    record["pairings"][0].pop("pairs")
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"^out: .*tournament\.json' is damaged"):
        resume_tournament(path, finished)
    assert isinstance(finished.ratings[0], Rating)
