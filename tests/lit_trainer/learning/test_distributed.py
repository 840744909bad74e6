"""What processes put together: replay windows and statistics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from lit_trainer.learning import distributed as processes
from lit_trainer.learning.replay import ReplayWindow


def window(count: int, owner: int, added: int | None = None) -> dict[str, Any]:
    """Returns a saved window whose rows name their process and the number of newer rows."""
    state = ReplayWindow(1).state_dict()
    size, actions = state["states"].shape[1], state["policies"].shape[1]
    states = torch.zeros((count, size), dtype=torch.uint8)
    states[:, 0], states[:, 1] = owner, torch.arange(count - 1, -1, -1)
    return state | {
        "states": states,
        "policies": states[:, :1].to(torch.int16).expand(count, actions).contiguous() * 1000 - 500,
        "outcomes": states[:, 0].to(torch.int8) - 1,
        "margins": states[:, 1].to(torch.int16) * 300 - owner,
        "values": states[:, 1].to(torch.int16) * 200 + owner,
        "added": count if added is None else added,
    }


@pytest.mark.parametrize(("counts", "world"), [((7, 7), 1), ((7, 7), 3), ((9, 4, 6), 2), ((5,), 4), ((1, 0), 2)])
def test_windows_are_shared_out_whole_and_evenly(counts: tuple[int, ...], world: int) -> None:
    """Rows lost, doubled or torn from their policies, or one process that gets the old and another the new."""
    windows = [window(count, owner, 100) for owner, count in enumerate(counts)]
    parts = [processes.share_out_windows(windows, rank, world) for rank in range(world)]
    rows = [tuple(row[:2].tolist()) for part in parts for row in part["states"]]
    assert sorted(rows) == sorted((k, age) for k, count in enumerate(counts) for age in range(count))
    assert max(len(part["outcomes"]) for part in parts) - min(len(part["outcomes"]) for part in parts) <= 1
    for part in parts:
        ages = part["states"][:, 1].int()
        assert (ages.diff() <= 0).all(), "the oldest come first"
        assert torch.equal(part["policies"][:, 0].int(), part["states"][:, 0].int() * 1000 - 500)
        assert torch.equal(part["outcomes"].int(), part["states"][:, 0].int() - 1)
        assert torch.equal(part["margins"].int(), part["states"][:, 1].int() * 300 - part["states"][:, 0].int())
        assert torch.equal(part["values"].int(), part["states"][:, 1].int() * 200 + part["states"][:, 0].int())
        loaded = ReplayWindow(4)
        loaded.load_state_dict(part)
        kept = min(4, len(ages))
        assert torch.equal(loaded.state_dict()["states"], part["states"][len(ages) - kept :])
    for age in range(max(counts)):
        each = [int((part["states"][:, 1] == age).sum()) for part in parts]
        assert max(each) - min(each) <= 1, age


def _gather(rank: int, world: int, folder: str) -> None:
    processes._PIECE = 1000
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world)
    gathered = processes.gather_windows(window((37, 0, 101)[rank], rank, 1000 + rank), torch.device("cpu"))
    torch.save(gathered, f"{folder}/gathered{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_windows_of_three_processes_arrive_on_the_first(tmp_path: Path) -> None:
    """Fails if lengths that differ, are odd or zero, or need several pieces break a window, or waste bytes."""
    mp.start_processes(_gather, (3, str(tmp_path)), nprocs=3, start_method="spawn")
    gathered = [torch.load(tmp_path / f"gathered{rank}.pt", weights_only=True) for rank in range(3)]
    assert gathered[1] is None and gathered[2] is None
    assert list(gathered[0]) == [0, 1, 2]
    for rank, count in enumerate((37, 0, 101)):
        expected = window(count, rank, 1000 + rank)
        assert gathered[0][rank].keys() == expected.keys()
        for key, value in expected.items():
            got = gathered[0][rank][key]
            same = torch.equal(got, value) if isinstance(value, torch.Tensor) else got == value
            assert same and type(got) is type(value), (rank, key)
    saved = (tmp_path / "gathered0.pt").stat().st_size
    assert saved < 138 * 111 + 10_000, "each window's bytes once"
