"""Terminals that cannot show everything, and Ctrl-C that has to wait."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from pathlib import Path

import pytest
from rich.progress import Progress, SpinnerColumn
from support.cli_tools import TINY, config, run

from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.reporting.tables import evaluation_table, print_table
from lit_trainer.utils.terminal import interrupted_later, take_any_text

ENCODINGS = ("ascii", "latin-1", "gbk", "cp437", "utf-8")


class Terminal(io.TextIOWrapper):
    """A terminal of some encoding, which keeps what it shows."""

    def __init__(self, encoding: str) -> None:
        self.shown = io.BytesIO()
        super().__init__(self.shown, encoding=encoding, write_through=True)

    def isatty(self) -> bool:
        return True

    def text(self) -> str:
        return self.shown.getvalue().decode(self.encoding)


def terminal(encoding: str, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Standard output and error of an encoding, as a command of the shell has them."""
    made = Terminal(encoding)
    monkeypatch.setattr(sys, "stdout", made)
    monkeypatch.setattr(sys, "stderr", Terminal(encoding))
    take_any_text()
    return made


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_an_encoding_lacks_is_written_in_ascii(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = terminal(encoding, monkeypatch)
    print("50.0 ± 0.3 \u2013 é \u2026 \u2022 \u280b \udcff")
    plain = {"±": "+-", "\u2013": "-", "é": "e", "\u2026": "...", "\u2022": "*", "\u280b": "?", "\udcff": "?"}
    for sign, written in plain.items():
        try:
            sign.encode(encoding)
        except UnicodeEncodeError:
            assert sign not in shown.text() and f" {written}" in shown.text()
        else:
            assert sign in shown.text()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_tables_and_bars_are_shown(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the encoding in place of a result that took hours."""
    shown = terminal(encoding, monkeypatch)
    print_table(evaluation_table({"random": MatchResult(3, 1, 2, 0.58, 0.2, 0.8)}, {"random": 0.5}))
    with Progress(SpinnerColumn(), *Progress.get_default_columns()) as progress:
        progress.advance(progress.add_task("\u2022 games", total=2))
    assert "random" in shown.text() and "games" in shown.text()


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_run_and_a_tournament_end_well(encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ends at Lightning's progress bar, or a tournament that ends with its usage once all is played."""
    shown = terminal(encoding, monkeypatch)
    monkeypatch.chdir(tmp_path)
    few = ["--trainer.max_epochs=1", "--data.evaluation.opponents=[random]"]
    run("fit", *config("quickstart.yaml"), *TINY, *few)
    run("tournament", "--agents", "random", "heuristic", "online", "--games=4")
    assert "Evaluation at iteration 0" in shown.text() and "tournament.json" in shown.text()


def test_ctrl_c_waits_for_the_block_s_end() -> None:
    """Work that must be done and is left half done, or an interrupt that is lost."""
    before, done = signal.getsignal(signal.SIGINT), False
    with pytest.raises(KeyboardInterrupt), interrupted_later():
        os.kill(os.getpid(), signal.SIGINT)
        done = True
    assert done and signal.getsignal(signal.SIGINT) is before
    with interrupted_later():
        pass
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_are_not_interrupted_anyway() -> None:
    entered: list[bool] = []

    def work() -> None:
        with interrupted_later():
            entered.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert entered == [True]
