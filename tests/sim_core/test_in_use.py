"""One object and several threads: each gets what one thread gets, or is told in a line that the object is in use."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from reference.search import Answer, scrambled

from sim_core import (
    GameBatch,
    GameRunner,
    LeafBatch,
    RunnerSettings,
    Searcher,
    SearchSettings,
    Trees,
    ismcts,
    search,
    select_random_action,
)
from sim_core.in_use import InUse, Reading

THREADS, MOVES = 8, 2000
IN_USE = r"^(batch|leaves|record|searcher|trees): in use by another thread, or by the call that led to this one; "


def in_threads(work: Callable[[int], Any], calls: int = MOVES) -> list[Any]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, range(calls)))


def midgame(seed: int, games: int = 1) -> GameBatch:
    """Positions at plies 0 to 15, whose searches ask the evaluator."""
    batch = GameBatch(games, seed)
    for _ in range(seed % 16):
        batch.step(batch.opponent_actions("random", seed))
    return batch


def told(call: Callable[[], object]) -> None:
    with pytest.raises(RuntimeError, match=IN_USE):
        call()


# ---------------------------------------------------------------------- as from one thread


def test_searches_of_one_batch_are_those_of_one_thread() -> None:
    batches = [midgame(k) for k in range(40)]

    def moves(k: int) -> tuple[int, int]:
        batch = batches[k % 40]
        return int(search(batch, scrambled, 8, seed=k).actions[0]), int(ismcts(batch, 8, seed=k).actions[0])

    assert in_threads(moves) == [moves(k) for k in range(MOVES)]


def test_one_searcher_answers_as_alone_or_says_that_it_is_in_use() -> None:
    """Each move is asked for until it is answered, as how many are refused is a matter of luck."""
    batches, searcher = [midgame(k) for k in range(40)], Searcher(1, 8)
    expected = [int(search(batches[k % 40], scrambled, 8, seed=k).actions[0]) for k in range(MOVES)]
    refused: set[str] = set()

    def move(k: int) -> int:
        while True:
            try:
                return int(searcher.search(batches[k % 40], scrambled, seed=k).actions[0])
            except RuntimeError as error:
                refused.add(str(error))
                time.sleep(0.0005)

    assert in_threads(move) == expected
    assert len(refused) <= 1 and all(message.startswith("searcher: in use") for message in refused)
    # nothing of it is left: the last searches came in the middle of one another
    assert [move(k) for k in range(40)] == expected[:40]


def test_one_batch_is_stepped_by_one_thread_at_a_time() -> None:
    """Checking a move and making it are two things: between them another thread's move would make it illegal."""
    batch, counts = GameBatch(500, 3), [0, 0]

    def step(k: int) -> None:
        try:
            if k % 2:
                legal = batch.legal_mask()
                batch.step(np.where(legal.any(axis=1), legal.argmax(axis=1), -1))
                counts[0] += 1
            else:
                batch.observe(), batch.opponent_actions("heuristic", k), batch.packed(), batch.scores()
        except RuntimeError as error:
            assert str(error).startswith("batch: in use")
        except ValueError as error:
            assert "not legal" in str(error)  # another thread has stepped since
            counts[1] += 1

    in_threads(step)
    GameBatch.from_packed(batch.packed())  # which refuses bytes that are no position
    assert counts[0] and (batch.ply <= 24).all()


# ---------------------------------------------------------------------- refused while another one is inside


def test_while_one_thread_searches_another_is_refused() -> None:
    searcher, batch, inside, go_on = Searcher(4, 8), midgame(3, 4), threading.Event(), threading.Event()
    expected = search(batch, scrambled, 8)

    def waiting(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
        inside.set()
        assert go_on.wait(60)
        return scrambled(observations, legal_mask)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(searcher.search, batch, waiting)
        assert inside.wait(60)
        told(lambda: searcher.search(batch, scrambled))
        told(lambda: searcher.leaves.encode(0, 1))
        told(lambda: searcher.leaves.evaluate(scrambled, 4, 1))
        told(lambda: searcher.leaves.trees.configure(SearchSettings(), 2))
        told(lambda: a_runner(searcher.leaves))
        searcher.search(midgame(5, 9), scrambled, settings=SearchSettings(determinizations=2))  # in trees of its own
        go_on.set()
        assert all((a == b).all() for a, b in zip(first.result(), expected, strict=True))
    searcher.search(batch, scrambled)


def test_an_evaluator_that_asks_its_own_searcher_is_refused() -> None:
    searcher, batch, asked = Searcher(2, 4), midgame(2, 2), []

    def again(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
        told(lambda: searcher.search(batch, scrambled))
        asked.append(1)
        return scrambled(observations, legal_mask)

    assert (searcher.search(batch, again).actions == search(batch, scrambled, 4).actions).all() and asked


def test_a_batch_may_be_read_by_many_or_written_by_one() -> None:
    """While a function of the game runs without the GIL nothing can be seen from outside, so the counters are asked."""
    in_use = InUse("batch")
    with Reading(in_use), Reading(in_use):
        told(in_use.__enter__)
    with in_use:
        told(in_use.__enter__)
        told(Reading(in_use).__enter__)
    with pytest.raises(KeyError), in_use:
        raise KeyError("an error inside")
    with Reading(in_use):
        pass
    with in_use:
        pass


@pytest.mark.parametrize("threads", [1, 2])
def test_a_batch_that_is_played_is_neither_read_nor_stepped(threads: int) -> None:
    batch, started = GameBatch(0), threading.Event()
    calls: list[Callable[[], object]] = [
        lambda: batch.to_move,
        lambda: batch.ply,
        lambda: batch.is_terminal,
        lambda: batch.is_solvable,
        lambda: batch.scores(),
        lambda: batch.outcomes(),
        lambda: batch.packed(),
        lambda: batch.legal_mask(),
        lambda: batch.observe(),
        lambda: batch.hidden_targets(),
        lambda: batch.uniforms(),
        lambda: batch.play_random(),
        lambda: batch.state(0),
        lambda: batch.take([0]),
        lambda: batch.step(np.full(len(batch), -1)),
        lambda: batch.opponent_actions("random", rows=[0]),
        lambda: select_random_action(batch, 0),
        lambda: ismcts(batch, 1),
    ]

    def play() -> None:
        started.set()
        batch.play_random(threads=threads)

    refused: set[int] = set()
    with ThreadPoolExecutor(1) as pool:
        while len(refused) < len(calls):  # each call is tried until it comes in the middle of such a play
            batch, playing = GameBatch(300_000, 1), pool.submit(play)
            assert started.wait(60)
            while not playing.done():
                try:
                    batch.state(0)
                except RuntimeError:
                    for k in set(range(len(calls))) - refused:
                        try:
                            calls[k]()
                        except RuntimeError as error:
                            assert str(error).startswith("batch: in use by another thread")
                            refused.add(k)
                        else:
                            break  # the play is over
                    break
            playing.result()
            started.clear()


# ---------------------------------------------------------------------- runners


def a_runner(leaves: LeafBatch, games: int = 8, seed: int = 1) -> GameRunner:
    return GameRunner(
        leaves,
        RunnerSettings(simulations=4),
        temperature=1.0,
        seed=seed,
        learner_seed=2,
        streams=np.arange(games),
        first_player=0,
        controllers=np.zeros((games, 2), dtype=np.int64),
        record=True,
    )


def play(runner: GameRunner) -> np.ndarray:
    while not runner.is_done:
        if rows := runner.advance():
            runner.leaves.evaluate(scrambled, rows, 1)
    return runner.record.states


def test_a_runner_whose_leaves_another_took_is_refused() -> None:
    """Its trees would have the roots of the other's games, in memory that may be gone."""
    leaves = LeafBatch(Trees("beasty_bar", 4, 4))
    expected = play(a_runner(leaves))
    first = a_runner(leaves)
    first.leaves.evaluate(scrambled, first.advance(), 1)
    second = a_runner(leaves)
    with pytest.raises(RuntimeError, match=r"^leaves: another runner or search took them"):
        first.advance()
    assert (play(second) == expected).all()
    searcher = Searcher(4, 4)
    third = a_runner(searcher.leaves)
    third.leaves.evaluate(scrambled, third.advance(), 1)
    searcher.search(midgame(1, 4), scrambled)
    with pytest.raises(RuntimeError, match=r"^leaves: another runner or search took them"):
        third.advance()
    assert (play(a_runner(searcher.leaves)) == expected).all()


def test_while_the_network_is_asked_a_runner_is_refused_but_tells_its_progress() -> None:
    runner = a_runner(LeafBatch(Trees("beasty_bar", 4, 4)))
    rows, seen = runner.advance(), []

    def looking(observations: np.ndarray, legal_mask: np.ndarray) -> Answer:
        for call in (
            runner.advance,
            lambda: runner.outside(0),
            lambda: runner.positions([0]),
            lambda: runner.play([0], [0]),
            lambda: runner.leaves.evaluate(scrambled, rows, 1),
        ):
            told(call)  # type: ignore[arg-type]
        seen.append((runner.progress, runner.seconds["forward"], runner.simulations_done, len(runner.record.states)))
        return scrambled(observations, legal_mask)

    runner.leaves.evaluate(looking, rows, 1)
    assert len(seen) == 1
    assert (play(runner) == play(a_runner(LeafBatch(Trees("beasty_bar", 4, 4))))).all()


def test_one_runner_in_many_threads_plays_on_or_says_that_it_is_in_use() -> None:
    expected = play(a_runner(LeafBatch(Trees("beasty_bar", 16, 4)), games=40))
    runner = a_runner(LeafBatch(Trees("beasty_bar", 16, 4)), games=40)
    turn = threading.Lock()

    def step(_: int) -> None:
        try:
            assert 0.0 <= runner.progress <= 40.0
            assert len(runner.record.outcomes) == 40
            with turn:  # both halves of a step belong together
                if not runner.is_done and (rows := runner.advance()):
                    runner.leaves.evaluate(scrambled, rows, 1)
        except RuntimeError as error:
            assert ": in use by another thread" in str(error)

    in_threads(step)
    while not runner.is_done:
        if rows := runner.advance():
            runner.leaves.evaluate(scrambled, rows, 1)
    assert runner.record.states.shape == expected.shape and (runner.record.states == expected).all()
