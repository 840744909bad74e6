"""`lit-trainer play` as a person meets it: a whole game through a pipe, and one line for whatever is wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli_tools import ROOT, run

from lit_trainer.play import SavedGame


def played(folder: Path, lines: list[str], *flags: str) -> subprocess.CompletedProcess[str]:
    """Runs the command in a separate process with lines as its input."""
    return subprocess.run(
        [sys.executable, "-m", "lit_trainer", "play", *flags],
        input="".join(f"{line}\n" for line in lines), cwd=folder, capture_output=True, text=True, timeout=300,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"},
    )  # fmt: skip


@pytest.mark.slow
def test_a_game_is_played_to_its_end_saved_and_shown_again(tmp_path: Path, checkpoint_path: Path) -> None:
    """By numbers, in a folder with a checkpoint that is found by itself; then undone, ended anew and loaded."""
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/iter600.ckpt").write_bytes(checkpoint_path.read_bytes())
    moves = ["1"] * 12
    lines = ["hint", *moves, "save game.txt", "undo", "1", "save again.txt", "save game.txt", "quit"]
    done = played(tmp_path, lines, "--simulations", "4", "--seed", "5")
    assert done.returncode == 0, done.stderr
    assert "you play checkpoints/iter600.ckpt" in done.stdout
    assert "iter600, 4 simulations would play " in done.stdout
    assert re.search(r"(You win|You lose|The game is over): \d+ to \d+, ", done.stdout)
    assert "save: 'game.txt' exists already; name another file" in done.stdout
    text = (tmp_path / "game.txt").read_text()
    record = SavedGame.parse(text)
    assert record.states()[-1].is_terminal and record.seed == 5
    assert record.players == ("person", "iter600, 4 simulations")
    assert (tmp_path / "again.txt").read_text() == text  # the same choices have the same answers
    shown = played(tmp_path, [], "--load", "game.txt", "--agent", "random")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("agent: ") == 12
    assert record.text().rpartition("end: ")[2].strip() in shown.stdout


@pytest.mark.slow
def test_the_agent_s_hand_is_never_printed(tmp_path: Path) -> None:
    """Fails if anything printed before a person's move depends on a hidden card."""
    done = played(tmp_path, ["S", "save game.txt"], "--agent", "heuristic", "--seed", "5")
    record = SavedGame.parse((tmp_path / "game.txt").read_text())
    assert len(record.moves) == 2
    assert "4 hidden" in done.stdout
    shown = done.stdout.replace("to THAT'S IT", "")
    opponents = [line for line in shown.splitlines() if line.strip().startswith("agent")]
    words = set(re.findall(r"[a-z]+", " ".join(opponents)))
    assert not words & {"lion", "hippo", "giraffe", "zebra", "seal", "monkey", "kangaroo", "parrot"}, opponents


def answers(lines: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *flags: str) -> str:
    """Returns what the command prints for lines of input, in this process."""
    waiting = iter(lines)

    def read(*prompt: object) -> str:
        try:
            return next(waiting)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", read)
    monkeypatch.setenv("COLUMNS", "100")
    run("play", "--agent", "random", "--seed", "5", *flags)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("L", "'L' is neither a legal move (S E U K) nor a command; try help"),
        ("5", "'5' is no move's number; expected 1 to 4"),
        ("0", "'0' is no move's number; expected 1 to 4"),
        ("0000000001" + "9" * 5000, "'00000000019999999999' is no move's number; expected 1 to 4"),
        ("9" * 5000, "'99999999999999999999' is no move's number; expected 1 to 4"),
        ("undo", "undo: you have not moved yet"),
        ("save", "save: name a file, e.g. save game.txt"),
        ("[bold]\x1b", "'[bold]\\x1b' is neither a legal move (S E U K) nor a command; try help"),
    ],
)
def test_wrong_input_gets_one_clear_line(
    line: str, says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, prompt, _ = answers([], capsys, monkeypatch).rpartition("> ")
    assert answers([line], capsys, monkeypatch) == f"{before}{prompt}{says}\n{prompt}\n"


def test_the_other_seat_the_other_games_and_hints_of_an_agent_without_reasons(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = answers(["hint", "help"], capsys, monkeypatch, "--seat", "second")
    assert re.search(r"^agent: \w+.* \(\w\)$", said, re.MULTILINE)
    assert "ismcts:1000 would play " in said and "your win chance " in said and "write the game to a new file" in said
    said = answers(["4", "9"], capsys, monkeypatch, "--game", "connect_four")
    assert "you: column 4 (4)" in said and "'9' is neither a legal move (1 2 3 4 5 6 7)" in said


def test_whom_an_agent_expects_is_said_with_its_moves_and_beliefs_when_asked_for_or_at_the_end(
    checkpoint_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = f"{checkpoint_path}@4+skunk"
    flags = ("--agent", agent)
    said = " ".join(answers(["beliefs", "1"], capsys, monkeypatch, *flags).split())
    assert "beliefs: there are none; only an agent that expects an opponent" in said
    assert "considered" in said and "; expects skunk" in said and "believes of" not in said
    asked = " ".join(answers(["1", "beliefs", "undo", "beliefs"], capsys, monkeypatch, *flags).split())
    found = re.findall(r"believes of your hand: (.*?) >", asked)
    assert len(found) == 1 and found[0].count(" %") == 11 and "(S)" not in found[0]  # the snake was played
    assert asked.count("beliefs: there are none") == 1
    hint = " ".join(answers(["hint"], capsys, monkeypatch, *flags).split())
    assert "4 simulations, expects skunk would play " in hint
    assert "believes of the other player's hand: lion (L) 33 %, hippo (H) 33 %, " in hint
    whole = " ".join(answers(["1"] * 12 + ["review"], capsys, monkeypatch, *flags).split())
    play, review = whole.split("The game is over: " if "The game is over: " in whole else "You ")
    assert "believes of" not in play and "expected skunk, but it would not have played so" in play
    assert review.count("believes of your hand: ") == 11 and found[0] in review


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--agent", "nobody"], "agent: 'nobody' is neither a known player nor a file"),
        (["--agent", "ismcts:0"], "agent: 'ismcts:0' given, expected ismcts:N"),
        (["--game", "chess"], "game: 'chess' cannot be shown; games to play are beasty_bar"),
        (
            ["--agent", "skunk", "--game", "connect_four"],
            "agent: skunk plays beasty_bar and beasty_bar_animals, expected connect_four, whose built-in opponents are",
        ),
        (["--agent", "random", "--seed", "-1"], "seed: -1 given, expected an integer from 0"),
        (["--load", "none.txt"], "error: load: 'none.txt' cannot be read (No such file or directory)"),
        (["--load", "bad.txt"], "load: 'bad.txt': line 1: 'nonsense' given"),
        (["--load", "nobody.txt"], "seat: missing; the loaded game names no person"),
        (["--seat", "third"], "seat"),
        (["--colour", "red"], "colour"),
    ],
)
def test_wrong_flags_end_in_a_line(
    flags: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.txt").write_text("nonsense\n")
    (tmp_path / "nobody.txt").write_text(SavedGame.parse(NOBODY).text())
    with pytest.raises(SystemExit) as stopped:
        run("play", *flags)
    assert stopped.value.code == 2
    assert says in capsys.readouterr().err


NOBODY = "lit-alphazero game 1\ngame: beasty_bar\nplayer 0: a\nplayer 1: b\ndeal: seed 1\n"
