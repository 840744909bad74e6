"""Chunks of an iteration's games: whole games, and over all chunks the plan's shares."""

from __future__ import annotations

from collections import Counter

from lit_trainer.self_play.workers.chunks import ChunkPlanner


def test_chunks_follow_a_changing_plan() -> None:
    planner = ChunkPlanner()
    played: Counter[str] = Counter()
    for k in range(100):
        plan = {"a": 61, "b": 1, "c": 38} if k < 50 else {"c": 90, "d": 10}
        chunk = planner.next(plan, 7)
        assert sum(chunk.values()) == 7 and min(chunk.values()) > 0 and chunk.keys() <= plan.keys()
        played.update(chunk)
    expected = {"a": 350 * 0.61, "b": 3.5, "c": 350 * 0.38 + 350 * 0.9, "d": 35}
    assert all(abs(played[name] - count) <= 2 for name, count in expected.items()), played
