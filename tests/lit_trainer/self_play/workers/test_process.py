"""The worker process: it plays exactly what its settings, seed and weights say, gives old games up, and ends."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Pipe
from typing import Any

import numpy as np
import pytest
from support.process_tools import alive, needs_proc, wait_for
from support.worker_games import player, self_play

from lit_trainer import OpponentPool, ResidualMLP
from lit_trainer.players.apportionment import Apportionment
from lit_trainer.players.roster import pickled
from lit_trainer.self_play.generator import play_games
from lit_trainer.self_play.settings import GenerationSettings
from lit_trainer.self_play.workers.messages import Abandoned, Chunk, Order, WorkerSetup, pickled_network
from lit_trainer.self_play.workers.pool import WorkerPool
from lit_trainer.self_play.workers.process import Line, _ChunkPlayer
from lit_trainer.self_play.workers.shared_state import SharedState
from sim_core import SearchSettings

pytestmark = pytest.mark.timeout(120)

SETTINGS = GenerationSettings(
    games=24,
    simulations=3,
    search=SearchSettings(root_selection="gumbel", policy_target="completed_q", c_scale=0.5),
    value_target="endgame",
    parallel_games=5,
    threads=1,
)


def a_setup(network: ResidualMLP, pool: OpponentPool, shared: SharedState, **changes: Any) -> WorkerSetup:
    setup = WorkerSetup(
        worker=1,
        network=pickled_network(network),
        opponents=pickled({name: pool.roster[name] for name in pool.opponents}),
        seed=5,
        rank=2,
        start_iteration=3,
        max_staleness=2,
        device="cpu",
        max_past=pool.max_past,
        shared_fd=os.dup(shared.fd),
        trainer_pid=os.getpid(),
        owed={},
    )
    return replace(setup, **changes)


def test_a_worker_plays_what_the_same_settings_play_here(make_network: Callable[..., ResidualMLP]) -> None:
    """Fails if a setting does not reach the worker, or weights and past are not exact there."""
    network, past = make_network(1), make_network(2)
    pool = OpponentPool(["random", "heuristic"], 0.4, 0.2)
    pool.add_snapshot(7, past)
    shared = SharedState(network, pool.max_past)
    setup = a_setup(network, pool, shared)
    shared.publish(9, network, 0.7, pool.shares(), pool.past)
    worker = _ChunkPlayer(setup)
    apportionment = Apportionment()
    for chunk in range(2):
        played = worker.play(Order(SETTINGS, 12))
        assert isinstance(played, Chunk) and played.version == 9
        plan = apportionment.next(12, pool.shares())
        here = play_games(
            SETTINGS,
            network.eval(),
            plan,
            temperature=0.7,
            seed=setup.chunk_seed(chunk),
            opponents=pool.players_of(plan, network, 0.7),
            player=setup.player,
        )
        for name in ("states", "policies", "outcomes", "margins", "values"):
            assert np.array_equal(getattr(played.games, name), getattr(here, name)), name
        assert played.games.results == here.results and len(here.results) == 4
        assert played.games.stats.seconds_of.keys() == {"rank 2, worker 1"}
    worker.shared.close()
    shared.close()


def test_settings_that_differ_play_other_games(make_network: Callable[..., ResidualMLP]) -> None:
    """Fails if the settings of the test above change no games, so that it could not see one that is lost."""
    network, pool = make_network(1), OpponentPool(["random"], 0.0, 0.0)
    shared = SharedState(network, pool.max_past)
    shared.publish(9, network, 1.0, pool.shares(), {})

    def played(settings: GenerationSettings) -> Any:
        worker = _ChunkPlayer(a_setup(network, pool, shared))
        chunk = worker.play(Order(settings, 24))
        worker.shared.close()
        assert isinstance(chunk, Chunk)
        return chunk.games

    plain = played(SETTINGS)
    assert not np.array_equal(played(replace(SETTINGS, value_target="outcome")).outcomes, plain.outcomes)
    assert not np.array_equal(played(replace(SETTINGS, search=SearchSettings())).policies, plain.policies)
    assert played(replace(SETTINGS, simulations=6)).stats.simulations > plain.stats.simulations
    shared.close()


def test_a_chunk_is_given_up_once_its_weights_are_too_old() -> None:
    """Fails if a chunk that would be dropped anyway is played to its end."""
    network, pool = player(), OpponentPool(["random"], 0.95, 0.0)
    shared = SharedState(network, pool.max_past)
    shared.publish(4, network, 1.0, pool.shares(), {})
    worker = _ChunkPlayer(a_setup(network, pool, shared, max_staleness=2))
    read = worker.shared.read

    def read_and_fall_behind(*arguments: Any) -> Any:
        found = read(*arguments)
        shared.publish(behind, network, 1.0, pool.shares(), {})
        return found

    worker.shared.read = read_and_fall_behind  # type: ignore[method-assign]
    behind = 6
    assert isinstance(worker.play(Order(SETTINGS, 12)), Chunk), "two iterations behind are allowed"
    behind = 9
    owed = worker.apportionment.owed
    assert worker.play(Order(SETTINGS, 12)) == Abandoned(6, 12)
    assert worker.apportionment.owed == owed, "games that were given up count for nobody"
    worker.shared.close()
    shared.close()


def test_two_threads_share_the_line() -> None:
    """Fails if one thread's message gets into the middle of another's."""
    from threading import Thread

    ours, theirs = Pipe()
    line = Line(theirs)
    big = [bytes([k]) * 300_000 for k in range(4)]
    threads = [Thread(target=lambda data=data: [line.send(data) for _ in range(5)]) for data in big]
    for thread in threads:
        thread.start()
    received = [ours.recv() for _ in range(20)]
    for thread in threads:
        thread.join()
    assert sorted(received) == sorted(big * 5)


@needs_proc
def test_a_worker_ends_where_its_trainer_is_another_process() -> None:
    """Fails if a worker outlives its trainer. Here its parent is another process from the start."""
    network, pool = player(), self_play()
    shared = SharedState(network, pool.max_past)
    setup = a_setup(network, pool, shared, worker=0, trainer_pid=1)
    workers = WorkerPool([setup], shared.close)
    (pid,) = workers.pids
    wait_for(lambda: not alive(pid), 60, "the worker's end")
    workers.close()


def test_a_setup_can_be_sent(make_network: Callable[..., ResidualMLP]) -> None:
    network, pool = make_network(1), OpponentPool(["random"])
    shared = SharedState(network, pool.max_past)
    setup = a_setup(network, pool, shared)
    assert pickle.loads(pickle.dumps(setup)) == setup
    os.close(setup.shared_fd)
    shared.close()
