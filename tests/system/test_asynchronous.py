"""Asynchronous generation driven by the real command line: it learns, resumes, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from support.cli_tools import TINY, config, metrics, run
from support.process_tools import alive, children, heed_ctrl_c, needs_proc, shared_memory, wait_for

import callbacks
import lit_trainer
import sim_core

ASYNCHRONOUS = ["--data.workers.count=1", "--evaluate_first=false", "--trainer.limit_val_batches=0"]

# ---------------------------------------------------------------------- how a run ends

CALLBACKS = """
import time
from pathlib import Path
from lightning.pytorch.callbacks import Callback

class Leisurely(Callback):
    'Leaves the processors to the other tests, and fails where a file says so.'

    def on_train_batch_end(self, *args):
        time.sleep(0.1)
        if Path("fail").exists():
            raise RuntimeError("the trainer is tired")
"""


class Started(NamedTuple):
    """Holds a run under way, with its workers."""

    process: subprocess.Popen[str]
    folder: Path

    def workers(self) -> list[int]:
        return children(self.process.pid)

    def output(self) -> str:
        return (self.folder / "output").read_text()


@contextlib.contextmanager
def started(folder: Path, workers: int) -> Iterator[Started]:
    """Starts a run that would go on for days, and ends it."""
    (folder / "my_callbacks.py").write_text(CALLBACKS)
    with open(folder / "output", "w") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "lit_trainer", "fit", *config("quickstart.yaml"), *TINY, *ASYNCHRONOUS),
                *("--trainer.max_epochs=100000", "--trainer.enable_progress_bar=false"),
                "--trainer.callbacks+=my_callbacks.Leisurely",
                f"--data.workers.count={workers}",
            ],
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=heed_ctrl_c,
            start_new_session=True,  # a group, as a shell would make, for what Ctrl-C is sent to
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)])},
        )
    try:
        yield Started(process, folder)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@needs_proc
@pytest.mark.parametrize("way", ["error", "SIGINT", "SIGTERM", "SIGKILL", "worker"])
def test_nothing_is_left_behind(way: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Workers that outlive their trainer, a trainer that waits for a dead worker, memory with a name.

    Where the trainer was killed outright, a run that does not go on from its last iteration.
    """
    with started(tmp_path, workers=2 if way == "worker" else 1) as one:
        last = one.folder / "runs/quickstart/version_0/checkpoints/last.ckpt"

        def learning() -> bool:
            assert one.process.poll() is None, one.output()
            return last.exists()

        wait_for(learning, 300, "a first iteration")
        workers = one.workers()
        assert len(workers) == (2 if way == "worker" else 1)
        held = shared_memory([one.process.pid, *workers])
        if way == "error":
            (one.folder / "fail").touch()
        elif way == "worker":
            os.kill(workers[1], signal.SIGKILL)
        elif way == "SIGINT":
            os.killpg(one.process.pid, signal.SIGINT)
        else:
            one.process.send_signal(signal.Signals[way])
        sent = time.monotonic()
        code = one.process.wait(120)
        if way in ("SIGINT", "SIGTERM"):
            assert time.monotonic() - sent < 10
        wait_for(lambda: not any(map(alive, workers)), 60, "the workers' end")
        output = one.output()
        assert code == {"error": 1, "SIGINT": 1, "SIGTERM": 0, "SIGKILL": -9, "worker": 1}[way], output
        assert not [path for path in held if path.exists()]
        if way == "error":
            *_, error, way_on = output.rstrip().splitlines()
            assert error == "RuntimeError: the trainer is tired"
            assert (
                way_on == "To go on: the same command with --ckpt_path runs/quickstart/version_0/checkpoints/last.ckpt"
            )
        if way == "worker":
            assert re.search(rf"WorkerError: worker \d \(pid {workers[1]}\) was killed by SIGKILL", output), output
        if way == "SIGKILL":
            done = torch.load(last, weights_only=True)["global_step"] // 2
            flags = [*config("quickstart.yaml"), *TINY, *ASYNCHRONOUS, "--trainer.enable_progress_bar=false"]
            with contextlib.chdir(one.folder):
                run("fit", *flags, f"--trainer.max_epochs={done + 1}", f"--ckpt_path={last}")
            resumed = one.folder / "runs/quickstart/version_1"
            assert torch.load(resumed / "checkpoints/last.ckpt", weights_only=True)["global_step"] == 2 * (done + 1)
            assert metrics(resumed, "selfplay/games") == {done: 6}
            assert re.search(
                rf"goes on at iteration {done}: games that were on their way .* \(at most 6\)", caplog.text
            )
        if way == "SIGINT":
            assert "[worker" not in output and "Traceback" not in output, output


# ---------------------------------------------------------------------- a script of one's own

SCRIPT = """
import sys
sys.path[:0] = {path!r}
import torch
from lightning.pytorch import Trainer
from lit_trainer import AlphaZeroModule, GenerationSettings, OpponentPool, ReplaySettings, ResidualMLP
from lit_trainer import SelfPlayDataModule, WorkerSettings
print("the script runs")
pool = OpponentPool(["probe"], 0.5, 0.0, agents={{"probe": {{"class_path": "probe.Probe"}}}})
data = SelfPlayDataModule(
    opponent_pool=pool, generation=GenerationSettings(games=4, simulations=1, threads=1), workers=WorkerSettings(),
    replay=ReplaySettings(positions=100), steps_per_iteration=1, batch_size=8,
)
trainer = Trainer(
    accelerator="cpu", max_epochs=2, logger=False, enable_checkpointing=False, enable_progress_bar=False,
    enable_model_summary=False, num_sanity_val_steps=0, limit_val_batches=0,
)
trainer.fit(AlphaZeroModule(ResidualMLP(width=8, blocks=0)), data)
print("the script ends with", len(data.window))
"""

PROBE = """
import os, lit_trainer, sim_core

class Probe:
    def select_action(self, state, legal_actions):
        with open("probe.part", "w") as file:
            print(os.getpid(), lit_trainer.__file__, sim_core.__file__, file=file)
        os.replace("probe.part", "probe.txt")  # a worker may be ended while it writes
        return legal_actions[0]
"""


def test_a_script_that_puts_the_project_on_its_own_path(tmp_path: Path) -> None:
    """Fails if workers cannot import a project that is not installed, or run the script again."""
    project, extra, elsewhere = (tmp_path / name for name in ("project", "extra", "elsewhere"))
    for package in (lit_trainer, sim_core, callbacks):
        assert package.__file__
        folder = Path(package.__file__).parent
        shutil.copytree(folder, project / folder.name, ignore=shutil.ignore_patterns("*.c", "__pycache__"))
    for folder in (extra, elsewhere):
        folder.mkdir()
    (extra / "probe.py").write_text(PROBE)
    # where torch lies, without what an editable installation would add
    libraries = str(Path(torch.__file__).parents[1])
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(path=[str(project), str(extra), libraries]))
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-S", str(script)], cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the script runs") == 1 and "the script ends with 100" in done.stdout
    pid, *files = (elsewhere / "probe.txt").read_text().split()
    assert int(pid) != os.getpid()
    assert all(Path(file).is_relative_to(project) for file in files), files


# ---------------------------------------------------------------------- runs


@pytest.fixture
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("in_empty_folder")
def test_an_asynchronous_run_learns_and_resumes(caplog: pytest.LogCaptureFixture) -> None:
    """Fails if outcomes or targets are mixed up on their way, or a resume starts from nothing."""
    before = children(os.getpid())  # another test's spawned processes leave Python's resource tracker running
    flags = [
        "fit",
        *config("quickstart.yaml"),
        "--trainer.accelerator=cpu",
        *ASYNCHRONOUS,
        "--data.generation.threads=1",
    ]
    flags += ["--data.generation.games=128", "--data.generation.simulations=4", "--data.steps_per_iteration=30"]
    flags += ["--data.batch_size=256", "--data.replay.positions=20000"]
    flags += ["--model.network.init_args.width=64", "--model.network.init_args.blocks=1"]
    flags += ["--trainer.enable_progress_bar=false"]
    run(*flags, "--trainer.max_epochs=4")
    run(*flags, "--trainer.max_epochs=6", "--ckpt_path=runs/quickstart/version_0/checkpoints/last.ckpt")
    first, second = Path("runs/quickstart/version_0"), Path("runs/quickstart/version_1")
    loss = metrics(first, "train/value_loss") | metrics(second, "train/value_loss")
    assert list(loss) == list(range(6))
    # outcomes that say nothing of their positions leave it at their variance, about 0.85
    assert max(loss.values()) < 0.65 and max(loss[3], loss[5]) < min(0.5, loss[0] - 0.05), loss
    for folder, iterations in ((first, range(4)), (second, range(4, 6))):
        staleness, waited = metrics(folder, "selfplay/staleness"), metrics(folder, "selfplay/wait_share")
        assert list(staleness) == list(iterations)
        assert staleness[iterations[0]] == 0 and max(staleness.values()) <= 2
        assert all(0 <= share <= 1 for share in waited.values())
        assert metrics(folder, "selfplay/dropped_games").keys() == staleness.keys()
        assert set(metrics(folder, "selfplay/games").values()) == {128}
    assert "goes on at iteration 4" in caplog.text
    assert set(children(os.getpid())) <= set(before)
