"""Agents that a person can play: their moves, their reasons, and the default one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.play_tools import game_with, random_state

from lit_trainer import ResidualMLP
from lit_trainer.checkpoints.description import ENTRY, Description
from lit_trainer.play import SavedGame, Session, make_thinker
from lit_trainer.play.thinkers import _choice, default_agent
from lit_trainer.players.protocols import Moves
from sim_core import OPPONENTS, GameBatch, State, get_game


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


@pytest.mark.parametrize("simulations", [0, 8])
def test_an_agent_that_expects_an_opponent_concludes_from_what_was_played(simulations: int, tmp_path: Path) -> None:
    """In a person's game, and after turns are taken back; its network is told, and its search."""
    torch.manual_seed(1)
    network = ResidualMLP(width=32, blocks=1, condition="belief")
    assert network.condition_layer is not None
    torch.nn.init.normal_(network.condition_layer.weight, std=3.0)
    weights = {f"network.{name}": weight for name, weight in network.state_dict().items()}
    torch.save({"state_dict": weights, ENTRY: Description.of(network).entry()}, tmp_path / "told.ckpt")
    thinker = make_thinker(f"{tmp_path / 'told.ckpt'}@{simulations}+skunk")
    other = make_thinker("skunk")
    session = Session.deal(4, ("a", "b"), 0)
    thoughts, unaware = [], []
    while not session.state.is_terminal:
        history = session.history_at(session.turns)
        assert [state.ply for state, _ in history] == list(range(session.turns))
        thought = (other if session.state.to_move else thinker).think(session.state, 4, history)
        if session.state.to_move == 0:
            thoughts.append(thought)
            unaware.append(thinker.think(session.state, 4))
        session.play(thought.action, thought)
    assert thoughts != unaware
    for turn in (0, 2, 8, 22):
        assert thinker.think(session.state_at(turn), 4, session.history_at(turn)) == thoughts[turn // 2]
    session.undo()
    assert session.history_at(session.turns)[-1][0] == session.state_at(session.turns - 1)
    begun_late = Session(SavedGame(session.state_at(6), ("a", "b"), session.saved_game().moves[6:8]))
    assert begun_late.history_at(2) == ()


@pytest.mark.parametrize("agent", ["checkpoint", "ismcts:50", "noisy"])
def test_agents_of_ours_think_in_several_threads(agent: str, checkpoint_path: Path) -> None:
    """Only agents written in Python answer one question at a time."""
    thinker = make_thinker(str(checkpoint_path) if agent == "checkpoint" else agent, simulations=16)
    states = [random_state("beasty_bar", seed, seed % 16) for seed in range(40)]
    alone = [thinker.think(state) for state in states]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(thinker.think, states * 5)) == alone * 5


def test_a_player_that_remembers_is_told_what_was_played() -> None:
    """Fails if only some kinds of players are asked with the history, or those that do not remember are."""
    asked: list[Any] = []

    class Noting:
        def __init__(self, remembers: bool) -> None:
            self.remembers = remembers

        def act(self, batch: GameBatch) -> Moves:
            asked.append("act")
            return Moves(np.zeros(1, np.int64))

        def act_after(self, batch: GameBatch, histories: Any) -> Moves:
            asked.extend(histories)
            return Moves(np.zeros(1, np.int64))

    batch = GameBatch.from_states([State.initial(3)])
    for remembers, told in ((True, ("turns",)), (False, "act")):
        choose, has_reasons = _choice(Noting(remembers))
        assert choose(batch, ("turns",)).action == 0 and not has_reasons  # type: ignore[arg-type]
        assert asked.pop() == told and not asked


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
