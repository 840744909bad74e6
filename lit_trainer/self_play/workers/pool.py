"""Runs worker processes for the trainer: starts them, hears their games come back, and leaves none of them behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from typing import Any

from lit_trainer.self_play.workers.messages import ALIVE, Abandoned, Chunk, Failed, Order, WorkerSetup
from lit_trainer.utils.packages import named_packages
from lit_trainer.utils.watch import Watch

# multiprocessing's own start method would import the parent's script again, which then needs a guard.
# The import path is sent first, so that a project is found that only the parent's script put on its path.
_START = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
from multiprocessing.connection import Connection
connection = Connection(int(sys.argv[1]))
sys.path[:], packages = connection.recv()
from lit_trainer.utils.packages import import_packages
import_packages(packages)
from lit_trainer.self_play.workers.process import main
main(connection)
"""
_GRACE = 5.0
"""Seconds that a process has to end by itself."""
_START_SECONDS = 600.0
"""Seconds that a process has until its first sign of life. Its imports may take most of them."""
_LINES = 20
"""Number of lines of a dead worker's standard error that an error shows."""


class WorkerError(RuntimeError):
    """Reports that a worker process died or raised. The message says which, how, and what it wrote last."""


class _WorkerHandle:
    """Runs one worker process, and the threads that listen to it."""

    def __init__(self, setup: WorkerSetup, inbox: SimpleQueue[tuple[int, Any]], timeout: float | None) -> None:
        self.number = setup.worker
        self._heard = 0
        self._start_watch, self._watch = Watch(None if timeout is None else _START_SECONDS), Watch(timeout)
        self._inbox = inbox
        self._closing = False
        self._said: deque[str] = deque(maxlen=_LINES)
        self._socket, theirs = socket.socketpair()
        # ignored from before the process's first line on: Ctrl-C reaches the whole group, and the trainer ends us
        masked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(theirs.fileno(), setup.shared_fd),
                text=True,
                errors="replace",
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)
            theirs.close()
        self._connection = Connection(os.dup(self._socket.fileno()))
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._forward_errors, self._hear)]
        for thread in self._threads:
            thread.start()
        self.send(([os.fspath(entry) for entry in sys.path], named_packages()))
        self.send(setup)

    def send(self, message: Any) -> None:
        """Sends a message to the process. If that is dead, `_hear` reports it."""
        with suppress(OSError):
            self._connection.send(message)

    def _forward_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._said.append(line)
            print(f"[worker {self.number}] {line}", end="", file=sys.stderr, flush=True)

    def _hear(self) -> None:
        try:
            while True:
                message = self._connection.recv()
                self._heard += 1
                if message is ALIVE:
                    continue
                if isinstance(message, Failed):
                    message = WorkerError(f"{self._name} raised:\n{message.traceback}")
                self._inbox.put((self.number, message))
        except (EOFError, OSError):
            pass
        except Exception as error:  # its games cannot be read
            self._inbox.put((self.number, WorkerError(f"{self._name} sent what cannot be read: {error!r}")))
        if not self._closing:
            self._inbox.put((self.number, WorkerError(self._death())))

    def check_life(self) -> None:
        """Raises WorkerError if the process has given no sign of life for too long, measured between calls."""
        if not self._heard and self._start_watch.overdue(None):
            raise WorkerError(f"{self._name} has not started within {_START_SECONDS:g} s")
        if self._heard and self._watch.overdue(self._heard):
            raise WorkerError(
                f"{self._name} has given no sign of life for {self._watch.limit:g} s (data.workers.timeout): it was "
                "stopped, its machine is overloaded, or code in it, such as an agent's, holds Python's lock for ever"
            )

    @property
    def _name(self) -> str:
        return f"worker {self.number} (pid {self.process.pid})"

    def _death(self) -> str:
        try:
            code = self.process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            return f"{self._name} hung up without ending"
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"
        if code == -signal.SIGKILL:
            how += " (as systems do where memory runs out: "
            how += "then lower data.workers.count or data.generation.parallel_games)"
        self._threads[0].join(1.0)
        said = "".join(self._said)
        return f"{self._name} {how}" + (
            f"; its last lines:\n{said}" if said else "; it wrote nothing to standard error"
        )

    def hang_up(self) -> None:
        """Tells the process to end."""
        self._closing = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def join(self, deadline: float) -> None:
        """Waits for the process to end, and ends it by force after `deadline`, a time of the monotonic clock."""
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for thread in self._threads:
            thread.join(_GRACE)
        self._connection.close()
        self._socket.close()
        if self.process.stderr is not None:
            self.process.stderr.close()


def _shut_down(trainer_pid: int, workers: list[_WorkerHandle], after: Callable[[], None]) -> None:
    if os.getpid() != trainer_pid:
        return  # a fork of the trainer's process ends, not the trainer
    for worker in workers:
        worker.hang_up()
    deadline = time.monotonic() + _GRACE
    for worker in workers:
        worker.join(deadline)
    workers.clear()
    after()


class WorkerPool:
    """Starts worker processes and receives what they play.

    The processes end with `close`, with this object, with the interpreter, or when the trainer is gone, whatever ended
    it.

    Args:
        setups: One for each worker, in the order of their numbers.
        on_close: Is called once, when all workers have ended.
        timeout: Seconds without a sign of life after which `receive` gives a worker up. None: No limit.
    """

    def __init__(
        self, setups: Sequence[WorkerSetup], on_close: Callable[[], None], timeout: float | None = None
    ) -> None:
        self._inbox: SimpleQueue[tuple[int, Any]] = SimpleQueue()
        self._heard: deque[tuple[int, Chunk | Abandoned]] = deque()
        self._workers: list[_WorkerHandle] = []
        self._finalizer = weakref.finalize(self, _shut_down, os.getpid(), self._workers, on_close)
        for setup in setups:
            self._workers.append(_WorkerHandle(setup, self._inbox, timeout))

    @property
    def pids(self) -> list[int]:
        """Returns the process ids, in the order of the workers' numbers."""
        return [worker.process.pid for worker in self._workers]

    def order(self, worker: int, order: Order) -> None:
        """Orders further games from a worker, which plays them after those ordered before.

        Args:
            worker: Number of the worker.
            order: The games.
        """
        self._workers[worker].send(order)

    def check(self) -> None:
        """Raises WorkerError if a worker died or raised. Returns at once."""
        while (message := self._next(0.0)) is not None:
            self._heard.append(message)

    def receive(self, timeout: float) -> tuple[int, Chunk | Abandoned] | None:
        """Returns the number of the next worker to report and what it played. None: nobody reported in time.

        Args:
            timeout: Seconds to wait for a report.

        Raises:
            WorkerError: A worker died, raised, or has given no sign of life for too long.
        """
        for one in self._workers:
            one.check_life()
        return self._heard.popleft() if self._heard else self._next(timeout)

    def _next(self, timeout: float) -> tuple[int, Chunk | Abandoned] | None:
        try:
            worker, message = self._inbox.get(timeout=timeout) if timeout else self._inbox.get_nowait()
        except Empty:
            return None
        if isinstance(message, WorkerError):
            self._inbox.put((worker, message))  # for whoever asks again
            raise message
        return worker, message

    def close(self) -> None:
        """Ends all workers and waits for their end."""
        self._finalizer()
