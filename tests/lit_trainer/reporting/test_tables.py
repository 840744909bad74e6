"""The tables of results: each number in its column, and nothing cut off."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest
from support.rendered import rendered

from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.reporting.tables import (
    TEST_COLUMNS,
    Column,
    MatchRow,
    build_table,
    comparison_table,
    evaluation_table,
    markdown_table,
    match_table,
    print_table,
)

EASY = MatchResult(
    6, 2, 2, 0.7, 0.4, 0.9, margin=3.25, margin_low=1.25, margin_high=5.25, median_margin=2.5, distinct_games=8
)
OUTCOMES_ALONE = MatchResult(0, 1, 1, 0.25, 0.0, 0.75)


def test_an_evaluation_shows_each_number_under_its_title() -> None:
    title, head, easy, hard = rendered(evaluation_table({"easy": EASY, "hard": OUTCOMES_ALONE}, {"easy": 0.65}, "Now"))
    assert title == ["Now"]
    assert dict(zip(head, easy, strict=True)) == {
        "opponent": "easy", "games": "10", "distinct": "8", "win %": "60.0", "draw %": "20.0", "loss %": "20.0",
        "score %": "70.0", "95 %": "40.0 to 90.0", "median margin": "+2.5", "change": "+5.0",
    }  # fmt: skip
    # neither a margin nor an evaluation before
    assert hard == ["hard", "2", "0.0", "50.0", "50.0", "25.0", "0.0 to 75.0"]


def test_a_test_shows_counts_and_margins() -> None:
    title, head, easy, hard = rendered(match_table({"easy": EASY, "hard": OUTCOMES_ALONE}, "16 simulations"))
    assert title == ["16 simulations"]
    assert dict(zip(head, easy, strict=True)) == {
        "opponent": "easy", "won": "6", "drawn": "2", "lost": "2", "distinct": "8", "score %": "70.0",
        "95 %": "40.0 to 90.0", "margin": "+3.25 ± 2.00", "median margin": "+2.5",
    }  # fmt: skip
    assert hard == ["hard", "0", "1", "1", "25.0", "0.0 to 75.0"]


def test_a_margin_without_a_standard_error_has_no_interval() -> None:
    one_pair = replace(EASY, margin_low=-inf, margin_high=inf)
    assert "+3.25" in rendered(match_table({"easy": one_pair}, "Now"))[-1]


def test_no_game_is_no_division_by_zero() -> None:
    row = rendered(evaluation_table({"nobody": MatchResult(0, 0, 0, 0.5, 0.0, 1.0)}))[-1]
    assert row == ["nobody", "0", "0.0", "0.0", "0.0", "50.0", "0.0 to 100.0"]


def test_matches_side_by_side_stand_under_what_the_player_knew() -> None:
    """Figures of a player that is told under one that is not, or an opponent that moves up where one has no match."""
    models = {"none": {"hard": OUTCOMES_ALONE, "easy": EASY}, "told": {"easy": replace(EASY, score=0.8)}}
    title, head, hard, easy = rendered(comparison_table(models, "16 simulations"))
    assert title == ["16 simulations"]
    assert dict(zip(head, easy, strict=True)) == {
        "opponent": "easy", "score %": "70.0", "score %, told": "80.0", "95 %": "40.0 to 90.0",
        "95 %, told": "40.0 to 90.0", "margin": "+3.25 ± 2.00", "margin, told": "+3.25 ± 2.00",
    }  # fmt: skip
    assert hard == ["hard", "25.0", "0.0 to 75.0"]


def test_the_change_of_matches_side_by_side_is_the_first_model_s() -> None:
    models = {"told": {"easy": EASY}, "none": {"easy": replace(EASY, score=0.1)}}
    _, head, easy = rendered(comparison_table(models, "Now", {"easy": 0.65}))
    assert (head[-1], easy[-1]) == ("change, told", "+5.0")
    assert rendered(comparison_table(models, "Now", {}))[1] == head, "the first evaluation's table has the same columns"


def test_in_markdown_each_row_is_a_line() -> None:
    lines = markdown_table(TEST_COLUMNS, [MatchRow("easy", EASY)]).splitlines()
    assert len(lines) == 3 and {line.count("|") for line in lines} == {len(TEST_COLUMNS) + 1}
    assert lines[2].startswith("| easy | 6 | 2 | 2 | 8 | 70.0 | 40.0 to 90.0 |")


def test_a_table_wider_than_the_terminal_is_printed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    columns = [Column[int](f"column {k}", lambda row, k=k: f"{row}-{k}-" + 20 * "x") for k in range(8)]  # type: ignore[misc]
    print_table(build_table("ismcts:100: and more", columns, [1]))
    printed = capsys.readouterr().out
    assert all(f"1-{k}-" + 20 * "x" in printed for k in range(8)) and "…" not in printed
    assert "ismcts:100:" in printed
