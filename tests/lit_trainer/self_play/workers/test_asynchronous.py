"""Generation by workers: what reaches them, how old their games may be, and what cannot be sent."""

from __future__ import annotations

import dataclasses
import os
import pickle
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from support.process_tools import alive, cpu_seconds, needs_proc, sleeps, wait_for
from support.worker_games import GAME, Driven, openings, player, self_play

from lit_trainer import OpponentPool, ResidualMLP, SelfPlayDataModule, WorkerSettings
from lit_trainer.players.python_player import PythonOpponent
from lit_trainer.players.roster import pickled
from lit_trainer.self_play.stats import SelfPlayStats
from sim_core import GameBatch

pytestmark = pytest.mark.timeout(120)
Start = Callable[..., Driven]

# ---------------------------------------------------------------------- what reaches workers


def test_weights_temperature_plan_and_past_reach_workers(start: Start) -> None:
    """Fails if a change does not reach workers within two iterations: games are ordered one iteration ahead."""
    pool = self_play()
    driven = start(player(3), pool)
    games = driven.collect(0)
    assert openings(games) == {3} and games.results.keys() == {"self_play"}
    stats = games.stats
    assert (stats.games, stats.staleness, stats.dropped_games) == (24, 0, 0)
    assert stats.to_log()["games_per_second"] > 0 and stats.wait_share > 0.9
    assert stats.seconds_of.keys() == {"rank 0, worker 0"}
    for iteration in (1, 2):
        games = driven.collect(iteration, player(5))
        assert games.stats.staleness <= 1
    assert openings(games) == {5}
    flat = player()
    for iteration in (3, 4):
        games = driven.collect(iteration, flat)
    assert len(openings(games)) > 3
    for iteration in (5, 6):
        games = driven.collect(iteration, flat, temperature=0.0)
    assert len(openings(games)) == 1
    # past checkpoints, and then others in their places; each is beaten or not by its own weights
    pool.past_share, pool.self_play_share = 1.0, 0.0
    pool.add_snapshot(7, player(3))
    scores = []
    for iteration, column in ((7, 3), (8, 3), (9, None), (10, None)):
        games = driven.collect(iteration, player(column))
        scores.append(games.results.get("past_7", (0, 0, 0))[0])
    assert scores[1] == 12 > scores[3] + 3, scores  # who moves first in the middle column has four first
    for iteration in range(11, 24):
        pool.add_snapshot(iteration, player(iteration % 7))
        games = driven.collect(iteration, flat)
    assert games.results.keys() <= {f"past_{k}" for k in range(13, 24)} and len(games.results) == 10


def test_changed_settings_reach_running_workers(start: Start) -> None:
    """A schedule of the settings without an effect, or one that starts workers again."""
    driven = start(player(), self_play(), count=2)
    iterations = iter(range(50))

    def settled(games: int, searched: bool) -> bool:
        """Returns whether games follow the newest settings, once those ordered before have been taken."""
        for iteration in iterations:
            found = driven.collect(iteration)
            assert found.stats.games >= games and found.stats.staleness <= 2
            if found.stats.games == games and (found.policies.any(axis=1) == searched).all():
                return True
        return False

    assert settled(24, searched=False) and driven.generator.games_ahead == 24
    pids = driven.generator.pids
    driven.settings = dataclasses.replace(driven.settings, games=72, simulations=2, parallel_games=9)
    assert settled(72, searched=True)
    assert (driven.generator.chunk_games, driven.generator.games_ahead) == (9, 72)
    driven.settings = dataclasses.replace(driven.settings, games=6, simulations=0)
    assert settled(6, searched=False)
    assert driven.generator.pids == pids


def test_the_plan_is_followed_over_chunks(start: Start, agents: Any) -> None:
    """Fails if opponents met less than once per chunk, or agents given either way, do not get their games."""
    sources = {"object": agents.First(), "by_path": {"class_path": "my_agents.First"}}
    pool = OpponentPool(["random", "object", "by_path"], 0.7, 0.0, agents=sources)
    pool.weights = {"random": 0.4, "object": 0.1, "by_path": 0.5}
    driven = start(player(), pool, games=40, count=2, parallel_games=7)
    played: Counter[str] = Counter()
    deals = set()
    for iteration in range(5):
        games = driven.collect(iteration)
        assert games.stats.games == sum(map(sum, games.results.values())) == 42  # six chunks of seven
        played.update({name: sum(result) for name, result in games.results.items()})
        deals.add(games.states.tobytes())
    planned = {name: 5 * 42 * share for name, share in pool.shares().items()}
    assert played.keys() == planned.keys()
    for name, count in planned.items():
        assert abs(played[name] - count) <= 2 * 2, (name, played, planned)  # a game and a chunk under way, by worker
    assert len(deals) == 5
    # what the workers still owe is what the pool would save, but for games under way
    owed = pool.apportionment.owed
    assert owed.keys() == planned.keys() and abs(sum(owed.values())) < 1e-6
    assert all(abs(due) <= 2 for due in owed.values()) and any(owed.values())


def test_workers_share_what_the_pool_owes_at_their_start(start: Start) -> None:
    """Else each resume would take a rare opponent's games from it, or each worker would make up for all of them."""
    pool = OpponentPool(["random"], 0.98, 0.0)
    pool.apportionment.owed = {"self_play": -6.0, "random": 6.0}
    driven = start(player(), pool, games=8, count=2, max_staleness=1000)
    played = iteration = 0
    workers: set[str] = set()
    while len(workers) < 2:
        games = driven.collect(iteration)
        played += sum(games.results.get("random", ()))
        workers |= games.stats.seconds_of.keys()
        iteration += 1
    total = 8 * iteration
    assert 6 + 0.02 * total - 2 <= played <= 6 + 0.02 * total + 2


def test_closed_workers_are_gone_and_new_ones_start(start: Start) -> None:
    """A second fit with one data module; `check` and `close` where nothing runs."""
    driven = start(player(3), self_play())
    generator = driven.generator
    generator.check()
    generator.close()
    assert generator.pids == []
    first = driven.collect(0)
    (pid,) = generator.pids
    generator.check()
    generator.close()
    assert generator.pids == [] and not alive(pid)
    again = driven.collect(4, player(5))
    assert openings(first) == {3} and openings(again) == {5}
    assert again.stats.staleness == 0 and again.stats.games == 24


# ---------------------------------------------------------------------- how old games may be


class Two(NamedTuple):
    """Runs two workers whose chunks take long enough to be stopped in."""

    driven: Driven
    first_plies: list[bytes]

    def collect(self, iteration: int) -> SelfPlayStats:
        games = self.driven.collect(iteration)
        rows = np.flatnonzero(GameBatch.from_packed(games.states).ply == 0)
        self.first_plies.extend(games.states[row].tobytes() for row in rows)
        return games.stats


@pytest.fixture(scope="module")
def two() -> Iterator[Two]:
    network = ResidualMLP("beasty_bar", width=64, blocks=2)
    driven = Driven(network, self_play(), games=64, simulations=32, count=2, max_staleness=2)
    yield Two(driven, [])
    driven.generator.close()


@needs_proc
def test_workers_wait_where_the_trainer_is_behind_and_old_games_are_dropped(two: Two) -> None:
    """Workers that play on for an hour-long evaluation; games from before it that are learned from after it."""
    two.collect(0)
    generator = two.driven.generator

    def idle() -> bool:
        before = sum(map(cpu_seconds, generator.pids))
        time.sleep(0.3)
        # one that gets no processor on a busy machine does not compute either, but it does not sleep
        return all(map(sleeps, generator.pids)) and sum(map(cpu_seconds, generator.pids)) == before

    wait_for(idle, 120, "workers that wait")
    stats = two.collect(2)
    assert (stats.staleness, stats.dropped_games) == (2, 0)
    wait_for(idle, 120, "workers that wait")
    stats = two.collect(5)
    assert stats.dropped_games == generator.games_ahead == 64
    assert stats.staleness == 0


@needs_proc
def test_a_slow_worker_gives_up_games_that_are_too_old(two: Two) -> None:
    first = 10
    two.collect(first)
    slow = two.driven.generator.pids[1]
    before = cpu_seconds(slow)
    wait_for(lambda: cpu_seconds(slow) > before + 0.05, 120, "a game under way")
    os.kill(slow, signal.SIGSTOP)
    dropped, iteration = 0, first
    while iteration < first + 20 and not dropped:
        iteration += 1
        stats = two.collect(iteration)
        assert stats.staleness <= 2 and stats.games == 64
        dropped = stats.dropped_games
        if iteration == first + 4:
            os.kill(slow, signal.SIGCONT)
    assert iteration >= first + 4 and dropped == two.driven.generator.chunk_games == 32
    # and of all games that were taken, no two were of the same deal
    assert len(two.first_plies) == len(set(two.first_plies)) >= 64 * (iteration - first + 1)


# ---------------------------------------------------------------------- what cannot be sent


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
    """Fails if the network is refused only after workers have been started."""

    class Local(ResidualMLP):
        pass

    with pytest.raises(ValueError, match=r"^network: .*Local cannot be made in worker processes"):
        start(Local(GAME, width=8, blocks=0), self_play())


def test_a_network_whose_config_forgets_an_argument_is_named(start: Start) -> None:
    """Fails if a worker can play with a network of another size."""
    network = ResidualMLP(GAME, width=8, blocks=0)
    network.stem = torch.nn.Linear(network.observation_size, 8, bias=False)
    driven = start(network, self_play())
    with pytest.raises(
        RuntimeError, match=r"(?s)ValueError: network: ResidualMLP made from its `config` takes \d+ bytes"
    ):
        driven.collect(0)
