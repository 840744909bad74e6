"""What a tournament shows: the best first, and each score at its place."""

from __future__ import annotations

import numpy as np
import pytest
from support.rendered import rendered

from lit_trainer.measuring.tournament import Tournament
from lit_trainer.reporting.tournament_report import cross_scores, cross_table, ratings_table, tournament_picture


def test_the_best_is_first_and_scores_are_seen_from_the_row(finished: Tournament) -> None:
    scores, halves = cross_scores(finished)
    assert np.array_equal(scores, [[np.nan, 75], [25, np.nan]], equal_nan=True)
    assert halves[0, 1] == halves[1, 0] == pytest.approx(20)
    head, first, second = rendered(ratings_table(finished))[-3:]
    assert head == ["agent", "Elo", "95 %", "score %", "distinct games", "ms per move"]
    assert first[:2] == ["1", "strong"] and first[-3:] == ["75.0", "6", "0.25"]
    assert second[:2] == ["2", "weak"] and second[-2:] == ["25.0", "6"]
    lines = rendered(cross_table(finished))
    assert ["1", "strong", "75.0"] in lines and ["2", "weak", "25.0"] in lines
    ratings, cross = tournament_picture(finished).axes[:2]
    assert [label.get_text() for label in ratings.get_yticklabels()] == ["strong", "weak"]
    assert {text.get_text() for text in cross.texts} == {"75.0\n±20.0", "25.0\n±20.0"}
