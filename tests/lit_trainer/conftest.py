"""Small real parts shared by the tests: a network, an evaluator without one, a run of one iteration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from support.cli_tools import run as run_command
from support.trainers import quiet_trainer

from lit_trainer import (
    AdaptiveOpponentPool,
    AlphaZeroModule,
    EvaluationSettings,
    GenerationSettings,
    ReplaySettings,
    ResidualMLP,
    SelfPlayDataModule,
)
from lit_trainer.checkpoints.writer import AtomicCheckpointIO
from sim_core import ACTIONS, OBSERVATION_SIZE

_RNG = np.random.default_rng(2024)
_LOGITS = _RNG.integers(1, 2**20, (OBSERVATION_SIZE, len(ACTIONS)))
_VALUES = _RNG.integers(1, 2**20, OBSERVATION_SIZE)


class Scrambled:
    """Answers each row with arbitrary logits in (-1.5, 1.5) and values in (-1, 1), exact because computed in integers.

    Notes the observations that it was asked for.
    """

    def __init__(self) -> None:
        self.asked: list[np.ndarray] = []

    def __call__(self, observations: np.ndarray, legal_mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.asked.append(observations.copy())
        whole = np.rint(observations * 72).astype(np.int64)  # every number of an observation is one of 1/72
        logits = (whole @ _LOGITS) % 1_000_003 / 1_000_003 * 3 - 1.5
        values = (whole @ _VALUES) % 1_000_003 / 1_000_003 * 2 - 1
        return logits.astype(np.float32), values.astype(np.float32)


class Run(NamedTuple):
    """Holds a run's parts after `Trainer.fit`."""

    trainer: Trainer
    module: AlphaZeroModule
    data: SelfPlayDataModule


@contextmanager
def one_thread() -> Iterator[None]:
    """Uses one thread, because small networks are slower on two, and far slower where other programs run."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture
def scrambled() -> Scrambled:
    return Scrambled()


@pytest.fixture(scope="session")
def make_network() -> Callable[..., ResidualMLP]:
    """Makes tiny networks with all parameters drawn from a seed, so that none is zero by initialisation."""

    def make(seed: int = 0, width: int = 24, blocks: int = 1) -> ResidualMLP:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = ResidualMLP(width=width, blocks=blocks)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
        return network

    return make


@pytest.fixture(scope="session")
def run_for(make_network: Callable[..., ResidualMLP]) -> Callable[..., Run]:
    """Fits a tiny run up to a number of iterations, from a checkpoint if one is given."""

    def run(folder: Path, iterations: int, ckpt_path: Path | None = None, **module_options: Any) -> Run:
        module = AlphaZeroModule(make_network(), **module_options)
        data = SelfPlayDataModule(
            opponent_pool=AdaptiveOpponentPool(["random", "online"], 0.5, 0.25, snapshot_every=1),
            generation=GenerationSettings(games=12, simulations=4, threads=1),
            evaluation=EvaluationSettings(games=4),
            replay=ReplaySettings(positions=2000),
            steps_per_iteration=3,
            batch_size=32,
            seed=3,
        )
        trainer = quiet_trainer(
            max_epochs=iterations,
            num_sanity_val_steps=0,
            limit_val_batches=0,
            log_every_n_steps=1,
            plugins=[AtomicCheckpointIO()],
            default_root_dir=folder,
        )
        with one_thread():
            trainer.fit(module, data, ckpt_path=ckpt_path)
        return Run(trainer, module, data)

    return run


@pytest.fixture(scope="session")
def first_run(run_for: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """Returns a run of one iteration and its checkpoint."""
    folder = tmp_path_factory.mktemp("run")
    run = run_for(folder, 1)
    run.trainer.save_checkpoint(folder / "iter1.ckpt")
    return run, folder / "iter1.ckpt"


@pytest.fixture(scope="session")
def checkpoint_path(first_run: tuple[Run, Path]) -> Path:
    """Returns a real checkpoint, of a run of one iteration."""
    return first_run[1]


@pytest.fixture(scope="session")
def other_checkpoint(checkpoint_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a checkpoint of the same file name, in another folder and with other weights."""
    saved = torch.load(checkpoint_path, weights_only=True)
    for key, value in saved["state_dict"].items():
        if value.is_floating_point():
            saved["state_dict"][key] = value.flip(0)
    path = tmp_path_factory.mktemp("other") / checkpoint_path.name
    torch.save(saved, path)
    return path


@pytest.fixture(scope="session")
def exported(iter600: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder that the command makes from the shipped checkpoint."""
    folder = tmp_path_factory.mktemp("export") / "new" / "player"
    run_command("export", f"--ckpt_path={iter600}", f"--out={folder}")
    return folder
