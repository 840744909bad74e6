"""Agents written in Python that raise, cheat, or never come back: they are named, and nothing hangs on them."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from lit_trainer import GenerationSettings, OpponentPool, ResidualMLP, WorkerSettings
from lit_trainer.players.python_player import AgentTimeoutError, PythonOpponent
from lit_trainer.self_play.games import GeneratedGames
from lit_trainer.self_play.generator import play_games
from lit_trainer.self_play.lanes import LaneMemory
from sim_core import SearchSettings

pytestmark = pytest.mark.timeout(60)
GAME = "connect_four"


class Agent:
    """Plays the first column; from the tenth move on it misbehaves, if it is told how."""

    def __init__(self, misbehave: Callable[[Any], Any] | None = None) -> None:
        self.misbehave = misbehave
        self.moves = 0
        self.thread: threading.Thread | None = None

    def select_action(self, state: Any, legal_actions: Any) -> Any:
        self.moves += 1
        if self.misbehave is not None and self.moves >= 10:
            self.thread = threading.current_thread()
            return self.misbehave(legal_actions)
        return legal_actions[0]


class Telling(Agent):
    """Says which column it plays; from the tenth answer on it misbehaves, if it is told how."""

    def select_action(self, state: Any, legal_actions: Any) -> Any:
        return legal_actions[0]

    def action_probabilities(self, state: Any) -> Any:
        return {super().select_action(state, state.legal_actions()): 1.0}


def raises(_: Any) -> None:
    raise KeyError("no such opening")


def spins(_: Any) -> None:
    while True:
        pass


def shrugs_off_exceptions(_: Any) -> None:
    while True:
        with contextlib.suppress(Exception):
            time.sleep(0.01)


GATE = threading.Lock()
"""Held by a test in which somebody waits for it."""


def waits(legal: Any) -> Any:
    with GATE:  # a call of C, which Python cannot interrupt from another thread
        return legal[0]


@pytest.fixture
def play() -> Callable[..., GeneratedGames]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = ResidualMLP(GAME, width=8, blocks=0)

    def play(
        agent: Agent, limit: float | None, memory: LaneMemory | None = None, threads: int = 2, **options: Any
    ) -> GeneratedGames:
        settings = GenerationSettings(
            simulations=2, search=SearchSettings(), parallel_games=64, threads=threads, opponent_model="told"
        )
        opponents = {"mine": PythonOpponent("mine", agent, limit)}
        plan = {"self_play": 40, "mine": 40}
        return play_games(
            settings, network, plan, temperature=1.0, seed=3, opponents=opponents, memory=memory, **options
        )

    return play


def test_what_an_agent_raises_names_it_and_the_position(play: Callable[..., GeneratedGames]) -> None:
    with pytest.raises(KeyError, match="no such opening") as raised:
        play(Agent(raises), None)
    assert any(note.startswith("opponent mine: select_action raised this at '") for note in raised.value.__notes__)


@pytest.mark.parametrize("given", [lambda legal: None, lambda legal: 99, lambda legal: legal, lambda legal: "1"])
def test_an_illegal_action_names_agent_position_and_what_is_legal(
    given: Callable[[Any], Any], play: Callable[..., GeneratedGames]
) -> None:
    with pytest.raises(ValueError, match=r"^opponent mine: select_action returned .* at '.*', legal are "):
        play(Agent(given), None)


@pytest.mark.parametrize("misbehave", [spins, shrugs_off_exceptions, waits])
def test_an_agent_that_never_comes_back_ends_the_games(
    misbehave: Callable[[Any], Any], play: Callable[..., GeneratedGames], caplog: pytest.LogCaptureFixture
) -> None:
    """A run that hangs; a lane that still writes into memory which is used again."""
    agent, memory = Agent(misbehave), LaneMemory()
    started = time.monotonic()
    with GATE:
        with (
            caplog.at_level(logging.WARNING),
            pytest.raises(AgentTimeoutError, match=r"^opponent mine: select_action has taken more than 0\.3 s at '"),
        ):
            play(agent, 0.3, memory)
        assert agent.thread is not None
        assert time.monotonic() - started < 40
        stopped = misbehave is not waits
        assert agent.thread.is_alive() != stopped
        assert ("1 thread(s) of self-play could not be stopped" in caplog.text) != stopped
        assert agent.thread.daemon, "it must not keep the process from ending"
        fresh = [play(Agent(), 10.0, kept) for kept in (memory, None)]
        assert np.array_equal(fresh[0].states, fresh[1].states) and fresh[0].results == fresh[1].results
    agent.thread.join(20)
    assert not agent.thread.is_alive(), "other tests count such threads"


def test_an_agent_given_up_is_asked_no_more(play: Callable[..., GeneratedGames]) -> None:
    """Fails if a trace, as debuggers set it, keeps the process until the agent returns, as in CPython 3.11."""
    agent = Agent(waits)
    before = sys.gettrace()
    with GATE:
        sys.settrace(lambda *_: None)
        try:
            with pytest.raises(AgentTimeoutError, match="has taken more than"):
                play(agent, 0.3)
        finally:
            sys.settrace(before)
        asked = agent.moves
    assert agent.thread is not None
    agent.thread.join(20)
    assert not agent.thread.is_alive() and agent.moves == asked


def test_ctrl_c_is_heard_while_an_agent_hangs(play: Callable[..., GeneratedGames]) -> None:
    agent = Agent(spins)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        play(agent, None)
    assert time.monotonic() - started < 10
    timer.join()
    assert agent.thread is not None and not agent.thread.is_alive()


def test_what_is_raised_while_games_are_watched_ends_them(play: Callable[..., GeneratedGames]) -> None:
    """Fails if games go on after the listener of progress raised, as it does on SIGTERM."""

    def stop(games: float) -> None:
        raise SystemExit("SIGTERM")

    with pytest.raises(SystemExit, match="SIGTERM"):
        play(Agent(spins), None, on_progress=stop)


def test_an_agent_in_time_is_not_blamed(play: Callable[..., GeneratedGames]) -> None:
    """Fails if the limit is compared with the time of several moves."""
    agent = Agent(lambda legal: (time.sleep(0.02), legal[-1])[1])
    games = play(agent, 1.5)
    assert sum(games.results["mine"]) == 40 and agent.moves > 150


def test_what_an_agent_raises_that_says_how_it_plays_names_it(play: Callable[..., GeneratedGames]) -> None:
    """Fails if an error within a search is lost, or ends the process."""
    with pytest.raises(KeyError, match="no such opening") as raised:
        play(Telling(raises), None)
    (note,) = raised.value.__notes__
    assert note.startswith("opponent mine: action_probabilities raised this at '")
    with pytest.raises(ValueError, match=r"^opponent mine: action_probabilities returned a probability of 99 at '"):
        play(Telling(lambda legal: 99), None)


@pytest.mark.parametrize("misbehave", [spins, shrugs_off_exceptions])
def test_an_agent_that_never_says_how_it_plays_ends_the_games(
    misbehave: Callable[[Any], Any], play: Callable[..., GeneratedGames]
) -> None:
    """Fails if a search that waits for an agent hangs, or does so in a thread that the process's end waits for."""
    agent = Telling(misbehave)
    with pytest.raises(
        AgentTimeoutError, match=r"^opponent mine: action_probabilities has taken more than 0\.3 s at '"
    ):
        play(agent, 0.3, threads=8)
    assert agent.thread is not None
    agent.thread.join(20)
    assert not agent.thread.is_alive()


@pytest.mark.parametrize("value", [0, -1.0, float("inf"), float("nan"), True, "5"])
def test_a_limit_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^agent_time_limit: {value!r} given, expected seconds above 0"):
        OpponentPool([], agent_time_limit=value)
    with pytest.raises(ValueError, match=rf"^workers\.timeout: {value!r} given, expected seconds above 0"):
        WorkerSettings(timeout=value)
