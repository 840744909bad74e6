"""Finds the commands that README and docs show, and runs them in small form or, where they are listed, parses them."""

from __future__ import annotations

import contextlib
import io
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import jsonargparse
import pytest
from packaging.requirements import Requirement
from support.cli_tools import ROOT, TINY, LitTrainerCLI, run

from lit_trainer.cli.commands import COMMANDS

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCES = {"sh", "python", "yaml", "cython", ""}
"""Languages of blocks. Another one, such as `bash`, would hide commands from these tests."""
PROGRAMS = ("lit-trainer", "python", "pip", "make", "mkdocs", "tensorboard", "torchrun", "srun")


class Step(NamedTuple):
    """Holds something that a reader of a page would run."""

    kind: str
    """A block's language, "inline" for a command in running text, or "text" for a block without a language."""
    text: str


def steps(page: Path) -> Iterator[Step]:
    """Yields blocks and commands of a page, in order. `sh` blocks are cut into commands, without their comments."""
    text = page.read_text()
    for found in re.finditer(r"^```(\w*)\n(.*?)^```$|(?<!`)`([^`\n]+)`(?!`)", text, re.DOTALL | re.MULTILINE):
        language, block, inline = found.groups()
        if inline:
            if inline.split()[0] in PROGRAMS and len(inline.split()) > 1:
                yield Step("inline", inline)
        elif language == "sh":
            lines = block.replace("\\\n", " ").splitlines()
            yield from (Step("sh", shlex.join(shlex.split(line, comments=True))) for line in lines if line.strip())
        else:
            yield Step(language or "text", block)


# ---------------------------------------------------------------------- run in small form

NO_EVALUATION = ["--trainer.max_epochs=2", "--trainer.limit_val_batches=0", "--evaluate_first=false"]
SMALL = {
    "fit": [*TINY, *NO_EVALUATION],
    "test": [*TINY, "--data.test.simulations=[0]", "--data.test.opponents=[random]"],
    "tournament": ["--games=2", "--threads=1"],
    "report": ["--simulations=2", "--games=12", "--opponents=[random]", "--threads=1"],
    "export": [],
    "inspect": [],
    "play": ["--simulations=2"],
}
"""Flags that shrink a subcommand of `lit-trainer`. A command that is neither here nor listed below fails the tests."""


def run_small(words: list[str]) -> None:
    with pytest.MonkeyPatch.context() as terminal:
        terminal.setattr(sys, "stdin", io.StringIO("quit\n"))  # for `play`
        run(words[1], *words[2:], *SMALL[words[1]])


def run_script(words: list[str]) -> None:
    """Runs a Python file in this process."""
    with pytest.MonkeyPatch.context() as shell:
        shell.setattr(sys, "argv", words[1:])
        runpy.run_path(words[1], run_name="__main__")


# ---------------------------------------------------------------------- parsed


def parse(words: list[str]) -> None:
    """Parses a command of `lit-trainer`, up to where it would begin."""
    with pytest.raises(SystemExit) as stopped, contextlib.redirect_stdout(io.StringIO()):
        run(*words[1:], "--print_config")
    assert stopped.value.code == 0


def parse_launched(words: list[str]) -> None:
    """Parses the command that a launcher starts, and torchrun's own flags."""
    start = words.index("lit_trainer" if words[0] == "torchrun" else "lit-trainer")
    if words[0] == "torchrun":
        from torch.distributed.run import get_args_parser

        known = get_args_parser().parse_args(words[1:])
        assert known.module and known.training_script == "lit_trainer"
    parse(["lit-trainer", *words[start + 1 :]])


def parse_benchmark(words: list[str]) -> None:
    with pytest.MonkeyPatch.context() as path:
        path.syspath_prepend(str(ROOT / "benchmarks"))
        main = runpy.run_path(str(ROOT / words[1]))["main"]
    with pytest.raises(SystemExit) as stopped, contextlib.redirect_stdout(io.StringIO()):
        jsonargparse.auto_cli(main, args=[*words[2:], "--print_config"])
    assert stopped.value.code == 0


def parse_make(words: list[str]) -> None:
    """Checks that a target exists, with all it needs."""
    subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, check=True, capture_output=True, timeout=60)


def parse_pip(words: list[str]) -> None:
    """Checks that folders hold a project, constraints and extras exist, and pip could read the requirements."""
    assert words[1] == "install"
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    rest = iter(words[2:])
    for word in rest:
        if word in ("-c", "--constraint"):
            assert (ROOT / next(rest)).is_file()
        elif word.startswith("."):
            folder, _, wanted = word.removesuffix("]").partition("[")
            assert (ROOT / folder / "pyproject.toml").is_file()
            assert set(filter(None, wanted.split(","))) <= extras.keys()
        elif not word.startswith("-"):
            requirement = Requirement(word)
            assert requirement.name != "lit-alphazero" or requirement.extras <= extras.keys()


def parse_pytest(words: list[str]) -> None:
    """Checks that the tests exist."""
    done = subprocess.run(
        [sys.executable, *words[1:], "--collect-only", "-q", "-p", "no:cacheprovider"],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0 and re.search(r"[1-9]\d*(/\d+)? tests? collected", done.stdout), done.stdout[-500:]


def parse_tensorboard(words: list[str]) -> None:
    from tensorboard import program

    program.TensorBoard().configure([words[0], *words[1:]])


def nothing(words: list[str]) -> None:
    """Checks nothing, because the command has no arguments that could be wrong."""


class Listed(NamedTuple):
    """Describes commands that are not run here."""

    pattern: str
    """Regular expression of the whole command."""
    check: Callable[[list[str]], None]
    why: str
    """Why they are not run. If a test runs them, its place as ``tests/FILE.py::NAME``."""


LISTED = [
    Listed(
        r"lit-trainer fit( --config configs/[\w/]+\.yaml)+",
        parse,
        "tests/system/test_cli.py::test_every_configuration_trains runs every configuration with every overlay",
    ),
    Listed(
        r"lit-trainer tournament --agents .*checkpoints/iter1000\.ckpt@256.*",
        parse,
        "twenty players, some with long searches; the tournament of docs/measuring.md is run",
    ),
    Listed(
        r"(lit-trainer|srun|torchrun) .* --trainer.strategy ddp .*",
        parse_launched,
        "needs GPUs; "
        "tests/system/test_distributed.py::test_processes_play_different_games_and_stay_equal runs on two CPUs",
    ),
    Listed(
        r"srun lit-trainer fit --config configs/[\w/]+\.yaml",
        parse_launched,
        "needs SLURM; "
        "tests/system/test_signals.py::test_slurm_s_signal_puts_the_job_back_and_the_job_goes_on plays its part",
    ),
    Listed(
        r"lit-trainer web.*",
        parse,
        "serves until it is stopped; tests/lit_trainer/play/test_browser.py::"
        "test_a_game_by_mouse_survives_a_reload_and_is_saved plays on it",
    ),
    Listed(r"tensorboard --logdir runs", parse_tensorboard, "serves until it is stopped"),
    Listed(r"make [\w-]+", parse_make, "make test runs these tests, make quickstart trains for minutes"),
    Listed(
        r"pip install .*",
        parse_pip,
        "tests/system/test_package.py::test_the_wheel_works_outside_the_checkout and "
        "tests/system/test_package.py::test_the_callbacks_alone_install_without_a_compiler install",
    ),
    Listed(r"python -m build", nothing, "tests/system/test_package.py::test_the_sdist_holds_every_source builds"),
    Listed(
        r"python benchmarks/\w+\.py.*",
        parse_benchmark,
        "takes minutes; run in small form by tests/system/test_benchmarks.py::test_a_benchmark_runs",
    ),
    Listed(r"python -m pytest .*", parse_pytest, "is a part of the test suite"),
]


def follow(command: str, is_inline: bool = False) -> None:
    """Runs a command in small form in the current folder, or checks it as it is listed.

    Raises:
        AssertionError: The command is neither known nor listed.
    """
    words = shlex.split(command)
    if is_inline and words[0] == "lit-trainer" and len(words) == 2:  # the text speaks of a subcommand
        assert words[1] in COMMANDS or words[1] in LitTrainerCLI.subcommands()
        return
    for listed in LISTED:
        if re.fullmatch(listed.pattern, command):
            _check_once(listed, command)
            return
    if words[0] == "lit-trainer" and words[1] in SMALL:
        run_small(words)
    elif words[0] == "python" and words[1].endswith(".py"):
        run_script(words)
    else:
        raise AssertionError("neither run (SMALL) nor listed with a reason (LISTED) in tests/support/doc_commands.py")


@cache
def _check_once(listed: Listed, command: str) -> None:
    """Checks a listed command once, because many pages show the same."""
    listed.check(shlex.split(command))


def sandbox(folder: Path, run_folder: Path) -> None:
    """Makes a folder look like a checkout in which the quickstart has been run, as the pages assume."""
    for name in ("configs", "checkpoints"):
        os.symlink(ROOT / name, folder / name)
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns("*.png", "*.md", "*.svg"))
    shutil.copy(ROOT / "docs" / "opponents.md", folder / "docs")  # docs/generate.py writes into it
    shutil.copytree(run_folder / "runs", folder / "runs", copy_function=os.link)
    last = folder / "runs/quickstart/version_0/checkpoints/last.ckpt"
    for name in ("PATH", "A.ckpt", "B.ckpt", last.with_name("iter50.ckpt")):  # places that pages leave to the reader
        os.link(last, folder / name)
