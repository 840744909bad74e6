"""The settings of a search: each one's range, that each one tells in the outcome, and that their defaults are said."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from reference.search import scrambled

from sim_core import GameBatch, SearchSettings, search

# fields that only tell where others are as given
NEEDS: dict[str, dict[str, Any]] = {
    "dirichlet_alpha": {"dirichlet_fraction": 0.5},
    "gumbel_scale": {"root_selection": "gumbel"},
    "max_considered": {"root_selection": "gumbel"},
    "c_visit": {"root_selection": "gumbel"},
    "c_scale": {"root_selection": "gumbel"},
}
CHANGES = [
    ("c_puct", 0.3),
    ("dirichlet_fraction", 0.5),
    ("dirichlet_alpha", 5.0),
    ("root_selection", "gumbel"),
    ("policy_target", "completed_q"),
    ("gumbel_scale", 1.0),
    ("max_considered", 2),
    ("c_visit", 500.0),
    ("c_scale", 3.0),
    ("nodes", "private"),
    ("availability", True),
    ("exact_leaves", False),
    ("determinizations", 4),
]


@pytest.fixture(scope="module")
def middle() -> GameBatch:
    """A hundred positions of ply 13, from which 32 simulations reach the endgame."""
    batch = GameBatch(100, 3)
    for _ in range(13):
        batch.step(batch.opponent_actions("random", 5))
    return batch


def test_every_field_is_tried() -> None:
    assert [name for name, _ in CHANGES] == [field.name for field in dataclasses.fields(SearchSettings)]


@pytest.mark.parametrize(("name", "value"), CHANGES)
def test_every_field_tells(middle: GameBatch, name: str, value: Any) -> None:
    """Fails if a setting is not handed to the trees, and so changes nothing."""
    base = SearchSettings(**NEEDS.get(name, {}))
    plain = search(middle, scrambled, 32, seed=7, settings=base)
    found = search(middle, scrambled, 32, seed=7, settings=dataclasses.replace(base, **{name: value}))
    if name == "policy_target":
        assert (found.visit_counts == plain.visit_counts).all(), "the target alone changes"
        assert (found.actions == plain.actions).all()
        assert np.abs(found.policy - plain.policy).max() > 0.01
        return
    assert (found.visit_counts != plain.visit_counts).any(axis=1).mean() > 0.1
    assert (found.policy != plain.policy).any()


@pytest.mark.parametrize("name", NEEDS)
def test_fields_of_another_root_tell_nothing(middle: GameBatch, name: str) -> None:
    """Fails if a setting of the other root has an effect, such as noise in a search that is called plain."""
    plain = search(middle, scrambled, 16, seed=7)
    found = search(middle, scrambled, 16, seed=7, **{name: dict(CHANGES)[name]})
    assert all((a == b).all() for a, b in zip(plain, found, strict=True))


def test_a_gumbel_root_takes_no_dirichlet_noise(middle: GameBatch) -> None:
    plain = search(middle, scrambled, 16, seed=7, root_selection="gumbel")
    noisy = search(middle, scrambled, 16, seed=7, root_selection="gumbel", dirichlet_fraction=0.5)
    assert all((a == b).all() for a, b in zip(plain, noisy, strict=True))


def test_defaults_are_the_plain_search(middle: GameBatch) -> None:
    """Fails if the defaults are not PUCT over one tree, without noise, with visits for a target and exact leaves."""
    said = {
        "c_puct": 1.5,
        "dirichlet_fraction": 0.0,
        "root_selection": "puct",
        "policy_target": "visits",
        "gumbel_scale": 0.0,
        "nodes": "shared",
        "availability": False,
        "exact_leaves": True,
        "determinizations": 0,
    }
    settings = SearchSettings()
    assert {name: getattr(settings, name) for name in said} == said
    plain = search(middle, scrambled, 16, seed=7)
    for options in ({"settings": settings}, {"settings": None}, said, {"settings": SearchSettings(c_puct=9)} | said):
        again = search(middle, scrambled, 16, seed=7, **options)
        assert all((a == b).all() for a, b in zip(plain, again, strict=True))


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        SearchSettings().c_puct = -1.0  # type: ignore[misc]


@pytest.mark.parametrize("determinizations", [1, 3, 5, 7, 23, 50])
def test_determinizations_share_out_the_simulations(middle: GameBatch, determinizations: int) -> None:
    found = search(middle, scrambled, 24, seed=7, determinizations=determinizations)
    assert (found.visit_counts.sum(axis=1) == 24).all()
    assert np.abs(found.policy.sum(axis=1) - 1).max() < 1e-6
    assert (found.actions == found.visit_counts.argmax(axis=1)).all()
    assert (found.visit_counts[~middle.legal_mask()] == 0).all()


def test_trees_that_get_the_rest_of_the_simulations_are_the_same_trees(middle: GameBatch) -> None:
    """Fails if games are mixed up where trees differ in size: 17 simulations in 5 trees are 4, 4, 3, 3, 3."""
    found = search(middle, scrambled, 17, seed=7, determinizations=5)
    fewer, more = (search(middle, scrambled, n, seed=7, determinizations=5).visit_counts for n in (15, 20))
    assert (found.visit_counts.sum(axis=1) == 17).all()
    differing = (found.visit_counts != fewer).any(axis=1) & (found.visit_counts != more).any(axis=1)
    assert differing.mean() > 0.9
    # a tree of four simulations has the visits of its first three
    assert ((fewer <= found.visit_counts) & (found.visit_counts <= more)).all()
    few = middle.take([3, 40])
    alone = search(few, scrambled, 17, seed=7, determinizations=5)
    assert all((a == b[[3, 40]]).all() for a, b in zip(alone, found, strict=True))
    assert np.abs(found.value).max() <= 1


def test_solved_roots_have_all_simulations_of_all_trees() -> None:
    batch = GameBatch(20, 3)
    while not batch.is_solvable.all():
        batch.step(batch.opponent_actions("random", 5))
    found = search(batch, scrambled, 17, seed=7, determinizations=5)
    assert (found.visit_counts.sum(axis=1) == 17).all()
    assert np.isin(found.value, (-1, 0, 1)).all()


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("root", ["puct", "gumbel"])
def test_completed_q_that_overflows_is_refused(middle: GameBatch, root: str) -> None:
    """Fails if finite values whose scaled sums are infinite give a policy of NaN."""

    def large(observations: np.ndarray, legal_mask: np.ndarray) -> Any:
        logits, values = scrambled(observations, legal_mask)
        return logits, values * np.float32(1e36)

    options: dict[str, Any] = {"root_selection": root, "policy_target": "completed_q"}
    start = GameBatch(20, 3)
    with pytest.raises(ValueError, match=r"^evaluate: returned NaN .*too large to be added up"):
        search(start, large, 16, seed=7, c_scale=100.0, **options)
    found = search(start, large, 16, seed=7, c_scale=0.1, **options)
    assert np.isfinite(found.policy).all() and np.abs(found.policy.sum(axis=1) - 1).max() < 1e-6


NUMBERS = ("c_puct", "dirichlet_fraction", "dirichlet_alpha", "gumbel_scale", "c_visit", "c_scale")
WRONG: list[tuple[str, Any]] = [
    *[(name, value) for name in NUMBERS for value in (-0.1, math.nan, math.inf, 1e7, "1", None, [1.0])],
    ("dirichlet_fraction", 1.01),
    ("dirichlet_alpha", 0.0),
    *[("max_considered", value) for value in (0, 17, 2.0, "2", True, None)],
    *[("determinizations", value) for value in (-1, 10_001, 2.0, "2", True, None)],
    *[("root_selection", value) for value in ("ucb", "PUCT", "", None, 0)],
    *[("policy_target", value) for value in ("q", None)],
    *[("nodes", value) for value in ("public", None)],
    *[(name, value) for name in ("availability", "exact_leaves") for value in (0, 1, "true", None)],
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_wrong_settings_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{name}: .*{'expected'}"):
        SearchSettings(**{name: value})
    with pytest.raises(ValueError, match=rf"^{name}: "):
        search(GameBatch(2), scrambled, 4, **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("c_puct", 0), ("c_puct", np.float32(1.5)), ("dirichlet_fraction", 1), ("dirichlet_fraction", np.float64(0))],
        *[("max_considered", 1), ("max_considered", 16), ("determinizations", 10_000), ("c_scale", 0.0)],
    ],
)
def test_the_ends_of_the_ranges_are_taken(middle: GameBatch, name: str, value: Any) -> None:
    found = search(middle.take([0, 1]), scrambled, 8, settings=SearchSettings(**{name: value}))
    assert (found.visit_counts.sum(axis=1) == 8).all()


@pytest.mark.parametrize("other", [{"root_selection": "gumbel"}, {"policy_target": "completed_q"}])
def test_several_determinized_trees_go_with_visits_only(other: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^determinizations: 4 .*Gumbel"):
        SearchSettings(determinizations=4, **other)
    with pytest.raises(ValueError, match=r"^determinizations: 4 "):
        search(GameBatch(2), scrambled, 8, settings=SearchSettings(**other), determinizations=4)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(TypeError, match="c_putc"):
        SearchSettings(c_putc=1.0)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="c_putc"):
        search(GameBatch(2), scrambled, 8, c_putc=1.0)
