"""The package as others meet it: imported alone, from its docs, from a YAML."""

import doctest
import importlib
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.demos.boring_classes import BoringModel

import callbacks

PACKAGE = Path(callbacks.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "callbacks.md"
MODULES = [f"callbacks.{module.name}" for module in pkgutil.iter_modules([str(PACKAGE)])]

ALONE = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("sim_core", "lit_trainer"):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
for module in %r:
    __import__(module)

from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel
from callbacks import EntropyScheduleCallback, GradNormCallback

model = BoringModel()
model.entropy_coef = None
Trainer(
    fast_dev_run=True, accelerator="cpu", enable_progress_bar=False, enable_model_summary=False,
    callbacks=[EntropyScheduleCallback(), GradNormCallback()],
).fit(model)
print("coefficient", model.entropy_coef)
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_works_without_the_rest_of_the_library(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", ALONE % MODULES],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "coefficient 0.04"


def test_every_public_name_is_there() -> None:
    assert sorted(callbacks.__all__) == callbacks.__all__
    assert all(hasattr(callbacks, name) for name in callbacks.__all__)


@pytest.mark.filterwarnings(r"ignore:You are trying to `self.log\(\)` but `Trainer\(barebones=True\)`")
@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert failed == 0
    assert tried > 0 or name.startswith("callbacks._")


def test_the_pages_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    examples = blocks("python")
    assert examples
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), {"__name__": "__main__"})
    logged = "".join(path.read_text(errors="replace") for path in tmp_path.rglob("events.out*"))
    assert "train/entropy_coef" in logged
    assert "train/grad_norm_post_clip" in logged


@pytest.fixture(autouse=True)
def no_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["lit"])  # LightningCLI warns of those it is not given


def from_yaml(path: Path, text: str) -> list[Any]:
    path.write_text(text)
    quiet = ["--seed_everything=false", "--trainer.accelerator=cpu", "--trainer.logger=false"]
    cli = LightningCLI(BoringModel, run=False, args=["--config", str(path), *quiet])
    return [one for one in cli.trainer.callbacks if type(one).__module__.startswith("callbacks.")]


def test_the_pages_yaml_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (text,) = blocks("yaml")
    made = from_yaml(tmp_path / "config.yaml", text)
    assert {type(one).__name__ for one in made} == {name for name in callbacks.__all__ if "Callback" in name}


def test_a_wrong_decay_type_in_a_yaml_is_refused_with_the_valid_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (text,) = blocks("yaml")
    with pytest.raises(SystemExit):
        from_yaml(tmp_path / "config.yaml", text.replace("decay_type: linear", "decay_type: linaer"))
    message = capsys.readouterr().err
    assert "linaer" in message
    assert "exponential" in message


def test_arguments_are_documented_in_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        LightningCLI(BoringModel, run=False, args=["--trainer.callbacks.help=callbacks.GradNormCallback"])
    assert "for the largest absolute value" in " ".join(capsys.readouterr().out.split())
