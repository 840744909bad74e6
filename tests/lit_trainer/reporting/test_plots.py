"""What the plots show, against results whose picture is known."""

from __future__ import annotations

import io

import numpy as np
import pytest

from lit_trainer.measuring.calibration import calibration
from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.reporting.plots import (
    calibration_comparison,
    calibration_plot,
    learning_curve,
    score_intervals,
    weights_over_iterations,
)


def test_the_learning_curve_is_each_opponent_s_score_over_the_iterations() -> None:
    axes = learning_curve({"easy": {0: 0.25, 5: 0.75}, "hard": {5: 0.5}}).axes[0]
    curves = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert curves["easy"] == [[0, 25], [5, 75]] and curves["hard"] == [[5, 50]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["easy", "hard"]


def test_the_intervals_are_those_of_the_result() -> None:
    figure = score_intervals({"easy": MatchResult(6, 2, 2, 0.7, 0.4, 0.9)}, iteration=3)
    (bars,) = figure.axes[0].containers
    points, _, (segments,) = bars.lines
    assert points.get_xdata().tolist() == [pytest.approx(70)]
    assert segments.get_segments()[0][:, 0].tolist() == [pytest.approx(40), pytest.approx(90)]


def test_the_weights_are_stacked_and_one_who_left_is_gone() -> None:
    figure = weights_over_iterations({"a": {0: 0.5, 2: 0.25}, "b": {0: 0.5, 2: 0.25}, "c": {2: 0.5}})
    tops = []
    for layer in figure.axes[0].collections:
        corners = layer.get_paths()[0].vertices
        tops.append([corners[corners[:, 0] == k, 1].max() for k in (0, 2)])
    assert tops == [[0.5, 0.25], [1.0, 0.5], [1.0, 1.0]]


def test_the_calibration_is_drawn_where_positions_are() -> None:
    bins = calibration(np.float32([-0.9, -0.9, 0.6, 0.8]), np.int8([-1, 1, 1, 1]), bins=4)
    above, below = calibration_plot(bins, iteration=1).axes
    drawn = above.lines[1].get_xydata()
    assert drawn.tolist() == [[pytest.approx(-0.9), 0.0], [pytest.approx(0.7), 1.0]]
    assert [bar.get_height() for bar in below.patches] == [2, 2]


def test_bins_with_few_positions_are_left_out_of_a_comparison() -> None:
    bins = calibration(np.float32([-0.9, -0.9, 0.6]), np.int8([-1, 1, 1]), bins=4)
    figure = calibration_comparison({"network": {"early": bins}, "search": {"early": bins, "late": bins}}, fewest=2)
    network, search = figure.axes
    assert [len(axes.lines) for axes in (network, search)] == [2, 3]
    assert network.lines[1].get_xydata().tolist() == [[pytest.approx(-0.9), 0.0]]
    assert [text.get_text() for text in search.get_legend().get_texts()] == ["early", "late"]
    assert network.get_title() == "Value of the network"


def test_a_stage_without_enough_positions_leaves_the_picture_whole() -> None:
    """A line without points, which matplotlib's layout cannot place: its warning is an error here."""
    bins = calibration(np.float32([-0.9, 0.6]), np.int8([-1, 1]), bins=4)
    figure = calibration_comparison({"network": {"early": bins}, "search": {"early": bins}}, fewest=50)
    figure.savefig(io.BytesIO())
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["early"]
