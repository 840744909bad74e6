"""The threads of lanes: they always come home, and every error comes out."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from support.lane_games import RANDOM, play

from lit_trainer.networks.evaluators import TorchEvaluator
from lit_trainer.networks.residual_mlp import ResidualMLP
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.python_player import PythonPlayer
from sim_core import Action, State

pytestmark = pytest.mark.timeout(120)


def lane_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("lane")]


class Fails:
    """Fails, or is interrupted, at a given call."""

    def __init__(self, evaluator: Any, at: int) -> None:
        self.evaluator = evaluator
        self.left = at
        self.lock = threading.Lock()

    def __call__(self, observations: np.ndarray, legal_mask: np.ndarray) -> Any:
        with self.lock:
            self.left -= 1
            if self.left == 0:
                raise KeyError("weights")
        return self.evaluator(observations, legal_mask)

    def select_action(self, state: State, legal_actions: Sequence[Action]) -> Action:
        self.left -= 1
        if self.left == 0:
            raise KeyError("agent")
        return legal_actions[0]


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("at", [1, 2, 60])
def test_an_evaluators_error_comes_out(scrambled: Any, threads: int, at: int) -> None:
    with pytest.raises(KeyError, match="weights"):
        play(Fails(scrambled, at), [RANDOM], threads=threads)
    assert not lane_threads()


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("kind", ["python", "network"])
def test_an_opponents_error_comes_out(scrambled: Any, threads: int, kind: str) -> None:
    fails = Fails(scrambled, 7)
    opponent = (
        PythonPlayer("fails", fails)
        if kind == "python"
        else NetworkPlayer(fails, simulations=0, temperature=1.0, seed=4)
    )
    with pytest.raises(KeyError, match="agent" if kind == "python" else "weights"):
        play(scrambled, [RANDOM, opponent], threads=threads)
    assert not lane_threads()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupt_stops_all_lanes(scrambled: Any, threads: int, error: type[BaseException]) -> None:
    """Fails if Ctrl-C in the calling thread waits for the games' ends."""
    asked = 0

    def slow(observations: np.ndarray, legal_mask: np.ndarray) -> Any:
        nonlocal asked
        asked += 1
        time.sleep(0.02)
        return scrambled(observations, legal_mask)

    def interrupt(played: float) -> None:
        raise error

    before = torch.get_num_threads()
    with pytest.raises(error):
        play(slow, [RANDOM], threads=threads, games=2000, on_progress=interrupt)
    assert 0 < asked < 100, "to the end it would be thousands"
    assert not lane_threads()
    assert torch.get_num_threads() == before


def test_a_second_ctrl_c_leaves_no_thread_behind(scrambled: Any) -> None:
    """A thread in torch's code when the interpreter ends: it aborts the process."""
    interrupted, left = threading.Event(), threading.Event()

    def slow(observations: np.ndarray, legal_mask: np.ndarray) -> Any:
        if interrupted.wait(0.02):
            left.wait(0.5)  # still at work when the second one comes
        return scrambled(observations, legal_mask)

    def press_twice(played: float) -> None:
        interrupted.set()
        again = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
        again.start()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(slow, [RANDOM], threads=2, games=2000, on_progress=press_twice)
    assert not lane_threads()
    left.set()


@pytest.mark.parametrize("torch_threads", [1, 2, 3])
def test_torchs_threads_are_as_they_were(make_network: Callable[..., ResidualMLP], torch_threads: int) -> None:
    """Fails if torch's number of threads is changed for good, or a lane's network has more than its share."""
    evaluator = TorchEvaluator(make_network().eval())
    inside: set[int] = set()

    def noting(observations: np.ndarray, legal_mask: np.ndarray) -> Any:
        inside.add(torch.get_num_threads())
        return evaluator(observations, legal_mask)

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(torch_threads)
        for threads, share in ((1, 1), (2, 1), (4, 2)):
            inside.clear()
            play(noting, threads=threads, games=64, simulations=0)
            assert inside == {share}
            assert torch.get_num_threads() == torch_threads
            with pytest.raises(KeyError):
                play(Fails(evaluator, 3), threads=threads)
            assert torch.get_num_threads() == torch_threads
    finally:
        torch.set_num_threads(before)
