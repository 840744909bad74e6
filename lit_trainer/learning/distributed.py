"""Brings together what the processes of a run hold: replay windows for a checkpoint, statistics for the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor

from lit_trainer.self_play.stats import SelfPlayStats

_PIECE = 1 << 23
"""Bytes that each process sends at a time. The first process holds this number once per process."""


def messages_device(device: torch.device) -> torch.device:
    """Returns the device of tensors that processes send each other: the strategy's for NCCL, else the CPU."""
    return device if dist.get_backend() == "nccl" else torch.device("cpu")


def gather_windows(window: Mapping[str, Any], device: torch.device) -> dict[int, dict[str, Any]] | None:
    """Returns the replay windows of all processes by rank. All processes must call it, and only the first gets them.

    Args:
        window: Window of this process, as `ReplayWindow.state_dict` returns it: tensors and plain values.
        device: Device of the strategy. Windows travel through it where processes use NCCL, which sends only from there.

    Returns:
        Rank to window in the first process, None in the others.
    """
    device = messages_device(device)
    rank, world = dist.get_rank(), dist.get_world_size()
    mine = {key: value.contiguous() for key, value in window.items() if isinstance(value, Tensor)}
    layout = {key: (tuple(value.shape), value.dtype) for key, value in mine.items()}
    heads: list[Any] = [None] * world
    dist.all_gather_object(heads, (layout, {key: value for key, value in window.items() if key not in mine}))
    sent = _as_bytes(mine.values())
    sizes = [sum(_nbytes(*entry) for entry in layout.values()) for layout, _ in heads]
    received = [torch.empty(size, dtype=torch.uint8) for size in sizes] if rank == 0 else []
    for start in range(0, max(sizes), _PIECE):
        piece = torch.zeros(min(_PIECE, max(sizes) - start), dtype=torch.uint8)
        part = sent[start : start + len(piece)]
        piece[: len(part)] = part
        piece = piece.to(device)
        pieces = [torch.empty_like(piece) for _ in range(world)] if rank == 0 else None
        dist.gather(piece, pieces, dst=0)
        for target, arrived in zip(received, pieces or [], strict=True):
            place = target[start : start + len(piece)]
            place.copy_(arrived[: len(place)])
    if rank != 0:
        return None
    return {k: _from_bytes(received[k], layout) | values for k, (layout, values) in enumerate(heads)}


def windows_to_save(window: dict[str, Any], world: int, device: torch.device | None) -> dict[str, Any]:
    """Returns what a checkpoint holds of the replay windows. All processes must call it.

    Lightning writes what the first process returns, so the others return nothing.

    Args:
        window: Window of this process, as `ReplayWindow.state_dict` returns it.
        world: Number of processes.
        device: Device of the strategy, needed only with several processes.
    """
    if world == 1:
        return {"replay": window}
    assert device is not None
    windows = gather_windows(window, device)
    return {} if windows is None else {"replay": windows.pop(0), "replay_of_rank": windows}


def _nbytes(shape: tuple[int, ...], dtype: torch.dtype) -> int:
    return int(np.prod(shape, dtype=np.int64)) * dtype.itemsize


def _as_bytes(tensors: Any) -> Tensor:
    return torch.cat([tensor.flatten().view(torch.uint8) for tensor in tensors])


def _from_bytes(data: Tensor, layout: Mapping[str, tuple[tuple[int, ...], torch.dtype]]) -> dict[str, Any]:
    tensors, start = {}, 0
    for key, (shape, dtype) in layout.items():
        size = _nbytes(shape, dtype)
        # a copy: a view would be saved with all of the bytes, and wider numbers must start at their own alignment
        tensors[key] = data[start : start + size].clone().view(dtype).reshape(shape)
        start += size
    return tensors


def share_out_windows(windows: Sequence[Mapping[str, Any]], rank: int, world: int) -> dict[str, Any]:
    """Returns one process's share of windows that another number of processes saved.

    The positions of all windows are ordered by their distance from their window's newest position and dealt out in
    turn. So each process gets the same number of every age, within one, and no position is lost or doubled.

    Args:
        windows: Windows by rank of the run that saved them, as `ReplayWindow.state_dict` returns them.
        rank: Number of the process that asks.
        world: Number of processes that share the windows.
    """
    counts = [len(window["outcomes"]) for window in windows]
    distance = np.concatenate([np.arange(count)[::-1] for count in counts])
    owner = np.repeat(np.arange(len(counts)), counts)
    row = np.concatenate([np.arange(count) for count in counts])
    mine = np.lexsort((owner, -distance))[rank::world]  # oldest first
    part: dict[str, Any] = dict(windows[0]) | {"added": len(mine)}
    for key, value in windows[0].items():
        if isinstance(value, Tensor):
            part[key] = torch.empty((len(mine), *value.shape[1:]), dtype=value.dtype)
            for k, window in enumerate(windows):
                here = owner[mine] == k
                part[key][torch.from_numpy(here)] = window[key][torch.from_numpy(row[mine][here])]
    return part


def own_window(windows: Sequence[Mapping[str, Any]], rank: int, world: int) -> Mapping[str, Any]:
    """Returns this process's window, or its share where another number of processes saved them, and says so.

    Args:
        windows: Windows by rank of the run that saved them, as `ReplayWindow.state_dict` returns them.
        rank: Number of this process.
        world: Number of processes of this run.
    """
    if "margins" not in windows[0]:
        rank_zero_info(
            "The checkpoint's replay window is from before margins were kept: its positions teach none "
            "(`margin_coef`) until new ones have taken their place."
        )
    if len(windows) == world:
        return windows[rank]
    rank_zero_info(
        f"The checkpoint holds the replay windows of {len(windows)} process(es), this run has {world}: "
        f"their {sum(len(window['outcomes']) for window in windows)} positions are shared out anew."
    )
    return share_out_windows(windows, rank, world)


def gather_stats(stats: SelfPlayStats) -> SelfPlayStats:
    """Returns the statistics of all processes' games, the same on each process. All must call it.

    Args:
        stats: Statistics of this process's games.
    """
    gathered: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(gathered, stats)
    return sum(gathered, SelfPlayStats())
