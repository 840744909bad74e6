"""Agents written in Python as players: whole matches, and illegal answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from reference import rules as reference
from support.agent_models import Same

from lit_trainer import IsmctsAgent
from lit_trainer.measuring.matches import play_match
from lit_trainer.players.engine_players import BuiltinPlayer
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.protocols import Agent
from lit_trainer.players.python_player import PythonOpponent, PythonPlayer
from sim_core import Action, GameBatch, State


def played(n: int, seed: int, plies: int | np.ndarray) -> GameBatch:
    batch = GameBatch(n, seed)
    while (going := batch.ply < plies).any():
        batch.step(np.where(going, batch.opponent_actions("random", seed), -1))
    return batch


class Last:
    """Plays the last legal action; checks what it is given against the plain rules."""

    def __init__(self) -> None:
        self.seen: list[State] = []

    def select_action(self, state: State, legal_actions: Any) -> Action:
        position = reference.parse(str(state))
        assert sorted(map(str, legal_actions)) == sorted(reference.legal_actions(position))
        self.seen.append(state)
        action: Action = legal_actions[-1]
        return action


def test_an_agent_in_python_plays_whole_matches() -> None:
    agent = Last()
    assert isinstance(agent, Agent)
    outcomes, margins, _ = play_match(
        PythonPlayer("last", agent), BuiltinPlayer("random", 1), 20, game="beasty_bar", seed=2
    )
    assert (np.sign(margins) == outcomes).all()
    assert len(agent.seen) == 20 * 12
    assert sorted(state.ply for state in agent.seen) == sorted([*range(24)] * 10)
    assert {state.to_move for state in agent.seen} == {0, 1}
    twice = play_match(PythonPlayer("last", agent), BuiltinPlayer("random", 1), 20, game="beasty_bar", seed=2)
    assert (twice[0] == outcomes).all() and (twice[1] == margins).all()


def test_an_agent_in_python_against_itself() -> None:
    """Fails if one side does not win exactly what the other loses."""
    player = PythonPlayer("last", Last())
    outcomes, margins, _ = play_match(player, player, 20, game="beasty_bar", seed=2)
    assert (outcomes[::2] == -outcomes[1::2]).all()
    assert (margins[::2] == -margins[1::2]).all()


def test_an_agent_that_takes_it_is_told_what_was_played() -> None:
    """Where nothing is known of that, it is asked without."""

    class Listens(Last):
        def __init__(self) -> None:
            super().__init__()
            self.told: list[Any] = []

        def select_action(self, state: State, legal_actions: Any, history: Any = "nothing") -> Action:
            self.told.append(history)
            return super().select_action(state, legal_actions)

    batch = played(2, 5, 1)
    histories = [((State.initial(5), Action(0)),), ()]
    agent = Listens()
    moves = PythonPlayer("listens", agent).act(batch, histories)
    assert agent.told == histories
    assert (PythonPlayer("last", Last()).act(batch, histories).actions == moves.actions).all()
    PythonPlayer("listens", agent).act(batch)
    assert agent.told[2:] == ["nothing", "nothing"]


def test_a_search_that_is_told_an_agent_wins_more_against_it() -> None:
    """Fails if the agent is not what the search expects. One that does not say how it plays is played as ever."""

    def knows_nothing(observations: Any, legal_mask: Any) -> Any:
        return np.zeros(legal_mask.shape, np.float32), np.zeros(len(observations), np.float32)

    scores, agents = {}, (Same("online"), Last())
    for agent in agents:
        for model in ("none", "told"):
            player = NetworkPlayer(knows_nothing, simulations=16, temperature=0.0, seed=3, opponent_model=model)
            scores[agent, model] = play_match(player, PythonPlayer("mine", agent), 40, game="beasty_bar", seed=2)
    assert np.array_equal(scores[agents[1], "none"].margins, scores[agents[1], "told"].margins)
    none, told = (scores[agents[0], model].outcomes.mean() for model in ("none", "told"))
    assert told > none + 0.25


@pytest.mark.parametrize(
    "answer",
    [None, "L", 0, np.int64(0), np.array(0), torch.tensor(0), Action.parse("X=P3"), Action(0, "beasty_bar_animals")],
    ids=repr,
)
def test_an_illegal_answer_names_opponent_and_position(answer: Any) -> None:
    class Wrong:
        def select_action(self, state: State, legal_actions: Any) -> Any:
            return answer if state.ply >= 3 else legal_actions[0]

    batch = played(5, 5, 3)
    with pytest.raises(ValueError) as error:
        PythonPlayer("my agent", Wrong()).act(batch)
    message = str(error.value)
    assert "my agent" in message
    assert str(batch.state(0)) in message
    assert repr(answer) in message
    assert ("not Action" in message) == (not isinstance(answer, Action))
    assert " ".join(map(str, batch.state(0).legal_actions())) in message


def test_an_unknown_key_of_an_agent_s_entry_is_refused() -> None:
    """Arguments under a misspelt key, in place of which the agent's defaults play."""
    entry = {"class_path": "lit_trainer.IsmctsAgent", "init_arg": {"iterations": 3}}
    with pytest.raises(ValueError, match=r"^agents\.mine: init_arg given, expected \{class_path: "):
        PythonOpponent("mine", entry)
    entry["init_args"] = entry.pop("init_arg")
    assert isinstance(PythonOpponent("mine", entry).agent, IsmctsAgent)
