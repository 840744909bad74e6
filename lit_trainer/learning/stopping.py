"""Ends a run soon after SIGTERM, also during games, and all its processes at one point.

Lightning's own handler sends messages to the other processes at once, at any point between the messages that they
already exchange. That can leave the processes waiting for each other forever.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from lightning.pytorch import Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException

from lit_trainer.learning.distributed import messages_device

log = logging.getLogger(__name__)

Result = TypeVar("Result")
_LOOK_SECONDS = 0.02


class CommonStop:
    """Ends the run at points where it asks for it. With one process, Lightning's own handler notes the signal."""

    def __init__(self) -> None:
        self._trainer: Trainer | None = None
        self._told = False
        self._before: Any = None

    def attach(self, trainer: Trainer | None) -> None:
        """Attaches a trainer that has not started, because a trainer at its start sets its own signal handlers."""
        self._trainer, self._told = trainer, False
        self._before = signal.getsignal(signal.SIGTERM)

    def listen(self) -> None:
        """Replaces the trainer's handler of SIGTERM if there are several processes. The trainer removes ours later."""
        if self._is_shared() and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._on_signal)

    def _is_shared(self) -> bool:
        return self._trainer is not None and self._trainer.world_size > 1 and dist.is_initialized()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        assert self._trainer is not None
        if not self._told:
            self._told = True
            log.info("process %d was told to end (SIGTERM)", self._trainer.global_rank)
            if (launcher := self._trainer.strategy.launcher) is not None:
                launcher.kill(signal.Signals(number))  # tells the processes that this launcher started
        if callable(self._before):
            self._before(number, frame)

    def _is_told(self) -> bool:
        # the trainer's own handler notes the signal if ours is not set, or came before ours was set
        return self._told or (self._trainer is not None and self._trainer.received_sigterm)

    def heed(self) -> None:
        """Raises SIGTERMException if this process was told to end. Use it within `together`, or in a single process."""
        if self._is_told():
            raise SIGTERMException

    def agree(self, patiently: bool = False) -> None:
        """Raises SIGTERMException in all processes if any of them was told to end. All processes must call it.

        Args:
            patiently: Whether the others may take long. If so, it waits in Python and not in C, so that signals are
                handled meanwhile.
        """
        if not self._is_shared():
            self.heed()
            return
        assert self._trainer is not None
        told = torch.tensor([float(self._is_told())], device=messages_device(self._trainer.strategy.root_device))
        waiting = dist.all_reduce(told, dist.ReduceOp.MAX, async_op=True)
        assert waiting is not None
        while patiently and not waiting.is_completed():
            time.sleep(_LOOK_SECONDS)
        waiting.wait()
        if told.item():
            raise SIGTERMException

    def together(self, work: Callable[[], Result]) -> Result:
        """Does this process's part of a task, then agrees with the others. `heed` may end the part early.

        Args:
            work: Function that does the part. Its result is returned.

        Raises:
            SIGTERMException: Any of the processes was told to end.
        """
        try:
            result = work()
        except SIGTERMException:
            self.agree(patiently=True)
            raise
        self.agree(patiently=True)
        return result
