"""Positions in the window remember what the network was told, and outcomes that are fractions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lit_trainer import AlphaZeroModule, ResidualMLP
from lit_trainer.learning.replay import ReplayWindow
from lit_trainer.self_play.games import GeneratedGames, join_games
from sim_core import GameBatch

N, SIZE = 60, 10


def games(conditions: np.ndarray | None = None, outcomes: np.ndarray | None = None, low: int = 0) -> GeneratedGames:
    """Returns positions of which no two look alike, which a margin numbers."""
    batch = GameBatch(N, 3)
    for _ in range(9):
        batch.step(batch.opponent_actions("random", 1).astype(np.int64))
    legal = batch.legal_mask().astype(np.float32)
    if outcomes is None:
        outcomes = np.resize([1, 0, -1], N).astype(np.float32)
    policies = legal / legal.sum(axis=1, keepdims=True)
    return GeneratedGames(
        batch.packed(), policies, outcomes, margins=np.arange(low, low + N, dtype=np.int32), conditions=conditions
    )


def known(low: int = 0) -> np.ndarray:
    """Returns conditions from which a position's number can be read."""
    conditions = np.zeros((N, SIZE), np.uint8)
    conditions[:, 0], conditions[:, 3] = np.arange(low, low + N), 255
    return conditions


def draw(window: ReplayWindow, size: int = 500, **options: Any) -> dict[str, torch.Tensor]:
    return window.sample(size, np.random.default_rng(1), auxiliary=True, **options)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def saved(window: ReplayWindow, folder: Path) -> dict[str, Any]:
    torch.save(window.state_dict(), folder / "window.pt")
    state: dict[str, Any] = torch.load(folder / "window.pt", weights_only=True)
    return state


def margins(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.round(batch["margin"] * 12)


# ---------------------------------------------------------------------- conditions


def test_a_position_comes_back_with_its_condition(tmp_path: Path) -> None:
    """Fails if conditions lose their positions in the ring, or one byte of theirs."""
    window = ReplayWindow(100, condition_size=SIZE)
    window.add(games(known()))
    window.add(games(known(60), low=60))  # the first twenty go
    again = ReplayWindow(100, condition_size=SIZE)
    again.load_state_dict(saved(window, tmp_path))
    for held in (window, again):
        batch = draw(held)
        assert batch["condition"].dtype == torch.float32 and batch["condition"].shape == (500, SIZE)
        assert torch.equal(torch.round(batch["condition"][:, 0] * 255), margins(batch))
        assert (batch["condition"][:, 3] == 1.0).all() and not batch["condition"][:, 4:].any()
    assert same(draw(window), draw(again))
    assert window.nbytes - ReplayWindow(100).nbytes == 100 * SIZE


def test_positions_that_were_told_nothing_have_zeros(tmp_path: Path) -> None:
    """Fails if memory that was never written is told, in games or in windows from before there were conditions."""
    window = ReplayWindow(200, condition_size=SIZE)
    window.add(games(known() + 1))
    window.add(games(None, low=60))
    batch = draw(window)
    assert torch.equal(batch["condition"].any(dim=1), margins(batch) < 60)
    old = ReplayWindow(200)
    old.add(games())
    state = saved(old, tmp_path)
    assert "conditions" not in state
    window.load_state_dict(state)
    assert not draw(window)["condition"].any()
    del (expected := draw(window))["condition"]
    assert same(expected, draw(old)), "the condition changes nothing of what is drawn"


def test_windows_of_other_conditions_are_refused(tmp_path: Path) -> None:
    window = ReplayWindow(200, condition_size=SIZE)
    window.add(games(known()))
    for size in (0, 22):
        with pytest.raises(ValueError, match=rf"^replay: conditions: .*\(60, 10\) found, expected .*\(60, {size}\)"):
            ReplayWindow(200, condition_size=size).load_state_dict(saved(window, tmp_path))


def test_the_share_that_is_hidden_follows_the_generator() -> None:
    """Fails if hiding is not repeatable, hides a number and not a row, or changes other parts of a batch."""
    window = ReplayWindow(200, condition_size=SIZE)
    window.add(games(known() + 1))
    open_ones, hidden = draw(window, 4000), draw(window, 4000, hide_condition=0.25)
    assert same(hidden, draw(window, 4000, hide_condition=0.25))
    shown = hidden["condition"].any(dim=1)
    assert torch.equal(hidden["condition"][shown], open_ones["condition"][shown])
    assert abs(float(shown.float().mean()) - 0.75) < 5 * (0.75 * 0.25 / 4000) ** 0.5
    del open_ones["condition"], hidden["condition"]
    assert same(open_ones, hidden)
    assert not draw(window, hide_condition=1.0)["condition"].any()


def test_joined_games_are_told_what_each_was() -> None:
    """Fails if a chunk without conditions takes those of another chunk, or all of them."""
    joined = join_games([games(known()), games(None), games(known(60))])
    assert joined.conditions is not None
    assert np.array_equal(joined.conditions, np.concatenate([known(), known() * 0, known(60)]))
    assert join_games([games(None), games(None)]).conditions is None


@pytest.mark.parametrize("auxiliary", [False, True])
def test_the_loss_is_told_too(auxiliary: bool) -> None:
    """Fails if the network learns without its condition, or with that of another position."""
    torch.manual_seed(0)
    network = ResidualMLP(width=16, blocks=1, auxiliary=auxiliary, condition="opponent")
    assert network.condition_layer is not None
    torch.nn.init.normal_(network.condition_layer.weight)
    module = AlphaZeroModule(network)
    window = ReplayWindow(200, condition_size=SIZE)
    window.add(games(known()))
    batch = draw(window, 30)
    with torch.no_grad():
        value = network(batch["observations"], batch["condition"])[1]
    assert torch.isclose(module.loss(batch).value, (value - batch["outcome"]).square().mean())
    assert not torch.isclose(module.loss(batch | {"condition": batch["condition"] * 0}).value, module.loss(batch).value)
    module.loss(batch).total.backward()
    assert network.condition_layer.weight.grad is not None and network.condition_layer.weight.grad.any()


# ---------------------------------------------------------------------- outcomes


def test_whole_outcomes_come_back_exactly_and_fractions_within_their_rounding() -> None:
    """Fails if a win is learned as 0.99997, or a fraction is cut to a whole number."""
    outcomes = np.linspace(-1, 1, N).astype(np.float32)
    outcomes[:3] = -1, 0, 1
    window = ReplayWindow(N)
    window.add(games(outcomes=outcomes))
    batch = draw(window)
    numbers = margins(batch).long().numpy()
    assert np.abs(batch["outcome"].numpy() - outcomes[numbers]).max() < 1.6e-5
    assert np.array_equal(batch["outcome"].numpy()[numbers < 3], outcomes[numbers[numbers < 3]])
    assert torch.equal(batch["search_value"], batch["outcome"]), "no search was made"
    assert batch["outcome"].dtype == torch.float32


def test_a_window_of_before_fractions_is_converted(tmp_path: Path) -> None:
    """Fails if old outcomes, whole numbers in a byte, are read as fractions: all games would be near draws."""
    window, again = ReplayWindow(N), ReplayWindow(N)
    window.add(games())
    state = saved(window, tmp_path)
    assert state["outcomes"].dtype == torch.int16
    state["outcomes"] = torch.round(state["outcomes"] / 32767).to(torch.int8)
    assert set(state["outcomes"].tolist()) == {-1, 0, 1}
    again.load_state_dict(state)
    assert same(draw(window), draw(again))
    assert set(draw(again)["outcome"].tolist()) == {-1.0, 0.0, 1.0}
