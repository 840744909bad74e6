"""Things go wrong in the midst of a run: a disk fills up, memory runs out, an opponent hangs, a batch is spoilt."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from support.checkpoints import KEPT, assert_same, last_checkpoint
from support.cli_tools import TINY, config, run
from support.process_tools import needs_proc

from callbacks import NonFiniteError
from lit_trainer.players.python_player import AgentTimeoutError

resource = pytest.importorskip("resource")
pytestmark = pytest.mark.timeout(180)

PARTS = """
import os, resource, time
import torch
from lightning.pytorch.callbacks import Callback
from lit_trainer import TransformerNetwork

class FillDisk(Callback):
    'A limit on the size of files stands for a disk that is full: it holds also where permissions do not, for root.'

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

class Spoil(Callback):
    'An infinity among the observations of one batch.'

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == 3:
            batch["observations"][5, 7] = float("inf")

class Greedy(TransformerNetwork):
    'Wants more memory than there is, while it learns or while it plays.'

    def __init__(self, game="beasty_bar", width=8, layers=1, heads=1, when="learning"):
        super().__init__(game, width=width, layers=layers, heads=heads)
        self.when = when
        self.config = {**self.config, "when": when}

    def forward(self, observations):
        if self.when == ("learning" if self.training else "playing"):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return super().forward(observations)

class Slow:
    def select_action(self, state, legal_actions):
        if os.path.exists("hang"):
            while True:
                pass
        return legal_actions[0]
"""


@pytest.fixture(autouse=True)
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Returns an empty folder, and makes a module of faulty parts that a YAML or a flag can name."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "faulty_parts.py").write_text(PARTS)
    (tmp_path / "here").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "source"))
    monkeypatch.chdir(tmp_path / "here")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


FLAGS = [*TINY, "--evaluate_first=false", "--trainer.limit_val_batches=0", "--trainer.enable_progress_bar=false"]
CHECKPOINTS = Path("runs/quickstart/version_0/checkpoints")


def newest_kept(count: int) -> list[str]:
    """Returns the flags of a ModelCheckpoint that saves every iteration and keeps the newest."""
    options = {"filename": "kept{iteration:.0f}", "monitor": "iteration", "mode": "max", "save_top_k": count}
    options |= {"auto_insert_metric_name": False, "every_n_epochs": 1, "save_on_train_epoch_end": True}
    flags = [f"--trainer.callbacks.init_args.{name}={value}" for name, value in options.items()]
    return ["--trainer.callbacks+=lightning.pytorch.callbacks.ModelCheckpoint", *flags]


# ---------------------------------------------------------------------- disks


@pytest.mark.parametrize("kept", [1, 2])
def test_a_disk_that_fills_up_costs_one_iteration(kept: int) -> None:
    """Half a checkpoint, a good one that was deleted before the next was there, or a run that cannot be resumed."""
    flags = ["fit", *config("quickstart.yaml"), *FLAGS, *newest_kept(kept), "--trainer.max_epochs=4"]
    with pytest.raises(OSError, match=r"checkpoint '.*(last|kept3)\.ckpt' cannot be written \(File too large\)"):
        run(*flags, "--trainer.callbacks+=faulty_parts.FillDisk")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    names = sorted(path.name for path in CHECKPOINTS.iterdir())
    assert names == ["kept1.ckpt", "kept2.ckpt", "last.ckpt"][2 - kept :]
    assert last_checkpoint(CHECKPOINTS.parent)["global_step"] == 4
    if kept == 1:
        return
    run(*flags, f"--ckpt_path={CHECKPOINTS}/last.ckpt")
    run(*flags)
    resumed, whole = (last_checkpoint(f"runs/quickstart/version_{version}") for version in (1, 2))
    for key in KEPT:
        assert_same(whole[key], resumed[key], key)
    # a resumed run deletes nothing of the one before
    assert sorted(path.name for path in CHECKPOINTS.iterdir()) == names
    kept_now = sorted(path.name for path in Path("runs/quickstart/version_2/checkpoints").glob("kept*"))
    assert kept_now == ["kept3.ckpt", "kept4.ckpt"]


@pytest.mark.parametrize(
    ("field", "folder"),
    [
        ("trainer.logger", "runs"),
        ("trainer.callbacks.ModelCheckpoint.dirpath", "away"),
        pytest.param("trainer.callbacks.ModelCheckpoint.dirpath", "/proc", marks=needs_proc),
    ],
)
def test_a_folder_that_cannot_be_written_is_refused_at_once(
    field: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error after the first iteration, which may be an hour's work. Permissions would not stop root, these do."""
    flags = FLAGS
    if folder != "runs":
        flags = [*FLAGS, *newest_kept(1), f"--trainer.callbacks.init_args.dirpath={folder}/kept"]
    if folder != "/proc":
        Path(folder).touch()
    with pytest.raises(SystemExit) as stopped:
        run("fit", *config("quickstart.yaml"), *flags)
    message = capsys.readouterr().err
    assert stopped.value.code == 2
    assert re.search(rf"^error: {field}: the folder '.*{folder}/.*' cannot be written \(.+\)", message, re.M), message
    assert "Traceback" not in message
    assert [str(path) for path in Path().iterdir()] == [folder][: folder != "/proc"], "nothing is written"


def test_a_damaged_checkpoint_is_refused_and_the_others_are_named(
    iter600: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = bytearray(iter600.read_bytes())
    whole[len(whole) // 2] ^= 4
    Path("last.ckpt").write_bytes(whole)
    Path("iter600.ckpt").touch()
    with pytest.raises(SystemExit):
        run("fit", *config("iter0_to_600.yaml"), *FLAGS, "--ckpt_path=last.ckpt")
    message = capsys.readouterr().err
    assert "ckpt_path: 'last.ckpt' is truncated, damaged or no checkpoint" in message
    assert "Beside it lie iter600.ckpt" in message


# ---------------------------------------------------------------------- numbers


def test_an_infinite_number_in_a_batch_stops_a_shipped_run() -> None:
    """A run that learns nothing any more for the rest of the night; the last checkpoint must be a good one."""
    with pytest.raises(NonFiniteError, match=r"^Step 3 \(epoch 1, batch 1\): the loss is nan; .*/non_finite-step3\.pt"):
        run("fit", *config("quickstart.yaml"), *FLAGS, "--trainer.callbacks+=faulty_parts.Spoil")
    saved = torch.load(CHECKPOINTS.parent / "non_finite-step3.pt", weights_only=True)
    (batch,) = saved["batches"]
    assert math.isinf(batch["observations"][5, 7]) and len(batch["outcome"]) == 16
    last = last_checkpoint(CHECKPOINTS.parent)
    assert last["global_step"] == 2
    assert all(weights.isfinite().all() for part in (last, saved) for weights in part["state_dict"].values())


# ---------------------------------------------------------------------- memory


@pytest.mark.parametrize(
    ("when", "flags", "advice"),
    [
        ("learning", [], "Out of memory while the network learned: lower data.batch_size (now 16)"),
        ("playing", [], "Out of memory in self-play: lower data.generation.parallel_games (now 512)"),
        ("playing", ["--evaluate_first=true", "--trainer.limit_val_batches=1.0"], "Out of memory in a match: lower "),
    ],
)
def test_an_error_of_memory_says_what_to_lower(when: str, flags: list[str], advice: str) -> None:
    network = ["--model.network=faulty_parts.Greedy", f"--model.network.init_args.when={when}"]
    with pytest.raises(torch.OutOfMemoryError, match="Tried to allocate") as raised:
        run("fit", *config("quickstart.yaml"), *FLAGS, *network, *flags)
    note, way_on = raised.value.__notes__
    assert note.startswith(advice)
    assert way_on == "There is no checkpoint yet: the same command begins anew."


# ---------------------------------------------------------------------- opponents


def with_slow_opponent() -> str:
    pool = {
        "class_path": "lit_trainer.AdaptiveOpponentPool",
        "init_args": {
            "agents": {"slow": {"class_path": "faulty_parts.Slow"}},
            "opponents": ["random", "slow"],
            "agent_time_limit": 0.5,
        },
    }
    Path("slow.yaml").write_text(
        yaml.safe_dump({"data": {"opponent_pool": pool, "evaluation": {"opponents": ["slow"]}}})
    )
    return "--config=slow.yaml"


@pytest.mark.parametrize("subcommand", ["fit", "validate"])
def test_an_opponent_that_hangs_is_named_and_ends_the_run(subcommand: str) -> None:
    """A limit of the pool that does not reach self-play, or evaluation."""
    flags = [*config("quickstart.yaml"), with_slow_opponent(), *FLAGS, "--trainer.max_epochs=1"]
    if subcommand == "validate":
        run("fit", *flags)
        flags += ["--trainer.limit_val_batches=1.0", f"--ckpt_path={CHECKPOINTS}/last.ckpt"]
    Path("hang").touch()
    with pytest.raises(AgentTimeoutError, match=r"^opponent slow: select_action has taken more than 0\.5 s at '"):
        run(subcommand, *flags)
    os.remove("hang")
