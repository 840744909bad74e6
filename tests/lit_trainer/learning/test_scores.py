"""Results of matches, added up by the opponent that each batch names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from lit_trainer.learning.scores import MatchScores, logged_models, logged_tests
from lit_trainer.measuring.matches import Match, by_model
from lit_trainer.measuring.metrics import MatchResult

CPU = torch.device("cpu")
PARTS_OF_NAMES = (("", 8), ("/sims_8", 8), ("/sims_0", 0))
"""Ends of the names of a test, and the simulations that each stands for."""


def batch(opponent: str, outcomes: list[int], margins: list[int] | None = None, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"opponent": opponent, "outcome": torch.tensor(outcomes, dtype=torch.int8), **more}
    if margins is not None:
        found["margin"] = torch.tensor(margins, dtype=torch.int32)
    return found


def test_batches_of_one_opponent_add_up_wherever_they_come_from() -> None:
    scores = MatchScores()
    scores.update(batch("queue", [1, -1], [4, -2]))
    scores.update(batch("online", [0, 0], [0, 0]))
    scores.update(batch("queue", [1, 1], [6, 2]))
    results = scores.results(CPU)
    assert list(results) == [Match(0, "queue"), Match(0, "online")]
    queue = results[Match(0, "queue")]
    assert (queue.wins, queue.draws, queue.losses, queue.margin, queue.median_margin) == (3, 0, 1, 2.5, 3.0)
    assert results[Match(0, "online")].score == 0.5


def test_simulations_tell_matches_apart() -> None:
    scores = MatchScores()
    for simulations, outcome in ((16, 1), (0, -1)):
        scores.update(batch("queue", [outcome, outcome], [1, 1], simulations=simulations))
    assert {match: result.score for match, result in scores.results(CPU).items()} == {
        Match(16, "queue"): 1.0,
        Match(0, "queue"): 0.0,
    }


def test_what_is_known_of_an_opponent_tells_matches_apart() -> None:
    scores = MatchScores()
    for model, outcome in (("told", 1), ("none", -1)):
        scores.update(batch("queue", [outcome], opponent_model=model))
    wins = {match: result.wins for match, result in scores.results(CPU).items()}
    assert wins == {Match(0, "queue", "told"): 1, Match(0, "queue"): 0}


def test_each_further_model_of_a_validation_has_names_of_its_own() -> None:
    """Fails if the first model is logged twice, or a score stands under the name of another model or opponent."""
    scores = MatchScores()
    for model, outcome in (("told", 1), ("none", -1), ("online", 0)):
        for opponent, margin in (("queue", outcome), ("random", -outcome)):
            scores.update(batch(opponent, [margin], opponent_model=model))
    models = by_model(scores.results(CPU))
    assert list(models) == ["told", "none", "online"] and list(models["none"]) == ["queue", "random"]
    assert logged_models(models) == {
        "val/none/queue": 0.0, "val/none/random": 1.0, "val/online/queue": 0.5, "val/online/random": 0.5
    }  # fmt: skip
    assert not logged_models({"told": models["told"]})


def test_names_without_a_model_or_a_number_are_of_the_first() -> None:
    """Two results that are logged under one name."""
    scores = MatchScores()
    for simulations in (8, 0):
        for model in ("none", "told", "online"):
            scores.update(batch("queue", [1], simulations=simulations, opponent_model=model))
    results = scores.results(CPU)
    logged = [(name, found["queue"]) for name, found in logged_tests(results)]
    first, told, online = (
        [(f"{start}{part}", results[Match(number, "queue", model)]) for part, number in PARTS_OF_NAMES]
        for start, model in (("test", "none"), ("test/told", "told"), ("test/online", "online"))
    )
    assert [name for name, _ in logged] == [
        *(name for part in (first, told, online) for name, _ in part[:2]),
        *(part[2][0] for part in (first, told, online)),
    ]
    assert all(found is dict([*first, *told, *online])[name] for name, found in logged)
    assert not list(logged_tests({}))


def test_outcomes_alone_are_scored_game_by_game() -> None:
    """Fails if games from a user's own loader, which are not paired and have no points, are not scored."""
    scores = MatchScores()
    scores.update(batch("mine", [1, 0, -1]))
    result = scores.results(CPU)[Match(0, "mine")]
    assert (result.games, result.score, result.margin, result.median_margin) == (3, 0.5, None, None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"outcome": torch.zeros(2)}, "nothing found at 'opponent', expected a str"),
        ({"opponent": ["a", "b"], "outcome": torch.zeros(2)}, "list found at 'opponent', expected a str"),
        ({"opponent": "a"}, "nothing found at 'outcome', expected a Tensor"),
        ({"opponent": "a", "outcome": torch.tensor([2, 1])}, "outcomes: expected -1, 0 or 1 only"),
    ],
)
def test_a_batch_that_is_none_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MatchScores().update(given)


PARTS = (
    [batch("a", [1, 1], [3, 1]), batch("b", [0, -1], [0, -4])],
    [batch("c", [1]), batch("b", [1, 1], [2, 2])],
)
"""Batches by process: the second one never meets a, the first one never c, and they meet b at different places."""


def _meet(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    scores = MatchScores()
    for part in PARTS[rank]:
        scores.update(part)
    torch.save(
        [(*match, result.wins, result.games) for match, result in scores.results(CPU).items()], f"{folder}/{rank}"
    )
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_processes_that_met_different_opponents_agree(tmp_path: Path) -> None:
    """Fails if a process that never met an opponent makes the others wait, or adds to another opponent's result."""
    mp.start_processes(_meet, (str(tmp_path),), nprocs=2, start_method="spawn")
    first, second = (torch.load(tmp_path / str(rank), weights_only=True) for rank in range(2))
    assert first == second == [(0, "a", "none", 2, 2), (0, "b", "none", 2, 4), (0, "c", "none", 1, 1)]


def test_results_are_the_project_s_own_type() -> None:
    scores = MatchScores()
    scores.update(batch("a", [1, 0], [3, 0]))
    assert all(isinstance(result, MatchResult) for result in scores.results(CPU).values())
