"""The replay window: a ring of the newest positions, its memory, what sampling gives back, and its checkpoints."""

from __future__ import annotations

import tracemalloc
from collections import deque
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lit_trainer.learning.replay import ReplayWindow
from lit_trainer.players.engine_players import BuiltinPlayer
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.self_play.games import GeneratedGames, OpponentGames, generate_games_batched_by_opponent
from sim_core import ACTIONS, GameBatch

A = len(ACTIONS)


def distinct(n: int = 400, seed: int = 1) -> GeneratedGames:
    """Returns real positions that all look different to the mover, with arbitrary targets and outcomes."""
    batch = GameBatch(n, seed)
    target = np.arange(n) % 23
    while (going := batch.ply < target).any():
        batch.step(np.where(going, batch.opponent_actions("random", seed), -1))
    _, first = np.unique(batch.observe(), axis=0, return_index=True)
    batch = batch.take(np.sort(first))
    rng = np.random.default_rng(seed)
    policies = rng.gamma(0.5, size=(len(batch), A)) * batch.legal_mask() + 1e-9 * batch.legal_mask()
    policies /= policies.sum(axis=1, keepdims=True)
    policies[rng.random(len(batch)) < 0.2] = 0.0
    outcomes = rng.integers(-1, 2, len(batch)).astype(np.float32)
    return GeneratedGames(batch.packed(), policies.astype(np.float32), outcomes)


GAMES = distinct()


def part(low: int, high: int, games: GeneratedGames = GAMES) -> GeneratedGames:
    return GeneratedGames(games.states[low:high], games.policies[low:high], games.outcomes[low:high])


def held(window: ReplayWindow) -> list[bytes]:
    """Returns the window's positions, oldest first."""
    return [row.tobytes() for row in window.state_dict()["states"].numpy()]


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return set(first) == set(second) and all(torch.equal(first[key], second[key]) for key in first)


def draw(window: ReplayWindow, seed: int, size: int = 64) -> dict[str, torch.Tensor]:
    return window.sample(size, np.random.default_rng(seed))


# ---------------------------------------------------------------------- a ring


@given(st.integers(1, 60), st.lists(st.integers(0, 90), max_size=8))
@settings(max_examples=60, deadline=None)
def test_the_newest_positions_are_held_oldest_first(capacity: int, sizes: list[int]) -> None:
    window, model = ReplayWindow(capacity), deque[int](maxlen=capacity)
    at = 0
    for size in sizes:
        numbers = [(at + k) % len(GAMES.states) for k in range(size)]
        at += size
        window.add(GeneratedGames(GAMES.states[numbers], GAMES.policies[numbers], GAMES.outcomes[numbers]))
        model.extend(numbers)
        assert len(window) == len(model)
    state = window.state_dict()
    numbers = list(model)
    assert held(window) == [GAMES.states[k].tobytes() for k in numbers]
    assert state["outcomes"].tolist() == (GAMES.outcomes[numbers] * 32767).tolist()


def test_samples_are_uniform_over_what_is_held() -> None:
    window = ReplayWindow(50)
    window.add(part(0, 20))
    window.add(part(20, 80))
    numbers = {row.tobytes(): k for k, row in enumerate(GameBatch.from_packed(GAMES.states).observe())}
    drawn = np.array([numbers[row.numpy().tobytes()] for row in draw(window, 1, 20_000)["observations"]])
    counts = np.bincount(drawn, minlength=80)
    assert counts[:30].sum() == 0
    chi_squared = ((counts[30:80] - 400) ** 2 / 400).sum()
    assert abs(chi_squared - 49) < 4.5 * np.sqrt(2 * 49)


def test_a_sample_is_of_its_generator() -> None:
    window = ReplayWindow(100)
    window.add(GAMES)
    assert same(draw(window, 5), draw(window, 5))
    assert not same(draw(window, 5), draw(window, 6))


# ---------------------------------------------------------------------- what comes back


def test_samples_are_the_positions_as_they_were_played(scrambled: Any) -> None:
    """Fails if a sampled position is not what the network saw in the game, or has another game's outcome."""
    learner = NetworkPlayer(scrambled, simulations=0, temperature=1.0, seed=2)
    opponents = [OpponentGames("self_play", 10, None), OpponentGames("random", 10, BuiltinPlayer("random", 4))]
    games = generate_games_batched_by_opponent(learner, opponents, game="beasty_bar", seed=3)
    asked = {row.tobytes() for row in np.concatenate(scrambled.asked)}
    seen = GameBatch.from_packed(games.states).observe()
    assert {row.tobytes() for row in seen} == asked
    assert len(seen) == 10 * 24 + 10 * 12
    window = ReplayWindow(1000)
    window.add(games)
    outcomes: dict[bytes, set[int]] = {}
    for observation, outcome in zip(seen, games.outcomes.tolist(), strict=True):
        outcomes.setdefault(observation.tobytes(), set()).add(outcome)
    sample = draw(window, 1, 8000)
    met = set()
    for observation, outcome in zip(sample["observations"].numpy(), sample["outcome"].tolist(), strict=True):
        assert outcome in outcomes[observation.tobytes()]
        met.add(observation.tobytes())
    assert met == set(outcomes)


def test_policies_come_back_within_their_rounding() -> None:
    """16-bit fractions, renormalised: 8 units in 65,535 for 15 actions at most; zero stays zero."""
    window = ReplayWindow(1000)
    window.add(GAMES)
    whole = GameBatch.from_packed(GAMES.states)
    numbers = {row.tobytes(): k for k, row in enumerate(whole.observe())}
    sample = draw(window, 2, 3000)
    rows = [numbers[row.numpy().tobytes()] for row in sample["observations"]]
    expected = GAMES.policies[rows]
    found = sample["policy"].numpy()
    assert np.abs(found - expected).max() <= 8.1 / 65535
    assert not found[expected == 0].any()
    targets = expected.any(axis=1)
    assert np.abs(found[targets].sum(axis=1) - 1).max() < 1e-6
    assert targets.any() and not targets.all()
    assert (sample["legal_mask"].numpy() == whole.legal_mask()[rows]).all()
    assert (sample["outcome"].numpy() == GAMES.outcomes[rows]).all()
    assert sample["legal_mask"].dtype == torch.bool
    assert {sample[key].dtype for key in ("observations", "policy", "outcome")} == {torch.float32}


def test_a_sure_policy_is_kept_exactly() -> None:
    window = ReplayWindow(10)
    sure = np.zeros((1, A), np.float32)
    sure[0, 5] = 1.0
    window.add(GeneratedGames(GAMES.states[:1], sure, GAMES.outcomes[:1]))
    assert (draw(window, 1)["policy"].numpy() == sure).all()


def test_800_000_positions_take_at_most_120_mb() -> None:
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        window = ReplayWindow(800_000)
        window.add(GAMES)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert window.nbytes <= taken <= 120e6


# ---------------------------------------------------------------------- checkpoints


def saved(window: ReplayWindow, tmp_path: Any) -> dict[str, Any]:
    """Returns the window's state from a real file, as a checkpoint holds it."""
    torch.save(window.state_dict(), tmp_path / "window.pt")
    state: dict[str, Any] = torch.load(tmp_path / "window.pt", weights_only=True)
    return state


@pytest.mark.parametrize("added", [[30], [100], [30, 50, 45], [130, 7], [250]])
def test_a_loaded_window_behaves_as_the_saved_one(added: list[int], tmp_path: Any) -> None:
    window = ReplayWindow(100)
    at = 0
    for size in added:
        window.add(part(at, at + size))
        at = (at + size) % 100
    again = ReplayWindow(100)
    again.add(part(200, 260))  # what was there before must go
    again.load_state_dict(saved(window, tmp_path))
    for low in (110, 143, 150):
        assert held(again) == held(window)
        assert same(draw(again, 5), draw(window, 5))
        for one in (window, again):
            one.add(part(low, low + 33))


@pytest.mark.parametrize("capacity", [1, 40, 99, 100, 101, 300])
@pytest.mark.parametrize("positions", [0, 30, 100, 260])
def test_a_window_of_another_size_shows_only_what_was_saved(capacity: int, positions: int, tmp_path: Any) -> None:
    """Fails if rows that were never written are sampled as positions."""
    window = ReplayWindow(100)
    for low in range(0, positions, 90):
        window.add(part(low, min(low + 90, positions)))
    again = ReplayWindow(capacity)
    again.load_state_dict(saved(window, tmp_path))
    model = deque([row.tobytes() for row in GAMES.states[max(0, positions - 100) : positions]], maxlen=capacity)
    for size in (0, 3, 37):
        again.add(part(300, 300 + size))
        model.extend(row.tobytes() for row in GAMES.states[300 : 300 + size])
        assert len(again) == len(model)
        assert held(again) == list(model)
        if model:
            rows = np.frombuffer(b"".join(model), np.uint8).reshape(len(model), -1)
            known = {row.tobytes() for row in GameBatch.from_packed(rows).observe()}
            assert {row.numpy().tobytes() for row in draw(again, 3, 500)["observations"]} <= known


def test_a_saved_window_is_a_copy() -> None:
    window = ReplayWindow(20)
    window.add(part(0, 20))
    state = window.state_dict()
    before = state["states"].clone()
    window.add(part(20, 40))
    assert torch.equal(state["states"], before)


@pytest.mark.parametrize(("key", "value"), [("game", "beasty_bar_animals"), ("rules_version", 99)])
def test_windows_of_other_games_or_rules_are_refused(key: str, value: object) -> None:
    window = ReplayWindow(20)
    window.add(part(0, 20))
    state = window.state_dict() | {key: value}
    before = held(window)
    with pytest.raises(ValueError, match=rf"(?s)^replay: .*{value}"):
        window.load_state_dict(state)
    assert held(window) == before


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^replay\.positions: 0"):
        ReplayWindow(0)
    with pytest.raises(ValueError, match=r"^game: "):
        ReplayWindow(10, "chess")
    with pytest.raises(ValueError, match="empty"):
        draw(ReplayWindow(10), 1)
