"""Search trees: what a wrong size is told."""

from __future__ import annotations

import pytest

from sim_core import SearchSettings, Trees
from sim_core.tree_search.settings import MAX_SIMULATIONS


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("game", ("chess", 1, 1)),
        ("slots", ("beasty_bar", -1, 1)),
        ("slots", ("beasty_bar", 100_000_001, 1)),
        ("simulations", ("beasty_bar", 1, 0)),
        ("simulations", ("beasty_bar", 1, MAX_SIMULATIONS + 1)),
    ],
)
def test_wrong_sizes_are_named(name: str, arguments: tuple[str, int, int]) -> None:
    with pytest.raises(ValueError, match=rf"^{name}: "):
        Trees(*arguments)


def test_there_is_room_for_the_simulations_that_they_were_made_for() -> None:
    trees = Trees("connect_four", 3, 8)
    assert (trees.slots, trees.capacity, trees.handle.name) == (3, 8, "connect_four")
    trees.configure(SearchSettings(), 8)
    for simulations in (0, 9):
        with pytest.raises(ValueError, match=rf"^simulations: {simulations} given, .* room for 1 to 8$"):
            trees.configure(SearchSettings(), simulations)
    larger = Trees("connect_four", 6, 8)
    assert trees.nbytes < larger.nbytes < 3 * trees.nbytes
