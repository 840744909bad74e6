"""Shares with workers what they need of the trainer: weights, temperature, opponents and past checkpoints.

The memory belongs to a file without a name. So the system frees it with the last process that holds it, however that
process ends. A POSIX record lock keeps readers and the writer apart. The system releases it if its holder dies.
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
"""Bytes before the text. They hold the version and the length of the text, each int64."""
_TEXT = 1 << 16
"""Bytes for temperature, shares and the places of past checkpoints."""
_ALIGN = 64
"""Bytes at a multiple of which each tensor begins."""
_PATIENCE = 30.0
"""Seconds to wait for the lock, which others hold for milliseconds."""


@dataclass(frozen=True)
class Published:
    """Keeps what the trainer published at one time.

    Args:
        version: Iteration at whose start it was published.
        temperature: Temperature of the learner's visit shares.
        shares: Opponent to its share of the games.
        past: Iterations of all past checkpoints.
        new_past: Iteration to half-precision weights, of those past checkpoints that the reader did not know.
    """

    version: int
    temperature: float
    shares: dict[str, float]
    past: frozenset[int]
    new_past: dict[int, dict[str, Tensor]]


class _Layout:
    """Places the tensors of a state dict one after another. Floating-point tensors are kept as `dtype`."""

    def __init__(self, state: Mapping[str, Tensor], dtype: torch.dtype) -> None:
        self.entries: list[tuple[str, int, torch.dtype, torch.Size]] = []
        self.nbytes = 0
        for key, value in state.items():
            kept = dtype if value.is_floating_point() else value.dtype
            self.entries.append((key, self.nbytes, kept, value.shape))
            self.nbytes += -(-value.numel() * kept.itemsize // _ALIGN) * _ALIGN

    def views(self, memory: Tensor, start: int) -> dict[str, Tensor]:
        """Returns the tensors, by key, as views of the memory from an offset on."""
        return {
            key: memory[start + at : start + at + shape.numel() * dtype.itemsize].view(dtype).view(shape)
            for key, at, dtype, shape in self.entries
        }


def _nameless_file(size: int) -> int:
    """Returns a descriptor of memory that no name leads to."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("lit-alphazero")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, size)
    return fd


class SharedState:
    """Holds memory that one writer, the trainer, shares with any number of readers, its workers.

    Args:
        network: Gives the shapes of the weights. Its values are not used.
        max_past: Most past checkpoints at once.
        fd: Descriptor of memory that another process made with an equal network and `max_past`. None: Makes it.

    Raises:
        ValueError: The memory of `fd` belongs to another network.
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
        """Returns the newest version, -1 before the first. It is read without the lock."""
        return int(self._numbers[0])

    def publish(
        self,
        version: int,
        network: PolicyValueNetwork,
        temperature: float,
        shares: Mapping[str, float],
        past: Mapping[int, Mapping[str, Tensor]],
    ) -> None:
        """Puts everything in place at once, under a new version.

        Args:
            version: Number of the iteration.
            network: The learner's network.
            temperature: Temperature of its visit shares.
            shares: Opponent to its share of the games.
            past: Iteration to half-precision weights, of all past checkpoints.

        Raises:
            TimeoutError: A reader holds the lock for too long.
            ValueError: There are more past checkpoints, or longer names, than there is room for.
        """
        if len(past) > len(self._past):
            raise ValueError(f"past: {len(past)} checkpoints given, expected at most {len(self._past)}")
        places = {iteration: place for iteration, place in self._places.items() if iteration in past}
        free = (place for place in range(len(self._past)) if place not in places.values())
        new = {iteration: next(free) for iteration in past if iteration not in places}
        places |= new
        content = {"temperature": temperature, "shares": dict(shares), "past": {str(k): v for k, v in places.items()}}
        text = json.dumps(content).encode()
        if len(text) > _TEXT:
            raise ValueError(f"opponents: their names take {len(text)} bytes, expected at most {_TEXT}")
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
        """Loads the newest weights into a network, on whatever device, and returns what belongs to them.

        Args:
            network: A network like the one that this was made for.
            known_past: Iterations of past checkpoints that need not be read again.

        Raises:
            TimeoutError: The writer holds the lock for too long.
        """
        with self._lock(fcntl.LOCK_SH):
            content = json.loads(self._map[_HEADER : _HEADER + int(self._numbers[1])])
            places = {int(iteration): place for iteration, place in content["past"].items()}
            network.load_state_dict(self._weights)
            return Published(
                version=self.version,
                temperature=content["temperature"],
                shares=content["shares"],
                past=frozenset(places),
                new_past={
                    iteration: {key: value.clone() for key, value in self._past[place].items()}
                    for iteration, place in places.items()
                    if iteration not in known_past
                },
            )

    def close(self) -> None:
        """Gives the descriptor back. The memory goes with the last reference to it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
