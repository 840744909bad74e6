"""README and docs, followed: every command and every Python block of a page, in order, in a folder of its own."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from support.cli_tools import ROOT, TINY, config, run
from support.doc_commands import FENCES, LISTED, PAGES, PROGRAMS, follow, sandbox, steps


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder in which one tiny iteration of the quickstart has been run."""
    folder = tmp_path_factory.mktemp("quickstart")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run("fit", *config("quickstart.yaml"), *TINY, "--trainer.max_epochs=1", "--trainer.limit_val_batches=0")
    return folder


SLOW = {"README.md", "measuring.md", "configs.md", "report.md", "adding_a_game.md"}
FOLLOWED = [
    pytest.param(page, marks=[pytest.mark.slow] if page.name in SLOW else [], id=page.relative_to(ROOT).as_posix())
    for page in PAGES
    if any(steps(page))
]


# of tensorboard's own needs, and of a run that goes on with another number of ModelCheckpoints
@pytest.mark.filterwarnings("ignore:html5lib's sanitizer is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`:UserWarning")
@pytest.mark.filterwarnings("ignore:.*does not have many workers:UserWarning")
@pytest.mark.parametrize("page", FOLLOWED)
def test_a_page_can_be_followed(page: Path, quickstart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag, file, name or answer that is not there any more; a command that no test knows."""
    sandbox(tmp_path, quickstart)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    names: dict[str, object] = {"__name__": "__main__"}
    for kind, text in steps(page):
        if kind == "python":
            exec(compile(text, str(page), "exec"), names)
            _keep_classes(text)
        elif kind == "yaml":
            Path("mine.yaml").write_text(text)
        elif kind in ("sh", "inline"):
            try:
                follow(text, is_inline=kind == "inline")
            except (Exception, SystemExit) as error:
                raise AssertionError(f"{page.name}: {text}: {error!r}") from error


def _keep_classes(block: str) -> None:
    """Where a page defines a class, it goes on with it in `my_opponents`, as its reader would have to."""
    if any(isinstance(node, ast.ClassDef) for node in ast.parse(block).body):
        Path("my_opponents.py").write_text(block)


def test_no_command_is_where_nobody_looks() -> None:
    """Fails if a command stands in a block of another language, or of none, where no test looks."""
    for page in PAGES:
        fences = re.findall(r"^ *```.*$", page.read_text(), re.MULTILINE)
        assert len(fences) % 2 == 0 and not [fence for fence in fences if not re.fullmatch(r"```\w*", fence)], page
        for kind, text in steps(page):
            assert kind in FENCES | {"inline", "text"}, f"{page}: {kind}"
            if kind == "text":
                assert not [line for line in text.splitlines() if line.split(" ")[0] in PROGRAMS], f"{page}: {text}"


@pytest.mark.parametrize(
    "command", ["lit-trainer dance --now", "cargo build", "python -m http.server", "lit-trainer fit --config"]
)
def test_a_command_that_nobody_knows_fails(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((AssertionError, SystemExit)):
        follow(command)


def test_reasons_name_tests_that_are_there() -> None:
    """Fails if a test that runs a listed command has been renamed or dropped."""
    for listed in LISTED:
        for path, name in re.findall(r"(tests/[\w/]+\.py)::(\w+)", listed.why):
            assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE), f"{path}::{name}"
