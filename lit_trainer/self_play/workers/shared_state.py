"""What workers need of the trainer, in memory that they share: weights, temperature, plan and past checkpoints.

The memory belongs to a file without a name, so that the system frees it with the last process that holds it, however
that process ends. A POSIX record lock keeps readers and the writer apart; the system releases it where its holder dies.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from lit_trainer.networks.base import PolicyValueNetwork

_HEADER = 64
"""Bytes before the plan: version and length of the plan's text, each int64."""
_TEXT = 1 << 16
"""Bytes kept for temperature, plan and the past checkpoints' places."""
_ALIGN = 64
_PATIENCE = 30.0
"""Seconds to wait for the lock, which is held for milliseconds."""


@dataclass(frozen=True)
class Published:
    """What the trainer published at one time."""

    version: int
    """The iteration at whose start it was published."""
    temperature: float
    plan: dict[str, int]
    """Opponent to games an iteration."""
    past: frozenset[int]
    """Iterations of the past checkpoints there are."""
    new_past: dict[int, dict[str, Tensor]]
    """Half-precision weights of those that the reader did not know."""


class _Layout:
    """Where each tensor of a state dict lies, from an offset on; floating-point ones are kept as `dtype`."""

    def __init__(self, state: Mapping[str, Tensor], dtype: torch.dtype) -> None:
        self.entries: list[tuple[str, int, torch.dtype, torch.Size]] = []
        self.nbytes = 0
        for key, value in state.items():
            kept = dtype if value.is_floating_point() else value.dtype
            self.entries.append((key, self.nbytes, kept, value.shape))
            self.nbytes += -(-value.numel() * kept.itemsize // _ALIGN) * _ALIGN

    def views(self, memory: Tensor, start: int) -> dict[str, Tensor]:
        """The tensors themselves, over the memory."""
        return {
            key: memory[start + at : start + at + shape.numel() * dtype.itemsize].view(dtype).view(shape)
            for key, at, dtype, shape in self.entries
        }


def _nameless_file(size: int) -> int:
    """A descriptor of memory that no name leads to."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("lit-alphazero")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, size)
    return fd


class SharedState:
    """One writer, the trainer, and any number of readers, its workers.

    Args:
        network: gives the shapes of the weights; its values are not used.
        max_past: past checkpoints there may be at once.
        fd: descriptor of memory that another process made with an equal network and `max_past`; None makes it.

    Raises:
        ValueError: the memory of `fd` is of another network.
    """

    def __init__(self, network: PolicyValueNetwork, max_past: int, fd: int | None = None) -> None:
        weights = network.state_dict()
        full, half = _Layout(weights, torch.float32), _Layout(weights, torch.float16)
        size = _HEADER + _TEXT + full.nbytes + max_past * half.nbytes
        self.fd = _nameless_file(size) if fd is None else fd
        if (found := os.fstat(self.fd).st_size) != size:
            raise ValueError(
                f"network: {type(network).__name__} made from its `config` takes {size} bytes to share, the trainer's "
                f"{found}; expected every argument that shapes the weights to be in `config`"
            )
        self._map = mmap.mmap(self.fd, size)
        memory = torch.frombuffer(self._map, dtype=torch.uint8)
        self._numbers = memory[:16].view(torch.int64)
        self._weights = full.views(memory, _HEADER + _TEXT)
        first = _HEADER + _TEXT + full.nbytes
        self._past = [half.views(memory, first + k * half.nbytes) for k in range(max_past)]
        self._places: dict[int, int] = {}
        if fd is None:
            self._numbers[0] = -1

    @contextmanager
    def _lock(self, kind: int) -> Iterator[None]:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.lockf(self.fd, kind | fcntl.LOCK_NB)
                break
            except (BlockingIOError, PermissionError):  # held; which of the two is the system's choice
                if time.monotonic() > deadline:
                    raise TimeoutError(
                        f"shared weights: another process has held them for {_PATIENCE:.0f} s; was a worker stopped?"
                    ) from None
                time.sleep(0.0005)
        try:
            yield
        finally:
            fcntl.lockf(self.fd, fcntl.LOCK_UN)

    @property
    def version(self) -> int:
        """The newest version, -1 before the first; asked without a lock."""
        return int(self._numbers[0])

    def publish(
        self,
        version: int,
        network: PolicyValueNetwork,
        temperature: float,
        plan: Mapping[str, int],
        past: Mapping[int, Mapping[str, Tensor]],
    ) -> None:
        """Put everything in place at once, under a new version.

        Raises:
            TimeoutError: a reader does not let go.
            ValueError: there are more past checkpoints, or longer names, than there is room for.
        """
        if len(past) > len(self._past):
            raise ValueError(f"past: {len(past)} checkpoints given, expected at most {len(self._past)}")
        places = {iteration: place for iteration, place in self._places.items() if iteration in past}
        free = (place for place in range(len(self._past)) if place not in places.values())
        new = {iteration: next(free) for iteration in past if iteration not in places}
        places |= new
        content = {"temperature": temperature, "plan": dict(plan), "past": {str(k): v for k, v in places.items()}}
        text = json.dumps(content).encode()
        if len(text) > _TEXT:
            raise ValueError(f"plan: its names take {len(text)} bytes, expected at most {_TEXT}")
        with self._lock(fcntl.LOCK_EX), torch.no_grad():
            for key, value in network.state_dict().items():
                self._weights[key].copy_(value)
            for iteration, place in new.items():
                for key, value in past[iteration].items():
                    self._past[place][key].copy_(value)
            self._map[_HEADER : _HEADER + len(text)] = text
            self._numbers[1] = len(text)
            self._numbers[0] = version
        self._places = places

    def read(self, network: PolicyValueNetwork, known_past: Collection[int] = ()) -> Published:
        """Load the newest weights into a network, on whatever device, and return what belongs to them.

        Args:
            network: of the kind that this was made for.
            known_past: past checkpoints that need not be read again.
        """
        with self._lock(fcntl.LOCK_SH):
            content = json.loads(self._map[_HEADER : _HEADER + int(self._numbers[1])])
            places = {int(iteration): place for iteration, place in content["past"].items()}
            network.load_state_dict(self._weights)
            return Published(
                version=self.version,
                temperature=content["temperature"],
                plan=content["plan"],
                past=frozenset(places),
                new_past={
                    iteration: {key: value.clone() for key, value in self._past[place].items()}
                    for iteration, place in places.items()
                    if iteration not in known_past
                },
            )

    def close(self) -> None:
        """Give the descriptor back; the memory goes with the last reference to it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
