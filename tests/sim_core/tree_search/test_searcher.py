"""A searcher used for one batch after another: nothing is left for the next search, and memory stays as it is."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference.search import Answer, scrambled

from sim_core import GameBatch, Searcher, SearchResult, SearchSettings, get_game, search

SETTINGS = [
    SearchSettings(),
    SearchSettings(dirichlet_fraction=0.25),
    SearchSettings(root_selection="gumbel", policy_target="completed_q", gumbel_scale=1.0),
    SearchSettings(nodes="private", availability=True, exact_leaves=False),
    SearchSettings(determinizations=3),
]


def positions(n: int, seed: int, game: str = "beasty_bar") -> GameBatch:
    """Returns positions of all plies, ended games and endgames among them."""
    batch = GameBatch(n, seed, game=game)
    for ply in range(get_game(game).max_plies):
        going = (np.arange(n) * 7 % (get_game(game).max_plies + 1) > ply) & ~batch.is_terminal
        batch.step(np.where(going, batch.opponent_actions("random", seed), -1))
    return batch


def same(first: SearchResult, second: SearchResult) -> bool:
    return all((a == b).all() for a, b in zip(first, second, strict=True))


def hashed(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
    """Answers by a hash, for games whose observations are no multiples of 1/72."""
    return np.sin(np.outer(observations.sum(axis=1), np.arange(1, legal_mask.shape[1] + 1))).astype(np.float32), np.cos(
        observations @ np.arange(observations.shape[1]) * 0.37
    ).astype(np.float32)


@pytest.mark.parametrize("game", ["beasty_bar", "beasty_bar_animals", "connect_four"])
def test_one_searcher_for_many_batches(game: str) -> None:
    """Fails if a searcher keeps anything from a batch of other size, simulations or settings."""
    searcher = Searcher(60, 40, game=game)
    evaluate = hashed if game == "connect_four" else scrambled
    sizes = [60, 1, 0, 33, 60, 7]
    for k in range(30):
        batch = positions(sizes[k % len(sizes)], k, game)
        settings = SETTINGS[k % len(SETTINGS)]
        simulations = (40, 3, 17, 40, 1, 25, 8)[k % 7]
        options: dict[str, Any] = {"seed": k, "threads": 1 + k % 3, "settings": settings}
        found = searcher.search(batch, evaluate, simulations, **options)
        assert same(found, search(batch, evaluate, simulations, **options)), (k, settings)
    # simulations that are not said are those it was made for
    batch = positions(20, 99, game)
    assert same(searcher.search(batch, evaluate), search(batch, evaluate, 40))
    assert (searcher.slots, searcher.simulations, searcher.game) == (60, 40, game)


def test_several_trees_count_by_their_shares() -> None:
    """Without hidden information they are plain searches of one position, the first ones a simulation longer."""
    batch, settings = positions(30, 3, "connect_four"), SearchSettings(determinizations=3)
    found = search(batch, hashed, 11, seed=5, settings=settings)
    each = [search(batch, hashed, share, seed=5) for share in (4, 4, 3)]
    values = sum(share * one.value for share, one in zip((4, 4, 3), each, strict=True)) / 11
    assert found.value == pytest.approx(values, abs=1e-6)
    assert np.abs(each[0].value - each[2].value).max() > 0.01  # or the shares would not show
    asked = ~(batch.is_terminal | batch.is_solvable)
    assert (found.visit_counts == sum(one.visit_counts for one in each))[asked].all() and asked.sum() > 5


def test_results_are_not_written_to_again() -> None:
    searcher = Searcher(30, 20)
    first = searcher.search(positions(30, 1), scrambled)
    copies = [part.copy() for part in first]
    searcher.search(positions(30, 2), scrambled, seed=3)
    assert all((part == copy).all() for part, copy in zip(first, copies, strict=True))


@pytest.mark.parametrize("at", [1, 2, 9])
@pytest.mark.parametrize("kind", ["error", "shape", "nan"])
def test_after_an_evaluators_error_it_searches_as_before(at: int, kind: str) -> None:
    searcher, batch, calls = Searcher(40, 20), positions(40, 4), 0
    expected = search(batch, scrambled, 20)

    def failing(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
        nonlocal calls
        calls += 1
        logits, values = scrambled(observations, legal_mask)
        if calls < at:
            return logits, values
        if kind == "error":
            raise KeyError("weights")
        return (logits[:, 1:], values) if kind == "shape" else (logits, values * np.nan)

    with pytest.raises((KeyError, ValueError), match=r"weights|^evaluate: "):
        searcher.search(batch, failing)
    assert same(searcher.search(batch, scrambled), expected)
    with pytest.raises((KeyError, ValueError)):
        searcher.search(batch, failing)
    few = positions(5, 6)
    assert same(searcher.search(few, scrambled, 7), search(few, scrambled, 7))


def test_an_evaluator_may_search_and_step_the_batch_meanwhile() -> None:
    """Fails if an evaluator that searches or steps the batch meanwhile changes the search."""
    batch = positions(20, 4)
    expected = search(batch, scrambled, 10)
    inner, others = Searcher(5, 4), positions(5, 1)
    plain = search(others, scrambled, 4)

    def busy(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
        batch.step(np.where(batch.is_terminal, -1, batch.opponent_actions("random", 1)))
        assert same(inner.search(others, scrambled), plain)
        return scrambled(observations, legal_mask)

    assert same(Searcher(20, 10).search(batch, busy), expected)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("slots", lambda: Searcher(-1, 4)),
        ("slots", lambda: Searcher(2.0, 4)),  # type: ignore[arg-type]
        ("simulations", lambda: Searcher(2, 0)),
        ("game", lambda: Searcher(2, 4, game="chess")),
        ("batch", lambda: Searcher(2, 4).search(GameBatch(3), scrambled)),
        ("batch", lambda: Searcher(2, 4).search(GameBatch(2, game="connect_four"), scrambled)),
        ("simulations", lambda: Searcher(2, 4).search(GameBatch(2), scrambled, 5)),
        ("simulations", lambda: Searcher(2, 4).search(GameBatch(2), scrambled, 0)),
        ("threads", lambda: Searcher(2, 4).search(GameBatch(2), scrambled, threads=0)),
        ("seed", lambda: Searcher(2, 4).search(GameBatch(2), scrambled, seed=-1)),
    ],
)
def test_wrong_arguments_are_refused_by_name(name: str, call: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{name}: "):
        call()


# ---------------------------------------------------------------------- memory


def test_a_thousand_games_fit_into_150_megabytes() -> None:
    assert Searcher(1024, 64).nbytes <= 150_000_000
    # a game's part grows with the simulations and with nothing else
    small, twice = Searcher(100, 50).nbytes, Searcher(100, 101).nbytes
    assert 1.7 * small < twice < 2.1 * small
    assert abs(Searcher(200, 50).nbytes / small - 2) < 0.1


def resident() -> int:
    """Returns the bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="tells the resident size on Linux only")
@pytest.mark.parametrize("settings", [SETTINGS[2], SETTINGS[4]], ids=["one tree", "determinized"])
def test_fifty_searches_take_no_more_memory_than_one(settings: SearchSettings) -> None:
    """Fails if a search leaves memory behind, in Python or in C."""
    searcher, batch = Searcher(200, 30), positions(200, 3)

    def work(times: int) -> None:
        for seed in range(times):
            searcher.search(batch, scrambled, seed=seed, settings=settings)
        gc.collect()

    work(5)
    tracemalloc.start()
    try:
        work(2)
        traced, size = tracemalloc.get_traced_memory()[0], resident()
        work(50)
        assert tracemalloc.get_traced_memory()[0] - traced < 100_000
        # one search leaking a game's counts would be 50 * 26 kB, its trees far more
        assert resident() - size < 8_000_000
    finally:
        tracemalloc.stop()


def test_observations_of_the_callers_own() -> None:
    observations = np.full((30, get_game("beasty_bar").observation_size), np.nan, dtype=np.float32)
    batch = positions(30, 2)

    def looking(rows: np.ndarray, legal_mask: np.ndarray) -> Answer:
        assert np.shares_memory(rows, observations)
        return scrambled(rows, legal_mask)

    found = Searcher(30, 10, observations=observations).search(batch, looking)
    assert same(found, search(batch, scrambled, 10))
    for wrong in (observations[:29], observations.astype(np.float64), observations[:, ::-1], "memory"):
        with pytest.raises(ValueError, match=r"^observations: "):
            Searcher(30, 10, observations=wrong)  # type: ignore[arg-type]
