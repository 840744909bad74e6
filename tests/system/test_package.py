"""The package as a stranger gets it: the sdist holds its sources, and what is built from it works elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from support.cli_tools import ROOT

ENGINE_TESTS = (
    "beasty_bar/test_rules_vectors",
    "beasty_bar/test_notation",
    "test_batch",
    "test_state",
    "beasty_bar/test_game",
    "beasty_bar/test_playthroughs",
)
PROGRAM = """
import sys
from pathlib import Path
import sim_core, callbacks, lit_trainer.networks
for module in (sim_core, callbacks, lit_trainer.networks):
    assert Path({site!r}) in Path(module.__file__).parents, module.__file__
state = sim_core.State.parse("hc - - X/- -/- 0 0")
print(state.step(sim_core.Action.parse("X=H")))
"""


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds a clean checkout's sdist, and the wheel from that sdist through build isolation."""
    folder = tmp_path_factory.mktemp("build")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "checkout" / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", folder / "dist", folder / "checkout"],
        check=True, capture_output=True, timeout=550,
        # without optimisation gcc takes a quarter of the time, and what is in the wheel is the same
        env=os.environ | {"CFLAGS": "-O0"},
    )  # fmt: skip
    return folder / "dist"


@pytest.mark.slow
def test_the_sdist_holds_every_source(dist: Path) -> None:
    """Fails if the sdist lacks a source, such as the .pxd files, or holds C that was made of it."""
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for pattern in (
        "sim_core/*.py*",
        "lit_trainer/**/*.py*",
        "lit_trainer/play/static/*",
        "callbacks/*.py*",
        "configs/**/*.yaml",
        "tests/**/*.py",
        "benchmarks/*.py",
        "docs/examples/*",
        "docs/**/*.md",
        "docs/*.svg",
        "docs/assets/*",
    ):
        wanted = {path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern) if path.suffix != ".pyc"}
        assert wanted and wanted <= names, wanted - names
    assert {
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "constraints.txt",
        "setup.py",
        "mkdocs.yml",
        "sim_core/py.typed",
        "callbacks/pyproject.toml",
    } <= names
    assert not [name for name in names if name.endswith((".c", ".so"))]


@pytest.mark.slow
def test_the_wheel_works_outside_the_checkout(dist: Path, tmp_path: Path) -> None:
    wheel = next(dist.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
        names = set(archive.namelist())
    assert {top for top in tops if not top.endswith(".dist-info")} == {"sim_core", "lit_trainer", "callbacks"}
    # every module of the engine is in it compiled, so that installing it needs no compiler
    for source in (ROOT / "sim_core").glob("*.pyx"):
        assert any(re.fullmatch(rf"sim_core/{source.stem}\.[\w-]+\.(so|pyd)", name) for name in names), source.stem
    assert {path.relative_to(ROOT).as_posix() for path in (ROOT / "lit_trainer").glob("*.py")} <= names
    # the environment's packages, but this project's only from the wheel
    venv.create(tmp_path / "venv", with_pip=False)
    site = next((tmp_path / "venv").glob("lib/python*/site-packages"))
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel],
        check=True, timeout=300, env={**os.environ, "CC": "false", "CXX": "false"},
    )  # fmt: skip
    packages = next(path for path in map(Path, sys.path) if path.name == "site-packages")
    (site / "others.pth").write_text(f"{packages}\n")
    python = tmp_path / "venv" / "bin" / "python"
    # a checkout on PYTHONPATH would be found before the wheel
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-c", PROGRAM.format(site=str(site))],
        cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "hc - X -/- -/- 1 1"
    # the engine's own fast tests, with the checkout's packages out of reach
    for folder in ("tests", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    engine = [f"tests/sim_core/{name}.py" for name in ENGINE_TESTS]
    options = ["-q", "--import-mode=importlib", "-m", "not slow", "-o", "pythonpath=tests", "-o", "markers=slow"]
    done = subprocess.run(
        [python, "-m", "pytest", "--noconftest", "-p", "no:cacheprovider", *options, *engine],
        cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert re.search(r"[3-9]\d\d passed", done.stdout), done.stdout[-300:]


def test_the_callbacks_alone_install_without_a_compiler(tmp_path: Path) -> None:
    """A wheel that holds more than the package, needs more than Lightning, or is of another version."""
    shutil.copytree(ROOT / "callbacks", tmp_path / "callbacks", ignore=shutil.ignore_patterns("__pycache__", "build"))
    no_compiler = {**os.environ, "CC": "false", "CXX": "false", "PATH": str(Path(sys.executable).parent)}
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, tmp_path / "callbacks"],
        check=True, capture_output=True, timeout=300, env=no_compiler,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert wheel.name == f"lit_alphazero_callbacks-{whole['version']}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert any(name.endswith("/LICENSE") for name in archive.namelist())
        archive.extractall(tmp_path / "site")
    assert (ROOT / "callbacks" / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    files = [path for path in (ROOT / "callbacks").iterdir() if path.suffix == ".py"]
    assert names == {f"callbacks/{path.name}" for path in files} | {"callbacks/py.typed"}
    alone = tomllib.loads((ROOT / "callbacks" / "pyproject.toml").read_text())["project"]
    assert {name.split(">")[0] for name in alone["dependencies"]} == {"lightning", "torch"}
    assert set(alone["dependencies"]) <= set(whole["dependencies"])
    program = (
        "import sys, callbacks; assert callbacks.__file__.startswith(sys.argv[1]), callbacks.__file__;"
        "assert not {'sim_core', 'lit_trainer'} & set(sys.modules);"
        "callbacks.ScheduleCallback('pl_module.x', 1.0, 0.0)"
    )
    site = str(tmp_path / "site")
    subprocess.run(
        [sys.executable, "-c", program, site], check=True, cwd=site, env={**os.environ, "PYTHONPATH": site},
        timeout=120,
    )  # fmt: skip


def test_sim_core_alone_imports_neither_torch_nor_lightning() -> None:
    program = "import sys, sim_core; assert not {'torch', 'lightning', 'lit_trainer', 'callbacks'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, timeout=60)


def test_playing_imports_no_lightning() -> None:
    """Fails if playing imports Lightning, which takes seconds in every worker, or a public name is not found."""
    program = """if True:
        import sys, lit_trainer.self_play.workers.process
        from lit_trainer import ResidualMLP, load_agent, make_evaluator
        assert not {'lightning', 'torchmetrics', 'matplotlib'} & set(sys.modules)
        assert all(getattr(lit_trainer, name).__name__ == name for name in lit_trainer.__all__)
        assert {'SelfPlayDataModule', 'load_agent'} <= set(dir(lit_trainer))
    """
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, timeout=120)


def test_commands_beside_training_import_no_lightning() -> None:
    """Fails if a command imports Lightning, which doubles the time until it answers."""
    program = """if True:
        import importlib, sys
        import lit_trainer.__main__
        from lit_trainer.cli.commands import COMMANDS
        for path in COMMANDS.values():
            importlib.import_module(path)
        assert 'lightning' not in sys.modules
    """
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, timeout=120)


def test_no_file_is_longer_than_can_be_read() -> None:
    for pattern in ("sim_core/*.py*", "lit_trainer/**/*.py", "callbacks/*.py", "tests/**/*.py"):
        for path in ROOT.glob(pattern):
            if path.suffix in (".py", ".pyx", ".pxd"):
                assert len(path.read_text().splitlines()) <= 500, path


def pinned(file: str) -> dict[str, Version]:
    """Returns name to version of a constraints file."""
    lines = [line for line in (ROOT / file).read_text().splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(name): Version(version) for name, version in (line.split("==") for line in lines)}


def lowest(requirements: list[str]) -> dict[str, Version]:
    """Returns name to lower bound. A requirement has one, and no other bound."""
    parsed = [Requirement(text) for text in requirements]
    bounds = {canonicalize_name(one.name): list(one.specifier) for one in parsed}
    assert all(len(found) == 1 and found[0].operator == ">=" for found in bounds.values()), requirements
    return {name: Version(found[0].version) for name, found in bounds.items()}


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_constraints_pin_the_torch_that_was_tested() -> None:
    versions = pinned("constraints.txt")
    assert versions["torch"] == Version("2.13.0")
    assert lowest(PROJECT["project"]["dependencies"]).keys() <= versions.keys()


def test_the_lower_bounds_are_the_versions_that_were_tested() -> None:
    """A bound that was lowered, or a version tested that is not the bound."""
    tested = pinned("constraints-lowest.txt")
    extras = PROJECT["project"]["optional-dependencies"]
    bounds = lowest([*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]])
    for extra in ("onnx", "pettingzoo", "safetensors", "web"):
        bounds |= lowest(extras[extra])
    assert {name: tested.get(name) for name in bounds} == bounds
    assert pinned("constraints.txt").keys() >= bounds.keys()
