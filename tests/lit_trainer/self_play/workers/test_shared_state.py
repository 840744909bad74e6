"""Memory that trainer and workers share: exact, never torn, and nothing of it stays behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from lit_trainer import OpponentPool, ResidualMLP
from lit_trainer.self_play.workers.shared_state import SharedState

SHARES = {"self_play": 0.6, "random": 0.4}


class Counting(ResidualMLP):
    """Has a buffer of whole numbers beside its weights."""

    def __init__(self, width: int = 24) -> None:
        super().__init__("beasty_bar", width=width, blocks=1)
        self.register_buffer("count", torch.tensor([2**40, 7]))


@pytest.fixture
def shared() -> Iterator[SharedState]:
    state = SharedState(Counting(), max_past=2)
    yield state
    state.close()


def test_what_is_published_is_what_is_read(shared: SharedState) -> None:
    """A tensor at the wrong place, of the wrong type, or rounded."""
    trainer, worker = Counting(), Counting()
    assert shared.version == -1
    shared.publish(7, trainer, 0.1, SHARES, {})
    published = SharedState(worker, 2, os.dup(shared.fd)).read(worker)
    assert (published.version, published.temperature, published.shares) == (7, 0.1, SHARES)
    assert (published.past, published.new_past) == (frozenset(), {})
    for key, value in trainer.state_dict().items():
        assert torch.equal(worker.state_dict()[key], value), key


def test_past_checkpoints_come_once_and_their_places_are_used_again(shared: SharedState) -> None:
    pool, network = OpponentPool(["random"], max_past=2), Counting()
    known: set[int] = set()
    for iteration, kept, new in ((1, {1}, {1}), (2, {1, 2}, {2}), (3, {2, 3}, {3}), (4, {3, 4}, {4})):
        with torch.no_grad():
            network.stem.weight.fill_(iteration)
        pool.add_snapshot(iteration, network)
        shared.publish(iteration, network, 1.0, SHARES, pool.past)
        published = shared.read(network, known)
        assert (published.past, set(published.new_past)) == (kept, new)
        known = set(published.past)
        everything = shared.read(network)
        for past, weights in everything.new_past.items():
            for key, value in pool.past[past].items():
                assert weights[key].dtype == value.dtype and torch.equal(weights[key], value), (past, key)


def test_what_does_not_fit_is_refused(shared: SharedState) -> None:
    with pytest.raises(ValueError, match=r"^network: .*config"):
        SharedState(Counting(width=32), 2, os.dup(shared.fd))
    with pytest.raises(ValueError, match=r"^past: 3 .*at most 2"):
        shared.publish(1, Counting(), 1.0, SHARES, {key: {} for key in (1, 2, 3)})
    with pytest.raises(ValueError, match=r"^opponents: "):
        shared.publish(1, Counting(), 1.0, {"x" * 70_000: 1}, {})
    assert shared.version == -1


READER = """
import sys, time
import torch
from lit_trainer import ResidualMLP
from lit_trainer.self_play.workers.shared_state import SharedState
network = ResidualMLP(width=512, blocks=4)
shared = SharedState(network, 1, int(sys.argv[1]))
print("ready", flush=True)
seen = set()
while (read := shared.read(network)).version < 10**6:
    parts = [*network.state_dict().values(), *(w for past in read.new_past.values() for w in past.values())]
    found = {value for part in parts for value in (part.min().item(), part.max().item())}
    found |= {read.temperature, float(read.shares["random"]), *map(float, read.past)}
    assert found == {float(read.version)}, (read.version, found)
    seen.add(read.version)
print(len(seen))
"""


def test_no_reader_sees_half_of_an_update() -> None:
    """Fails if a reader sees a half-written update: each one consists of a single number."""
    network = ResidualMLP(width=512, blocks=4)
    shared = SharedState(network, 1)

    def publish(version: int, number: int) -> None:
        with torch.no_grad():
            for value in network.state_dict().values():
                value.fill_(number)
        past = {number: {key: value.half() for key, value in network.state_dict().items()}}
        shared.publish(version, network, float(number), {"random": number}, past)

    publish(1, 1)
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(shared.fd)],
            pass_fds=[shared.fd],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
        )
        for _ in range(2)
    ]
    try:
        for reader in readers:
            assert reader.stdout is not None and reader.stdout.readline() == "ready\n"
        end = time.monotonic() + 2.0
        number = 1
        while time.monotonic() < end:
            number = number % 2000 + 1  # whole numbers that half precision holds
            publish(number, number)
        publish(10**6, number)
        for reader in readers:
            seen, _ = reader.communicate(timeout=30)
            assert reader.returncode == 0 and int(seen) > 3, seen
    finally:
        for reader in readers:
            reader.kill()
            reader.wait()
        shared.close()


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="has no /dev/shm")
def test_the_memory_has_no_name_that_could_stay_behind(shared: SharedState) -> None:
    shared.publish(1, Counting(), 1.0, SHARES, {})
    mine = [path for path in Path("/dev/shm").iterdir() if path.stat().st_ino == os.fstat(shared.fd).st_ino]
    assert mine == []
