"""What trainer and workers send each other: seeds and names that no two workers share, and what can be sent at all."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import pytest

from lit_trainer import ResidualMLP
from lit_trainer.self_play.workers.messages import WorkerSetup, pickled_network


def setup(**changes: Any) -> WorkerSetup:
    plain = WorkerSetup(0, b"", {}, 5, 0, 0, 2, "cpu", 0, 0, 0, {})
    return dataclasses.replace(plain, **changes)


def test_no_two_chunks_share_a_seed() -> None:
    """Fails if two workers, two processes' workers, or runs before and after a resume share a seed."""
    seeds = [
        setup(worker=worker, rank=rank, start_iteration=start).chunk_seed(chunk)
        for worker in range(3)
        for rank in range(3)
        for start in range(3)
        for chunk in range(3)
    ]
    assert len(seeds) == len(set(seeds)) == 81


def test_no_two_workers_share_a_name() -> None:
    """Fails if two workers share a name, by which statistics count players."""
    names = {setup(worker=worker, rank=rank).player for worker in range(12) for rank in range(12)}
    assert len(names) == 144 and "rank 0" not in names


def test_a_network_is_made_again_from_its_class_and_config() -> None:
    network = ResidualMLP("connect_four", width=8, blocks=1)
    network_class, config = pickle.loads(pickled_network(network))
    again = network_class(**config)
    assert type(again) is ResidualMLP
    assert {key: value.shape for key, value in again.state_dict().items()} == {
        key: value.shape for key, value in network.state_dict().items()
    }


def test_a_network_that_cannot_be_made_again_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Local(ResidualMLP):
        pass

    local = Local("connect_four", width=8, blocks=0)
    with pytest.raises(ValueError, match=r"^network: .*Local cannot be made in worker processes"):
        pickled_network(local)
    monkeypatch.setattr(Local, "__module__", "__main__")
    with pytest.raises(ValueError, match=r"^network: __main__\..*Local cannot be made .* move the class into a module"):
        pickled_network(local)
