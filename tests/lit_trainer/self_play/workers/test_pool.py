"""Workers of asynchronous generation: what reaches them, how old their games may be, and how their faults show."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from support.process_tools import alive, cpu_seconds, needs_proc, sleeps, wait_for

from lit_trainer import GenerationSettings, OpponentPool, ResidualMLP, SelfPlayDataModule, WorkerSettings
from lit_trainer.players.python_player import PythonOpponent
from lit_trainer.players.roster import pickled
from lit_trainer.self_play.games import GeneratedGames, join_games
from lit_trainer.self_play.workers.asynchronous import AsynchronousGenerator, worker_device
from lit_trainer.self_play.workers.chunks import ChunkPlanner
from lit_trainer.self_play.workers.messages import WorkerSetup
from lit_trainer.self_play.workers.pool import WorkerError
from sim_core import GameBatch, SearchSettings, get_game

pytestmark = pytest.mark.timeout(120)
GAME = "connect_four"

AGENTS = """
import os, re, threading

class First:
    def select_action(self, state, legal_actions):
        return legal_actions[0]

class Raises(First):
    def select_action(self, state, legal_actions):
        raise RuntimeError("the agent is tired")

class OnlyAtHome(First):
    def __init__(self, pid):
        if os.getpid() != pid:
            raise OSError("not at home")

class HoldsPython(First):
    'A search that goes on for ages, within C, where no other thread of the process gets its turn.'

    def select_action(self, state, legal_actions):
        re.match("(a+)+$", "a" * 60 + "b")

class Locked(First):
    def __init__(self):
        self.lock = threading.Lock()
"""


@pytest.fixture
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A module that workers find on this process's import path alone."""
    (tmp_path / "my_agents.py").write_text(AGENTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    import my_agents  # type: ignore[import-not-found]

    yield my_agents
    del sys.modules["my_agents"]


Start = Callable[..., AsynchronousGenerator]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts workers that end with the test."""
    started = []

    def start(network: ResidualMLP, pool: OpponentPool, **options: Any) -> AsynchronousGenerator:
        settings = {"simulations": 0, "search": SearchSettings(), "evaluator": "torch"}
        settings |= {"parallel_games": 1024, "threads": 1}
        settings |= {key: options.pop(key) for key in tuple(options) if key in settings}
        defaults = {"games_per_iteration": 24, "workers": 1, "device": "cpu"}
        defaults |= {"max_staleness": 2, "seed": 5, "rank": 0, "start_iteration": 0}
        generator = AsynchronousGenerator(network, pool, GenerationSettings(**settings), **(defaults | options))
        started.append(generator)
        return generator

    yield start
    for generator in started:
        generator.close()


def player(column: int | None = None) -> ResidualMLP:
    """Prefers a column by far, or rates all alike."""
    network = ResidualMLP(GAME, width=8, blocks=0)
    with torch.no_grad():
        for parameter in network.policy_head.parameters():
            parameter.zero_()
        if column is not None:
            network.policy_head.bias[column] = 20.0
    return network


def self_play() -> OpponentPool:
    return OpponentPool([], self_play_share=1.0, past_share=0.0)


def openings(games: GeneratedGames) -> set[int]:
    """The columns of all games' first moves, known from the positions after one ply."""
    batch = GameBatch.from_packed(games.states, game=GAME)
    found = {games.states[row].tobytes() for row in np.flatnonzero(batch.ply == 1)}
    columns = {}
    for column in range(get_game(GAME).num_actions):
        for seat in (0, 1):
            after = GameBatch(1, game=GAME, first_player=seat)
            after.step([column])
            columns[after.packed().tobytes()] = column
    return {columns[state] for state in found}


# ---------------------------------------------------------------------- what reaches workers


def test_weights_temperature_plan_and_past_reach_workers(start: Start) -> None:
    """Each iteration's games are those of the one before; so a change shows within two."""
    pool = self_play()
    generator = start(player(3), pool)
    games = generator.collect(0, player(3), pool, 1.0)
    assert openings(games) == {3} and games.results.keys() == {"self_play"}
    assert (games.stats["games"], games.stats["staleness"], games.stats["dropped_games"]) == (24, 0, 0)
    assert games.stats["games_per_second"] > 0 and games.stats["wait_share"] > 0.9
    for iteration in (1, 2):
        games = generator.collect(iteration, player(5), pool, 1.0)
        assert games.stats["staleness"] <= 1
    assert openings(games) == {5}
    flat = player()
    for iteration in (3, 4):
        games = generator.collect(iteration, flat, pool, 1.0)
    assert len(openings(games)) > 3
    for iteration in (5, 6):
        games = generator.collect(iteration, flat, pool, 0.0)
    assert len(openings(games)) == 1
    # past checkpoints, and then others in their places; each is beaten or not by its own weights
    pool.past_share, pool.self_play_share = 1.0, 0.0
    pool.add_snapshot(7, player(3))
    scores = []
    for iteration, column in ((7, 3), (8, 3), (9, None), (10, None)):
        games = generator.collect(iteration, player(column), pool, 1.0)
        scores.append(games.results.get("past_7", (0, 0, 0))[0])
    assert scores[1] == 12 > scores[3] + 3, scores  # who moves first in the middle column has four first
    for iteration in range(11, 24):
        pool.add_snapshot(iteration, player(iteration % 7))
        games = generator.collect(iteration, flat, pool, 1.0)
    assert games.results.keys() <= {f"past_{k}" for k in range(13, 24)} and len(games.results) == 10


def test_the_plan_is_followed_over_chunks(start: Start, agents: Any) -> None:
    """Also for opponents that are met less than once a chunk, and by agents given either way."""
    sources = {"object": agents.First(), "by_path": {"class_path": "my_agents.First"}}
    pool = OpponentPool(["random", "object", "by_path"], 0.7, 0.0, agents=sources)
    pool.weights = {"random": 0.4, "object": 0.1, "by_path": 0.5}
    generator = start(player(), pool, games_per_iteration=40, workers=2, parallel_games=7)
    played: Counter[str] = Counter()
    deals = set()
    for iteration in range(5):
        games = generator.collect(iteration, player(), pool, 1.0)
        assert games.stats["games"] == sum(map(sum, games.results.values())) == 42  # six chunks of seven
        played.update({name: sum(result) for name, result in games.results.items()})
        deals.add(games.states.tobytes())
    planned = {name: 5 * 42 / 40 * count for name, count in pool.plan(40).items()}
    assert played.keys() == planned.keys()
    for name, count in planned.items():
        assert abs(played[name] - count) <= 2 * 2, (name, played, planned)  # a game and a chunk under way, by worker
    assert len(deals) == 5


def test_no_two_chunks_share_a_seed() -> None:
    """Not of two workers, of two processes' workers, nor after a resume."""
    settings = GenerationSettings(simulations=0, search=SearchSettings(), parallel_games=8, threads=1)
    seeds = [
        WorkerSetup(worker, settings, b"", {}, 5, rank, start, 2, "cpu", 0, 0, 0).chunk_seed(chunk)
        for worker in range(3)
        for rank in range(3)
        for start in range(3)
        for chunk in range(3)
    ]
    assert len(seeds) == len(set(seeds)) == 81


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


def test_chunks_are_joined_by_their_seconds() -> None:
    def chunk(games: int, seconds: float, share: float) -> GeneratedGames:
        stats = {"games": games, "seconds": seconds, "games_per_second": games / seconds, "forward_share": share}
        states, policies = np.full((games, 2), games, np.uint8), np.zeros((games, 3), np.float32)
        return GeneratedGames(
            states, policies, np.ones(games, np.int8), {f"x{games}": (games, 0, 0), "y": (1, 2, 3)}, stats
        )

    joined = join_games([chunk(10, 1.0, 0.5), chunk(20, 4.0, 0.9)], workers=2)
    assert joined.results == {"x10": (10, 0, 0), "x20": (20, 0, 0), "y": (2, 4, 6)}
    assert joined.stats == pytest.approx(
        {"games": 30, "seconds": 5, "games_per_second": 2 * 30 / 5, "forward_share": (0.5 + 4 * 0.9) / 5}
    )
    assert joined.states.shape == (30, 2) and joined.policies.shape == (30, 3) and len(joined.outcomes) == 30


# ---------------------------------------------------------------------- how old games may be


class Two(NamedTuple):
    """Two workers whose chunks take long enough to be stopped in."""

    generator: AsynchronousGenerator
    network: ResidualMLP
    first_plies: list[bytes]

    def collect(self, iteration: int) -> dict[str, float]:
        games = self.generator.collect(iteration, self.network, self_play(), 1.0)
        rows = np.flatnonzero(GameBatch.from_packed(games.states).ply == 0)
        self.first_plies.extend(games.states[row].tobytes() for row in rows)
        return games.stats


@pytest.fixture(scope="module")
def two() -> Iterator[Two]:
    network = ResidualMLP("beasty_bar", width=64, blocks=2)
    settings = GenerationSettings(simulations=32, threads=1)
    options: dict[str, Any] = {"device": "cpu", "seed": 5, "rank": 0, "start_iteration": 0}
    generator = AsynchronousGenerator(
        network, self_play(), settings, games_per_iteration=64, workers=2, max_staleness=2, **options
    )
    yield Two(generator, network, [])
    generator.close()


@needs_proc
def test_workers_wait_where_the_trainer_is_behind_and_old_games_are_dropped(two: Two) -> None:
    """Workers that play on for an hour-long evaluation; games from before it that are learned from after it."""
    two.collect(0)

    def idle() -> bool:
        before = sum(map(cpu_seconds, two.generator.pids))
        time.sleep(0.3)
        # one that gets no processor on a busy machine does not compute either, but it does not sleep
        return all(map(sleeps, two.generator.pids)) and sum(map(cpu_seconds, two.generator.pids)) == before

    wait_for(idle, 120, "workers that wait")
    stats = two.collect(2)
    assert (stats["staleness"], stats["dropped_games"]) == (2, 0)
    wait_for(idle, 120, "workers that wait")
    stats = two.collect(5)
    assert stats["dropped_games"] == two.generator.games_ahead == 64
    assert stats["staleness"] == 0


@needs_proc
def test_a_slow_worker_gives_up_games_that_are_too_old(two: Two) -> None:
    first = 10
    two.collect(first)
    slow = two.generator.pids[1]
    before = cpu_seconds(slow)
    wait_for(lambda: cpu_seconds(slow) > before + 0.05, 120, "a game under way")
    os.kill(slow, signal.SIGSTOP)
    dropped, iteration = 0.0, first
    while iteration < first + 20 and not dropped:
        iteration += 1
        stats = two.collect(iteration)
        assert stats["staleness"] <= 2 and stats["games"] == 64
        dropped = stats["dropped_games"]
        if iteration == first + 4:
            os.kill(slow, signal.SIGCONT)
    assert iteration >= first + 4 and dropped == two.generator.chunk_games == 32
    # and of all games that were taken, no two were of the same deal
    assert len(two.first_plies) == len(set(two.first_plies)) >= 64 * (iteration - first + 1)


# ---------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("agent", "named"),
    [
        ("Raises", "RuntimeError: the agent is tired"),
        ("OnlyAtHome", "opponents: bad cannot be made in a worker process: .*not at home"),
    ],
)
def test_what_a_worker_raises_is_shown(start: Start, agents: Any, agent: str, named: str) -> None:
    source: dict[str, Any] = {"class_path": f"my_agents.{agent}"}
    if agent == "OnlyAtHome":
        source["init_args"] = {"pid": os.getpid()}
    pool = OpponentPool(["bad"], 0.5, 0.0, agents={"bad": source})
    generator = start(player(), pool)
    with pytest.raises(WorkerError, match=rf"(?s)^worker 0 \(pid \d+\) raised:\nTraceback.*{named}"):
        generator.collect(0, player(), pool, 1.0)


@needs_proc
def test_a_worker_without_a_sign_of_life_is_given_up(start: Start, agents: Any) -> None:
    """A trainer that waits for ever, or that cannot get rid of a worker that does not hear it."""
    pool = OpponentPool(["bad"], 0.0, 0.0, agents={"bad": agents.HoldsPython()})
    generator = start(player(), pool, timeout=3.0)
    (pid,) = generator.pids
    with pytest.raises(WorkerError, match=r"^worker 0 \(pid \d+\) has given no sign of life for 3 s \(data\.worker_ti"):
        generator.collect(0, player(), pool, 1.0)
    assert alive(pid)
    started = time.monotonic()
    generator.close()
    assert not alive(pid) and time.monotonic() - started < 10


def test_an_import_that_fails_is_shown(start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A worker that dies before it can say anything itself."""
    (tmp_path / "torch.py").write_text("raise ImportError('a broken torch')")
    monkeypatch.syspath_prepend(str(tmp_path))
    generator = start(player(), self_play())
    with pytest.raises(WorkerError, match=r"(?s)^worker 0 .*ended with exit status 1.*a broken torch"):
        generator.collect(0, player(), self_play(), 1.0)


def test_agents_that_cannot_be_sent_are_refused_by_name(agents: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"^agents: mine \(Locked\) cannot be sent .*class_path"):
        SelfPlayDataModule(GAME, OpponentPool(["mine"], agents={"mine": agents.Locked()}), workers=WorkerSettings())
    assert pickle.loads(pickled({"mine": PythonOpponent("mine", {"class_path": "my_agents.Locked"})})["mine"])
    monkeypatch.setattr(agents.First, "__module__", "__main__")
    with pytest.raises(ValueError, match=r"^agents: mine is a __main__\.First.*into a module"):
        pickled({"mine": PythonOpponent("mine", agents.First())})
    with pytest.raises(ValueError, match=r"^agents: mine is a __main__\.First.*into a module"):
        pickled({"mine": PythonOpponent("mine", {"class_path": "my_agents.First"})})


def test_a_network_that_cannot_be_made_again_is_refused(start: Start) -> None:
    class Local(ResidualMLP):
        pass

    with pytest.raises(ValueError, match=r"^network: .*Local cannot be made in worker processes"):
        start(Local(GAME, width=8, blocks=0), self_play())


def test_settings_are_checked_and_the_device_follows_the_trainer() -> None:
    for name, value in (("count", 0), ("max_staleness", 0), ("device", "gpu")):
        with pytest.raises(ValueError, match=rf"^workers\.{name}: {value!r} given"):
            WorkerSettings(**{name: value})  # type: ignore[arg-type]
    assert worker_device("cuda:1", torch.device("cpu")) == "cuda:1"
    assert worker_device("auto", torch.device("cpu")) == "cpu"
