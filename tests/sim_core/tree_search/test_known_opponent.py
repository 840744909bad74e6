"""Searches that are told who plays the other side: what they refuse, what they must not see, what they remember."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from reference.search import scrambled

from sim_core import Beliefs, GameBatch, Searcher, get_game, ismcts, search

OPPONENTS = get_game("beasty_bar").opponents
GUMBEL = {"root_selection": "gumbel", "policy_target": "completed_q", "gumbel_scale": 1.0}


def played(batch: GameBatch, plies: int | np.ndarray) -> GameBatch:
    """The batch after random moves up to those plies; it is changed in place."""
    while (going := (batch.ply < plies) & ~batch.is_terminal).any():
        batch.step(np.where(going, batch.opponent_actions("random", 1), -1))
    return batch


def same(first: Any, second: Any) -> bool:
    return all((a == b).all() for a, b in zip(first, second, strict=True))


def in_turn(n: int) -> list[str | None]:
    """Every opponent and none, one for each of n games."""
    return [(*OPPONENTS, None)[k % (len(OPPONENTS) + 1)] for k in range(n)]


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("opponents", "says"),
    [
        ("nobody", "opponents: 'nobody' given, beasty_bar has random, heuristic, "),
        (["random", "tactical", None], "opponents: 'tactical' given, beasty_bar has random, heuristic, "),
        ([None, 3, None], "opponents: 3 given, beasty_bar has random, heuristic, "),
        (["random", None], "opponents: 2 given, expected one for each of 3 games"),
        ([], "opponents: 0 given, expected one for each of 3 games"),
        (["random"] * 4, "opponents: 4 given, expected one for each of 3 games"),
        (7, "opponents: 7 given, expected None, a name, or a name or None for each of 3 games"),
    ],
)
def test_a_wrong_opponent_is_refused_in_one_line(opponents: Any, says: str) -> None:
    for call in (lambda: search(GameBatch(3), scrambled, 2, opponents=opponents), lambda: told_ismcts(opponents)):
        with pytest.raises(ValueError) as caught:
            call()
        assert str(caught.value).startswith(says) and "\n" not in str(caught.value)


def told_ismcts(opponents: Any) -> Any:
    return ismcts(GameBatch(3), 2, opponents=opponents)


@pytest.mark.parametrize(
    "known",
    [{"opponents": "random"}, {"opponents": ["random", None, None]}, {"beliefs": Beliefs("beasty_bar", 3)}],
    ids=["one name", "one game", "beliefs"],
)
def test_several_trees_are_refused_where_something_is_told(known: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError, match=r"^determinizations: 2 given, expected 0 where opponents or beliefs are told: "
    ):
        search(GameBatch(3), scrambled, 4, determinizations=2, **known)


@pytest.mark.parametrize("opponents", [[None] * 50, (None,) * 50, None])
def test_where_nobody_is_told_the_search_is_as_before(opponents: Any) -> None:
    batch = played(GameBatch(50, 4), np.arange(50) % 25)
    for changes in ({}, GUMBEL, {"determinizations": 2}):
        plain = search(batch, scrambled, 12, seed=5, **changes)
        assert same(search(batch, scrambled, 12, seed=5, opponents=opponents, **changes), plain)
    assert same(ismcts(batch, 12, opponents=opponents), ismcts(batch, 12))


# ---------------------------------------------------------------------- whose opponent is whose


@pytest.mark.parametrize("changes", [{}, GUMBEL], ids=["puct", "gumbel"])
def test_each_game_is_told_its_own_opponent(changes: dict[str, Any]) -> None:
    """Fails if a row is searched against another row's opponent, or threads share anything."""
    batch, names = played(GameBatch(66, 4), np.arange(66) % 24), in_turn(66)
    together = search(batch, scrambled, 16, seed=5, opponents=names, **changes)
    assert same(search(batch, scrambled, 16, seed=5, threads=3, opponents=names, **changes), together)
    mixed = ismcts(batch, 30, seed=5, opponents=names, threads=2)
    differs = 0
    for name in {*names}:
        rows = [k for k, other in enumerate(names) if other == name]
        alone = search(batch.take(rows), scrambled, 16, seed=5, opponents=name, **changes)
        assert same(alone, (part[rows] for part in together))
        assert same(ismcts(batch.take(rows), 30, seed=5, opponents=name), (part[rows] for part in mixed))
        differs += not same(alone, search(batch.take(rows), scrambled, 16, seed=5, **changes))
    assert differs == len(OPPONENTS)


# ---------------------------------------------------------------------- what the mover cannot see


@pytest.mark.parametrize("name", OPPONENTS)
def test_what_the_mover_cannot_see_changes_nothing(name: str) -> None:
    """Fails if the model plays, or a best response is computed, from cards that the mover cannot know."""
    batch = played(GameBatch(48, 9), np.arange(48) % 16)
    states = [batch.state(i) for i in range(48)]
    kinds: Sequence[dict[str, Any]] = ({}, GUMBEL, {"nodes": "private"})
    true = [search(batch, scrambled, 24, seed=5, opponents=name, **changes) for changes in kinds]
    rollouts = [ismcts(batch, 40, seed=5, opponents=name, exact_rollouts=exact) for exact in (False, True)]
    others = [state.determinize(1) for state in states]
    assert sum(other != state for other, state in zip(others, states, strict=True)) > 40
    hidden = GameBatch.from_states(others)
    for changes, found in zip(kinds, true, strict=True):
        assert same(search(hidden, scrambled, 24, seed=5, opponents=name, **changes), found)
    for exact, result in zip((False, True), rollouts, strict=True):
        assert same(ismcts(hidden, 40, seed=5, opponents=name, exact_rollouts=exact), result)


# ---------------------------------------------------------------------- what a slot remembers


def replies(batch: GameBatch) -> GameBatch:
    """Each position after its first legal action."""
    after = batch.take(np.arange(len(batch)))
    after.step(batch.legal_mask().argmax(axis=1))
    return after


@pytest.mark.parametrize("name", ["heuristic", "distilled_outcome"])
def test_solved_leaves_are_remembered_for_one_opponent_and_one_seat(name: str) -> None:
    """Fails if a slot's solved leaves are taken for those of a game against another opponent, or from the other seat.

    From ply 14 and from ply 15 on, both sides' searches meet the same solved leaves.
    """
    first = played(GameBatch(60, 12), 14)
    batches = {"first": first, "second": replies(first)}
    searcher = Searcher(60, 40)
    told: list[tuple[str, str | None]] = [
        (part, opponent) for opponent in (name, "online", None, name) for part in ("first", "second", "first")
    ]
    found = {}
    for part, opponent in told:
        result = searcher.search(batches[part], scrambled, seed=5, opponents=opponent)
        assert same(result, search(batches[part], scrambled, 40, seed=5, opponents=opponent)), (part, opponent)
        found[part, opponent] = result.value
    for part in batches:
        assert (found[part, name] != found[part, None]).any() and (found[part, name] != found[part, "online"]).any()
