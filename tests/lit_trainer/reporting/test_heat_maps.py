"""Heat maps: each value in its cell, with a text that can be read, against maps whose picture is known."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from lit_trainer.measuring.matches import Match
from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.reporting.heat_maps import animal_maps, draw_cross_map, draw_heat_map, measurement_map, win_rate_map


def texts(axes: object) -> dict[tuple[int, int], str]:
    """Returns row and column to the text of the cell."""
    return {
        (round(text.get_position()[1]), round(text.get_position()[0])): text.get_text()
        for text in axes.texts  # type: ignore[attr-defined]
    }


def test_the_heat_map_holds_each_score_at_its_place() -> None:
    """Rows in another order than their labels, or a gap filled with the next score."""
    figure = win_rate_map({"easy": {0: 0.25, 5: 0.75}, "hard": {5: 0.5, 10: 1.0}})
    axes = figure.axes[0]
    shown = np.ma.filled(axes.images[0].get_array(), np.nan)
    assert np.array_equal(shown, [[25, 75, np.nan], [np.nan, 50, 100]], equal_nan=True)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "5", "10"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["easy", "hard"]


def test_the_heat_map_of_a_long_run_stays_readable() -> None:
    figure = win_rate_map({"easy": {25 * k: 0.5 for k in range(100)}})
    assert 5 <= len(figure.axes[0].get_xticklabels()) <= 12
    assert not figure.axes[0].texts


def test_a_cell_s_text_stands_out_from_its_colour() -> None:
    """Black on dark red, or white on yellow. A cell without a value has neither colour nor text."""
    values = np.array([[0.0, 50.0, 100.0, np.nan]])
    for colours in ("RdYlGn", "RdBu", "viridis"):
        axes = Figure().subplots()
        draw_heat_map(axes, values, ["row"], list("abcd"), lambda row, column: f"{row}{column}", colours=colours)
        (image,) = axes.images
        assert texts(axes) == {(0, 0): "00", (0, 1): "01", (0, 2): "02"}
        for text in axes.texts:
            background = image.cmap(image.norm(values[0, round(text.get_position()[0])]))[:3]
            assert abs(sum(to_rgb(text.get_color())) - sum(background)) > 1


def test_a_test_s_map_holds_each_score_with_its_interval() -> None:
    """Simulations and opponents that are taken for one another."""
    results = {
        name: MatchResult(1, 1, 0, score, score - 0.1, score + 0.1) for name, score in (("easy", 0.75), ("hard", 0.25))
    }
    better = {name: MatchResult(1, 1, 0, 0.5, 0.25, 0.75) for name in results}
    tested = {Match(number, name): by[name] for number, by in ((0, results), (16, better)) for name in by}
    axes = measurement_map(tested, "last.ckpt, iteration 3").axes[0]
    assert np.array(axes.images[0].get_array()).tolist() == [[75, 50], [25, 50]]
    assert texts(axes) == {(0, 0): "75.0 ± 10.0", (0, 1): "50.0 ± 25.0", (1, 0): "25.0 ± 10.0", (1, 1): "50.0 ± 25.0"}
    assert [label.get_text() for label in axes.get_xticklabels()] == ["policy alone", "16 simulations"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["easy", "hard"]
    assert axes.get_title() == "last.ckpt, iteration 3"


def test_a_test_s_map_shows_what_the_player_knew_side_by_side() -> None:
    """A score told that stands under the untold player, or columns of one number of simulations that are apart."""

    def result(score: float) -> MatchResult:
        return MatchResult(1, 1, 0, score, score - 0.1, score + 0.1)

    tested = {
        Match(0, "easy"): result(0.7),
        Match(0, "hard"): result(0.2),
        Match(16, "easy"): result(0.8),
        Match(16, "hard"): result(0.3),
        Match(0, "easy", "told"): result(0.75),
        Match(16, "hard", "told"): result(0.5),
    }
    axes = measurement_map(tested, "").axes[0]
    values = np.array(axes.images[0].get_array().filled(np.nan))  # type: ignore[union-attr]
    np.testing.assert_allclose(values, [[70, 75, 80, np.nan], [20, np.nan, 30, 50]])
    names = ["policy alone", "policy alone,\ntold", "16 simulations", "16 simulations,\ntold"]
    assert [label.get_text() for label in axes.get_xticklabels()] == names
    assert texts(axes)[0, 1] == "75.0 ± 10.0" and (1, 1) not in texts(axes)


def test_a_cross_table_leaves_out_who_has_not_played() -> None:
    axes = Figure().subplots()
    scores = np.array([[np.nan, 60.0, np.nan], [40.0, np.nan, 55.0], [np.nan, 45.0, np.nan]])
    draw_cross_map(axes, scores, np.full((3, 3), 5.0), games=20)
    assert texts(axes) == {(0, 1): "60.0\n±5.0", (1, 0): "40.0\n±5.0", (1, 2): "55.0\n±5.0", (2, 1): "45.0\n±5.0"}
    assert "20 games" in axes.get_title()


def test_every_place_of_a_large_cross_table_is_named() -> None:
    axes = Figure().subplots()
    draw_cross_map(axes, np.full((20, 20), 50.0), np.full((20, 20), 5.0), games=2)
    assert [label.get_text() for label in axes.get_xticklabels()] == [str(k) for k in range(1, 21)]


def test_the_animals_maps_show_shares_and_worth_by_turn() -> None:
    shares, worth = np.array([[100.0, np.nan], [0.0, 40.0]]), np.array([[3.0], [-3.0]])
    left, right = animal_maps(["lion", "skunk"], shares, worth).axes[:2]
    assert texts(left) == {(0, 0): "100", (1, 0): "0", (1, 1): "40"}
    assert texts(right) == {(0, 0): "3", (1, 0): "-3"}
    assert right.images[0].get_clim() == pytest.approx((-3, 3))
    assert [label.get_text() for label in left.get_yticklabels()] == ["lion", "skunk"]
    assert [label.get_text() for label in left.get_xticklabels()] == ["1", "2"]
