"""What the network is told in a tree stands behind the observation of every leaf of that tree, and of no other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.search import scrambled

from sim_core import Belief, Beliefs, GameBatch, LeafBatch, Searcher, SearchResult, SearchSettings, Trees, search

SIZE = 186


class Told:
    """Answers by the observation alone, and notes what came behind it."""

    condition_size = 3

    def __init__(self) -> None:
        self.rows: list[np.ndarray] = []

    def __call__(self, rows: np.ndarray, legal_mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.rows.append(rows.copy())
        return scrambled(np.ascontiguousarray(rows[:, :SIZE]), legal_mask)


def same(one: SearchResult, other: SearchResult) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


CONDITIONS = np.arange(1, 16, dtype=np.float32).reshape(5, 3)


@pytest.mark.parametrize("changes", [{}, {"determinizations": 3}])
def test_each_leaf_of_the_searcher_is_told_what_its_game_is(changes: dict[str, Any]) -> None:
    """Fails if leaves get the condition of another slot, or if the other side is told what the searcher is."""
    batch = GameBatch(5, 2)
    batch.step(batch.opponent_actions("random", 1).astype(np.int64))
    evaluate = Told()
    found = search(batch, evaluate, 12, conditions=CONDITIONS, settings=SearchSettings(**changes))
    assert same(found, search(batch, scrambled, 12, settings=SearchSettings(**changes)))
    rows = np.concatenate(evaluate.rows)
    assert rows.shape[1] == SIZE + 3
    seen = {tuple(row) for row in rows[:, SIZE:]}
    assert seen == {tuple(row) for row in CONDITIONS} | {(0.0, 0.0, 0.0)}
    # the searcher is to move at odd plies
    plies = rows[:, SIZE - 24 : SIZE].argmax(axis=1)
    assert (rows[:, SIZE:].any(axis=1) == (plies % 2 == 1)).all()
    if changes:
        return
    # of one game alone: the same leaves, each told the same
    for k in range(5):
        alone = Told()
        search(batch.take([k]), alone, 12, conditions=CONDITIONS[[k]])
        own, theirs = rows[(rows[:, SIZE:] == CONDITIONS[k]).all(axis=1)], np.concatenate(alone.rows)
        assert np.array_equal(own, theirs[theirs[:, SIZE:].any(axis=1)])


def test_leaves_of_nobody_known_are_told_nothing() -> None:
    """Fails if the network is told of an opponent in those simulations in which nobody known was drawn."""
    batch, beliefs, evaluate = GameBatch(5, 2, first_player=0), Beliefs("beasty_bar", 5, 2), Told()
    for k in range(5):
        Belief("beasty_bar", batch.state(k).data, 0, ("skunk", None), beliefs=beliefs, slot=k)
    search(batch, evaluate, 40, conditions=CONDITIONS, beliefs=beliefs)
    rows = np.concatenate(evaluate.rows)
    told, own = rows[:, SIZE:].any(axis=1), rows[:, SIZE - 24 : SIZE].argmax(axis=1) % 2 == 0
    assert not told[~own].any() and (~own).any()
    assert told.sum() > 30 and (own & ~told).sum() > 10
    # of the root, whoever was drawn
    assert (rows[:5, SIZE:] == CONDITIONS).all()


def test_nothing_told_is_zeros_also_after_a_search_that_was_told() -> None:
    """Fails if a searcher remembers the conditions of its last batch."""
    batch = GameBatch(5, 2)
    searcher = Searcher(7, 6, condition_size=3)
    for conditions in (CONDITIONS, None):
        evaluate = Told()
        searcher.search(batch, evaluate, conditions=conditions)
        assert np.concatenate(evaluate.rows)[:, SIZE:].any() == (conditions is not None)


def test_wrong_sizes_are_named() -> None:
    batch = GameBatch(5, 2)
    with pytest.raises(ValueError, match=r"^conditions: shape \(5, 3\) given, expected \(5, 0\)"):
        search(batch, scrambled, 4, conditions=CONDITIONS)
    with pytest.raises(ValueError, match=r"^conditions: shape \(4, 3\) given, expected \(5, 3\)"):
        Searcher(5, 4, condition_size=3).search(batch, Told(), conditions=CONDITIONS[:4])
    for size in (-1, 65_537, 1.5):
        with pytest.raises(ValueError, match=r"^condition_size: "):
            LeafBatch(Trees("beasty_bar", 2, 4), condition_size=size)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^observations: float32 \(2, 186\) given, expected .*\(2, 189\)"):
        LeafBatch(Trees("beasty_bar", 2, 4), np.zeros((2, SIZE), np.float32), condition_size=3)
