"""The examples in `docs/examples`: each is run as a user would, from another folder, and does what it says."""

import csv
import os
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest

from callbacks import get_entropy_coef, get_temperature

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
PRE, POST = "train/grad_norm_pre_clip", "train/grad_norm_post_clip"


def logged(folder: Path, name: str, *arguments: str) -> dict[str, list[float]]:
    """Returns column to values, in order, of the example's `metrics.csv`."""
    run = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    columns: dict[str, list[float]] = {}
    with open(folder / "logs" / name / "version_0" / "metrics.csv") as file:
        for row in csv.DictReader(file):
            for column, value in row.items():
                if value:
                    columns.setdefault(column, []).append(float(value))
    return columns


def test_ppo(tmp_path: Path) -> None:
    columns = logged(tmp_path, "ppo")
    entropy = [get_entropy_coef(epoch, 10, 0.1, 0.001, "exponential") for epoch in range(10)]
    assert columns["train/entropy_coef"] == pytest.approx(entropy)
    clip_range = [get_temperature(epoch, 10, 0.3, 0.1, "cosine") for epoch in range(10)]
    assert columns["train/clip_range"] == pytest.approx(clip_range)
    assert columns["train/entropy"][-1] < columns["train/entropy"][0]
    assert columns["train/pay"][-1] > 0.6  # at random 0.25
    assert len(columns[PRE]) == len(columns[POST]) == 10 * 16
    assert columns[POST] == pytest.approx([min(norm, 0.5) for norm in columns[PRE]], rel=1e-4)


def test_gan(tmp_path: Path) -> None:
    columns = logged(tmp_path, "gan")
    assert columns["train/noise"] == pytest.approx([0.4 - 0.05 * epoch for epoch in range(8)])
    for optimizer in (0, 1):
        pre, post = columns[f"{PRE}/{optimizer}"], columns[f"{POST}/{optimizer}"]
        assert len(pre) == 8 * 8 and pre == post  # clipped by hand, before both
        assert 0 < max(post) <= 0.1 + 1e-6
    assert columns[f"{PRE}/0"] != columns[f"{PRE}/1"]


def test_supervised_by_yaml(tmp_path: Path) -> None:
    columns = logged(tmp_path, "supervised", "fit", f"--config={EXAMPLES / 'supervised.yaml'}")
    assert columns["train/loss.label_smoothing"] == pytest.approx([0.2 - 0.025 * epoch for epoch in range(8)])
    assert columns["train/layers.2.p"] == pytest.approx([0.5, 0.4, 0.3, 0.2, 0.1, 0, 0, 0])
    assert max(columns[PRE]) > 0.5
    assert columns[POST] == pytest.approx([min(norm, 0.5) for norm in columns[PRE]], rel=1e-4)
    assert columns["val/accuracy"][-1] > 0.8  # at random a third


def test_accumulation(tmp_path: Path) -> None:
    columns = logged(tmp_path, "accumulation")
    assert columns["train/accumulate"] == [1, 1, 2, 2, 4, 4]
    assert columns["train/steps"] == [16, 16, 8, 8, 4, 4]
    unclipped = columns["train/grad_norm_unclipped"]
    # one norm a step; in batches without a step Lightning writes the last one again
    assert len(list(groupby(unclipped))) == sum(columns["train/steps"])
    assert max(unclipped) > 1.0
    assert columns[POST] == pytest.approx([min(norm, 1.0) for norm in unclipped], rel=1e-4)


def test_curriculum(tmp_path: Path) -> None:
    columns = logged(tmp_path, "curriculum")
    tasks = ("two", "three", "six")
    solved = list(zip(*(columns[f"solved/{task}"] for task in tasks), strict=True))
    shares = list(zip(*(columns[f"share/{task}"] for task in tasks), strict=True))
    assert len(solved) == len(shares) == 4
    for rates, weights in zip(solved, shares, strict=True):
        failures = [1.05 - rate for rate in rates]
        assert weights == pytest.approx([failure / sum(failures) for failure in failures], rel=1e-4)
        assert max(weights) == weights[rates.index(min(rates))]


def test_the_page_names_every_example_and_none_needs_the_rest_of_the_library() -> None:
    page = (ROOT / "docs" / "callbacks.md").read_text()
    scripts = sorted(path for path in EXAMPLES.glob("*.py") if path.name != "play_onnx.py")  # of an exported network
    assert len(scripts) == 5
    for script in scripts:
        assert f"(examples/{script.name})" in page
        assert not {"lit_trainer", "sim_core"} & set(script.read_text().replace(".", " ").split())
