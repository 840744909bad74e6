"""Statistics of self-play."""

from __future__ import annotations

from collections.abc import Mapping

from lit_trainer.players.specs import PAST, past_name


def results_to_log(results: Mapping[str, tuple[int, int, int]]) -> dict[str, float]:
    """``games/NAME`` and ``score/NAME`` of games' wins, draws and losses by opponent, past checkpoints as one.

    A name for each of those would be a further one at every snapshot, which loggers keep, and search, to the run's end.

    >>> results_to_log({"random": (3, 0, 1), "past_50": (1, 0, 0), "past_100": (0, 1, 0)})
    {'games/random': 4.0, 'score/random': 0.75, 'games/past': 2.0, 'score/past': 0.75}
    """
    joined: dict[str, tuple[int, int, int]] = {}
    for name, (wins, draws, losses) in results.items():
        name = PAST if name.startswith(past_name("")) else name
        others = joined.get(name, (0, 0, 0))
        joined[name] = (others[0] + wins, others[1] + draws, others[2] + losses)
    logged = {}
    for name, (wins, draws, losses) in joined.items():
        logged[f"games/{name}"] = float(wins + draws + losses)
        logged[f"score/{name}"] = (wins + draws / 2) / (wins + draws + losses)
    return logged
