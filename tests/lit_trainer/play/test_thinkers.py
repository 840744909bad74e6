"""Agents that a person can play: their moves, their reasons, and the default one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.play_tools import game_with, random_state

from lit_trainer.play import make_thinker
from lit_trainer.play.thinkers import default_agent
from sim_core import OPPONENTS, State, get_game


@pytest.mark.parametrize("agent", ["checkpoint", "policy", "ismcts:50", "noisy"])
def test_agents_think_the_same_whatever_the_hidden_cards_are(agent: str, checkpoint_path: Path) -> None:
    simulations = 0 if agent == "policy" else 8
    thinker = make_thinker(
        str(checkpoint_path) if agent in ("checkpoint", "policy") else agent, simulations=simulations
    )
    for seed in range(12):
        state = random_state("beasty_bar", seed, 2 * seed)
        thought = thinker.think(state, seed)
        assert thought == thinker.think(state.determinize(99), seed)
        assert thought.action in state.legal_actions()
        if thinker.has_reasons:
            assert thought.shares[0][0] == thought.action
            assert sum(share for _, share in thought.shares) == pytest.approx(1.0)
            assert {action for action, _ in thought.shares} == set(state.legal_actions())
            assert thought.win_chance is not None and 0.0 <= thought.win_chance <= 1.0
        else:
            assert thought.shares == () and thought.win_chance is None


@pytest.mark.parametrize("agent", ["checkpoint", "ismcts:50", "noisy"])
def test_agents_of_ours_think_in_several_threads(agent: str, checkpoint_path: Path) -> None:
    """Only agents written in Python answer one question at a time."""
    thinker = make_thinker(str(checkpoint_path) if agent == "checkpoint" else agent, simulations=16)
    states = [random_state("beasty_bar", seed, seed % 16) for seed in range(40)]
    alone = [thinker.think(state) for state in states]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(thinker.think, states * 5)) == alone * 5


def test_a_decided_game_has_the_chance_of_its_outcome() -> None:
    """Fails if the win chance is the opponent's."""
    session = game_with(make_thinker("ismcts:60"), None)
    last = session.view()["turns"][-1]
    winner = session.state.winner()
    assert last["thought"]["win_chance"] == (0.5 if winner is None else float(winner == last["player"]))


@pytest.mark.parametrize("name", [*OPPONENTS, *get_game("connect_four").opponents])
def test_every_built_in_opponent_can_be_played(name: str) -> None:
    thinker = make_thinker(name)
    for game in thinker.games:
        state = State.initial(3, game=game)
        assert thinker.think(state).action in state.legal_actions()


def test_the_default_agent_is_the_best_it_finds(tmp_path: Path, checkpoint_path: Path) -> None:
    assert default_agent("beasty_bar", tmp_path) == "outcome_heuristic"
    assert default_agent("connect_four", tmp_path) == "tactical"
    for name in ("runs/a/version_0/checkpoints/last.ckpt", "checkpoints/iter600.ckpt", "checkpoints/iter1000.ckpt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(checkpoint_path.read_bytes())
        assert default_agent("beasty_bar", tmp_path) == str(tmp_path / name)
    assert default_agent("connect_four", tmp_path) == "tactical"
    (tmp_path / "checkpoints/iter1000.ckpt").write_bytes(b"PK")
    assert default_agent("beasty_bar", tmp_path) == str(tmp_path / "checkpoints/iter600.ckpt")
