"""How SIGTERM ends a run: at points where the run asks, and in all processes together."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from lightning.pytorch import Callback
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.utilities.exceptions import SIGTERMException
from support.trainers import quiet_trainer

from lit_trainer.learning.stopping import CommonStop


def asked(stop: CommonStop) -> list[Callable[[], object]]:
    """Returns every way in which a run asks whether to end."""
    return [stop.heed, stop.agree, lambda: stop.agree(patiently=True), lambda: stop.together(lambda: 1)]


def test_without_a_signal_nothing_ends() -> None:
    """Fails if asking needs a trainer: a data module can be used without one."""
    stop = CommonStop()
    stop.listen()
    for ask in asked(stop):
        ask()
    stop.attach(quiet_trainer(limit_val_batches=0))
    assert stop.together(lambda: "done") == "done"


def test_one_process_ends_where_it_asks(tmp_path: Path) -> None:
    """Fails if self-play does not see a signal that Lightning's handler noted, and plays on to the end."""
    stop = CommonStop()
    met: list[int] = []

    class Told(Callback):
        def on_train_batch_start(self, *given: Any) -> None:
            met.append(given[-1])
            for ask in asked(stop):
                ask()
            if len(met) == 2:
                os.kill(os.getpid(), signal.SIGTERM)
                for ask in asked(stop):
                    with pytest.raises(SIGTERMException):
                        ask()

    trainer = quiet_trainer(limit_val_batches=0, max_epochs=5, callbacks=[Told()], default_root_dir=tmp_path)
    stop.attach(trainer)
    with pytest.raises(SIGTERMException):
        trainer.fit(BoringModel())
    assert met == [0, 1]
    stop.attach(quiet_trainer(limit_val_batches=0))
    stop.heed()  # another run was not told


def test_a_run_does_not_end_by_the_signal_of_the_run_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """With several processes the flag is ours, and outlives the trainer that was told."""
    stop, before = CommonStop(), signal.getsignal(signal.SIGTERM)
    passed_on: list[int] = []
    try:
        signal.signal(signal.SIGTERM, lambda number, _: passed_on.append(number))
        monkeypatch.setattr(dist, "is_initialized", lambda: True)
        stop.attach(quiet_trainer(limit_val_batches=0, strategy="ddp", devices=2))
        stop.listen()
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(SIGTERMException):
            stop.heed()
        assert passed_on == [signal.SIGTERM]
        stop.attach(quiet_trainer(limit_val_batches=0, strategy="ddp", devices=2))
        stop.heed()
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_part_that_ends_early_is_agreed_upon_too() -> None:
    """The other processes wait for this one's answer, whichever way its part went."""
    agreed: list[bool] = []

    class Noted(CommonStop):
        def agree(self, patiently: bool = False) -> None:
            agreed.append(patiently)

    def told() -> None:
        raise SIGTERMException

    assert Noted().together(lambda: 7) == 7
    with pytest.raises(SIGTERMException):
        Noted().together(told)
    assert agreed == [True, True]


def test_one_process_keeps_its_trainer_s_handler() -> None:
    before = signal.getsignal(signal.SIGTERM)
    stop = CommonStop()
    stop.attach(quiet_trainer(limit_val_batches=0))
    stop.listen()
    assert signal.getsignal(signal.SIGTERM) is before


def _one_of_two(rank: int, folder: str) -> None:
    os.environ["LOCAL_RANK"] = str(rank)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    said: list[str] = []
    signal.signal(signal.SIGTERM, lambda *_: said.append("handler before"))
    stop = CommonStop()
    stop.attach(quiet_trainer(limit_val_batches=0, strategy="ddp", devices=2))
    stop.listen()
    said.append(f"together {stop.together(lambda: rank)}")
    if rank == 1:
        os.kill(os.getpid(), signal.SIGTERM)

    def work() -> None:
        stop.heed()
        said.append("worked")

    for ask in (lambda: stop.together(work), stop.agree):
        try:
            ask()
        except SIGTERMException:
            said.append("ended")
    torch.save(said, f"{folder}/{rank}")
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_processes_end_together(tmp_path: Path) -> None:
    """Fails if a process that was told leaves the other waiting, or cuts its part short."""
    mp.start_processes(_one_of_two, (str(tmp_path),), nprocs=2, start_method="spawn")
    first, second = (torch.load(tmp_path / str(rank), weights_only=True) for rank in range(2))
    assert first == ["together 0", "worked", "ended", "ended"]
    assert second == ["together 1", "handler before", "ended", "ended"]
