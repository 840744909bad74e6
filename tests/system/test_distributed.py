"""Runs of several processes on one machine, by the real command line: gloo, no GPU."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from support.checkpoints import KEPT, assert_same
from support.cli_tools import ROOT, TINY, config, every, metrics, trained
from support.process_tools import alive, children, command_of, needs_proc, wait_for

from lit_trainer.measuring.metrics import MatchResult

pytestmark = pytest.mark.slow

OPPONENTS = ("random", "online", "outcome_heuristic")
GAMES = 30  # of an evaluation: 15 deals, no multiple of two processes
FLAGS = [
    *config("quickstart.yaml"),
    *TINY,
    "--trainer.strategy=ddp",
    "--trainer.check_val_every_n_epoch=2",
    "--trainer.log_every_n_steps=1",
    "--trainer.callbacks+=callbacks.AdaptiveOpponentCallback",
    "--model.network.init_args.width=16",
    "--model.network.init_args.blocks=1",
    "--model.network.init_args.auxiliary=true",
    "--model.hand_coef=0.1",  # margin_coef is 0: parameters that only weigh nothing must not stop DDP
    "--data.opponent_pool=lit_trainer.AdaptiveOpponentPool",
    f"--data.opponent_pool.opponents=[{','.join(OPPONENTS)}]",
    "--data.opponent_pool.past_share=0.3",
    "--data.opponent_pool.snapshot_every=1",
    "--data.generation.games=10",
    f"--data.evaluation.games={GAMES}",
]


@contextmanager
def fitting(folder: Path, report: str, *flags: str, processes: int = 2) -> Iterator[subprocess.Popen[bytes]]:
    """Runs `lit-trainer fit` in some processes. Its output goes to a file."""
    command = [sys.executable, "-m", "lit_trainer", "fit", *FLAGS, f"--trainer.devices={processes}", *flags]
    command += ["--trainer.callbacks+=support.rank_report.RankReport", f"--trainer.callbacks.folder={report}"]
    environment = {key: value for key, value in os.environ.items() if key not in ("LOCAL_RANK", "NODE_RANK")}
    environment |= {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}
    with open(folder / f"{report}.txt", "wb") as output:
        run = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield run
    finally:
        if run.poll() is None:  # the launched processes with it
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()


def fit(folder: Path, report: str, *flags: str, processes: int = 2, seconds: float = 400) -> list[dict[str, Any]]:
    """Runs `lit-trainer fit` in some processes, and returns what each of them held at the end."""
    with fitting(folder, report, *flags, processes=processes) as run:
        run.wait(seconds)
    assert run.returncode == 0, (folder / f"{report}.txt").read_text()
    return [torch.load(folder / report / f"rank{rank}.pt", weights_only=True) for rank in range(processes)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("distributed")


@pytest.fixture(scope="module")
def straight(folder: Path) -> list[dict[str, Any]]:
    """Returns the ends of a run in two processes: an evaluation and four iterations without a stop."""
    return fit(folder, "straight", *every(2, "at"), "--trainer.max_epochs=4")


def run_folder(folder: Path, version: int = 0) -> Path:
    return folder / f"runs/quickstart/version_{version}"


def test_processes_play_different_games_and_stay_equal(straight: list[dict[str, Any]]) -> None:
    """Two processes that play one seed, or whose weights, steps, opponents' weights or past networks part."""
    first, second = straight
    rows = [{bytes(row.tolist()) for row in part["replay"]["states"]} for part in straight]
    assert len(rows[0]) > 100 and rows[0].isdisjoint(rows[1])
    assert all((part["replay"]["margins"] > -100).all() for part in straight), "margins that are not known"
    assert first["steps"] == second["steps"] == 4 * 2
    for key in ("state_dict", "opponent_pool", "evaluation"):
        assert_same(first[key], second[key], key)
    assert list(first["opponent_pool"]["past"]) == [1, 2, 3]
    assert len(set(first["opponent_pool"]["weights"].values())) > 1, "the pool never adapted"


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks used to create the checkpoint")
def test_win_rates_are_over_the_games_of_all_processes(
    folder: Path, straight: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Games counted twice, left out, or only the first process's: one process finds the same numbers."""
    monkeypatch.chdir(folder)
    checkpoint = run_folder(folder) / "checkpoints" / "last.ckpt"
    alone = [flag for flag in FLAGS if "strategy" not in flag]
    cli = trained("validate", *alone, "--trainer.devices=1", f"--ckpt_path={checkpoint}", "--trainer.logger=false")
    for name in OPPONENTS:
        found = MatchResult(**straight[0]["evaluation"][name])
        assert found.games == GAMES
        assert found == cli.model.evaluation[name]
        assert found.score == (found.wins + found.draws / 2) / GAMES and found.low < found.score < found.high
        assert metrics(run_folder(folder), f"val/win_rate/{name}")[3] == pytest.approx(found.score)


def test_self_play_is_logged_over_all_processes(folder: Path, straight: list[dict[str, Any]]) -> None:
    """Fails if only the first process's games, positions or rates are logged."""
    assert_same(straight[0]["stats"], straight[1]["stats"])

    def logged(name: str) -> float:
        return metrics(run_folder(folder), f"selfplay/{name}")[3]

    assert logged("games") == 2 * 10
    assert logged("replay_positions") == sum(len(part["replay"]["outcomes"]) for part in straight)
    names = [name for name in straight[0]["stats"] if name.startswith("games/")]
    assert len(names) > 3 and sum(logged(name) for name in names) == 2 * 10
    assert all(logged(name) % 2 == 0 for name in names), "both play one plan"
    assert logged("games_per_second") >= logged("games") / logged("seconds") * (1 - 1e-5)
    assert 0 < logged("forward_share") < 1
    assert (folder / "straight.txt").read_text().count("Where the time went") == 1, "the first process's table alone"


def test_nothing_to_act_on_is_warned_of(folder: Path, straight: list[dict[str, Any]]) -> None:
    """Fails if a run shows Lightning's advice to sync numbers that are the same on all processes."""
    assert "sync_dist" not in (folder / "straight.txt").read_text()


def test_a_resumed_run_ends_as_the_run_that_never_stopped(folder: Path, straight: list[dict[str, Any]]) -> None:
    """The first process's window given to all, or windows mixed up: weights then differ from iteration 3 on."""
    middle = run_folder(folder) / "checkpoints" / "at2.ckpt"
    version = len(list(run_folder(folder).parent.iterdir()))  # other tests' runs may lie there
    resumed = fit(folder, "resumed", "--trainer.max_epochs=4", f"--ckpt_path={middle}")
    for one, other in zip(straight, resumed, strict=True):
        for key in ("state_dict", "replay", "opponent_pool", "evaluation", "steps"):
            assert_same(one[key], other[key], key)
    saved = [
        torch.load(run_folder(folder, number) / "checkpoints" / "last.ckpt", weights_only=True)
        for number in (0, version)
    ]
    for key in KEPT:
        assert_same(saved[0][key], saved[1][key], key)


def test_one_process_goes_on_with_all_windows(folder: Path, straight: list[dict[str, Any]]) -> None:
    """Fails if positions are lost where fewer processes resume."""
    middle = run_folder(folder) / "checkpoints" / "at2.ckpt"
    saved = torch.load(middle, weights_only=True)["SelfPlayDataModule"]
    windows = [saved["replay"], saved["replay_of_rank"][1]]
    held = {bytes(row.tolist()) for window in windows for row in window["states"]}
    flags = ["--trainer.max_epochs=3", "--data.replay.positions=2000", f"--ckpt_path={middle}"]
    (alone,) = fit(folder, "alone", *flags, processes=1)
    assert held < {bytes(row.tolist()) for row in alone["replay"]["states"]}
    text = " ".join((folder / "alone.txt").read_text().split())
    assert f"replay windows of 2 process(es), this run has 1: their {len(held)} positions are shared out anew" in text


# ---------------------------------------------------------------------- workers

ASYNCHRONOUS = ["--data.workers.count=1", "--evaluate_first=false", "--data.evaluation.games=4"]


@pytest.fixture(scope="module")
def asynchronous(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """Returns the ends of four iterations in two processes, each with a worker that plays for it."""
    folder = tmp_path_factory.mktemp("asynchronous")
    return folder, fit(folder, "straight", *ASYNCHRONOUS, "--trainer.max_epochs=4")


def test_processes_with_workers_play_different_games_and_stay_equal(
    asynchronous: tuple[Path, list[dict[str, Any]]],
) -> None:
    """Workers of two processes that draw one seed, weights that part, or one process's numbers alone."""
    folder, (first, second) = asynchronous
    rows = [{bytes(row.tolist()) for row in part["replay"]["states"]} for part in (first, second)]
    assert len(rows[0]) > 100 and rows[0].isdisjoint(rows[1])
    assert first["steps"] == second["steps"] == 4 * 2
    for key in ("state_dict", "opponent_pool", "evaluation", "stats"):
        assert_same(first[key], second[key], key)
    assert list(first["opponent_pool"]["past"]) == [1, 2, 3]
    logged = {name: metrics(run_folder(folder), f"selfplay/{name}") for name in ("games", "staleness", "wait_share")}
    assert list(logged["games"].values()) == [20] * 4
    assert logged["staleness"][0] == 0 and all(0 <= old <= 2 for old in logged["staleness"].values())
    assert all(0 <= share <= 1 for share in logged["wait_share"].values())
    assert (folder / "straight.txt").read_text().count("Where the time went") == 1


@needs_proc
def test_a_resumed_run_ends_with_its_second_process_s_worker(asynchronous: tuple[Path, list[dict[str, Any]]]) -> None:
    """A first process that waits for ever for the second's gradients, or processes that outlive the run."""
    folder, _ = asynchronous
    flags = [f"--ckpt_path={run_folder(folder)}/checkpoints/last.ckpt", "--trainer.max_epochs=100000"]
    with fitting(folder, "killed", *ASYNCHRONOUS, *flags, "--trainer.limit_val_batches=0") as run:

        def learning() -> bool:
            assert run.poll() is None, (folder / "killed.txt").read_text()
            return (run_folder(folder, 1) / "checkpoints" / "last.ckpt").exists()

        wait_for(learning, 300, "an iteration after the resume")
        started = children(run.pid)
        (worker,) = (child for process in started for child in children(process))  # the first's own has no children
        assert len(started) == 2, "the second process and the first one's worker"
        os.kill(worker, signal.SIGKILL)
        assert run.wait(200) != 0
        wait_for(lambda: not any(map(alive, [*started, worker])), 120, "the end of all processes")
    output = (folder / "killed.txt").read_text()
    assert f"(pid {worker}) was killed by SIGKILL" in output, output
    assert "goes on at iteration 4" in " ".join(output.split())


# ---------------------------------------------------------------------- SIGTERM


@needs_proc
@pytest.mark.parametrize(("told", "more"), [("first", ASYNCHRONOUS), ("second", [])], ids=["first", "second"])
def test_sigterm_to_one_process_ends_all(told: str, more: list[str], tmp_path: Path) -> None:
    """Processes that stop at different points, and wait for each other's gradients for ever."""
    endless = ["--trainer.max_epochs=100000", "--trainer.limit_val_batches=0", "--trainer.log_every_n_steps=2"]
    with fitting(tmp_path, "told", *more, *endless) as run:

        def learning() -> bool:
            assert run.poll() is None, (tmp_path / "told.txt").read_text()
            return (run_folder(tmp_path) / "checkpoints" / "last.ckpt").exists()

        wait_for(learning, 300, "a first iteration")
        (second,) = (pid for pid in children(run.pid) if b"fit" in command_of(pid))
        workers = [child for pid in (run.pid, second) for child in children(pid) if child != second]
        assert len(workers) == (2 if more else 0)
        os.kill(run.pid if told == "first" else second, signal.SIGTERM)
        assert run.wait(60) == 0, (tmp_path / "told.txt").read_text()
        wait_for(lambda: not any(map(alive, [second, *workers])), 60, "the end of all processes")
    assert "Traceback" not in (tmp_path / "told.txt").read_text()
    saved = torch.load(run_folder(tmp_path) / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["global_step"] == 2 * saved["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
