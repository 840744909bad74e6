"""Schedules of the data module's frozen settings, in real runs: by their effect on the games that are played."""

from __future__ import annotations

from pathlib import Path

import pytest
from lightning.fabric.utilities.exceptions import MisconfigurationException
from support.cli_tools import TINY, config, metrics, trained


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def flags(name: str, start: float, end: float, integer: bool = True) -> list[str]:
    """Returns the flags of a tiny run of three iterations in which a field of `generation` goes from start to end."""
    schedule = [
        "--trainer.callbacks+=callbacks.ScheduleCallback",
        f"--trainer.callbacks.init_args.target=trainer.datamodule.generation.{name}",
        f"--trainer.callbacks.init_args.start={start}",
        f"--trainer.callbacks.init_args.end={end}",
        f"--trainer.callbacks.init_args.integer={str(integer).lower()}",
        "--trainer.callbacks.init_args.last_iteration=2",
    ]
    rest = ["--trainer.max_epochs=3", "--trainer.limit_val_batches=0", "--evaluate_first=false"]
    return ["fit", *config("quickstart.yaml"), *TINY, *rest, *schedule]


def test_games_follow_a_schedule() -> None:
    data = trained(*flags("games", 2, 8)).datamodule
    folder = Path("runs/quickstart/version_0")
    assert metrics(folder, "selfplay/games") == {0: 2, 1: 5, 2: 8}
    assert metrics(folder, "train/datamodule.generation.games") == {0: 2, 1: 5, 2: 8}
    assert data.generation.games == 8


def test_simulations_follow_a_schedule() -> None:
    trained(*flags("simulations", 2, 32))
    folder = Path("runs/quickstart/version_0")
    simulations = metrics(folder, "selfplay/simulations_per_second")
    positions = metrics(folder, "selfplay/positions_per_second")
    each = [simulations[epoch] / positions[epoch] for epoch in range(3)]
    assert each[0] <= 2 < each[1] <= 17 < each[2] <= 32


@pytest.mark.slow
def test_simulations_follow_a_schedule_in_workers_too() -> None:
    """Fails if workers do not follow a schedule. Their games are ordered one iteration ahead."""
    trained(*flags("simulations", 0, 16), "--data.workers.count=1")
    simulations = metrics(Path("runs/quickstart/version_0"), "selfplay/simulations_per_second")
    assert simulations[0] == 0 < simulations[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("games", 2, 0), r"generation\.games.*cannot be set to 0"),
        (("simulations", 2, 2_000_000), r"generation\.simulations.*cannot be set to 1000001.*from 0 to 1,000,000"),
        (("simulations", 2, 8, False), r"generation\.simulations.*takes whole numbers.*integer: true"),
        (("simulation", 2, 8), r"no attribute 'simulation'\. Did you mean 'simulations'"),
    ],
)
def test_what_the_settings_refuse_is_said_before_anything_is_played(
    arguments: tuple[str, int, int], message: str
) -> None:
    with pytest.raises(MisconfigurationException, match=message):
        trained(*flags(*arguments))
    assert not list(Path("runs").rglob("*.ckpt"))
