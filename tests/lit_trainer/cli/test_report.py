"""The command `report`: its files, made of a real checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lit_trainer.__main__ import main


def test_the_command_writes_pictures_numbers_and_games(checkpoint_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    flags = ["--simulations=2", "--games=60", "--opponents=[random,itself]"]
    main(["report", f"--ckpt_path={checkpoint_path}", f"--out={out}", *flags])
    for name in ("animals.png", "calibration.png"):
        assert (out / name).read_bytes()[:4] == b"\x89PNG"
    facts = json.loads((out / "report.json").read_text())
    assert len(facts["played_when_held"]) == len(facts["worth_of_holding"]) == 12
    assert set(facts["calibration"]) == {"turns 0 to 5", "turns 6 to 11", "turns 12 to 15"}
    assert 0 <= facts["first_player_score"] <= 1
    text = (out / "games.md").read_text()
    assert text.count("## Against") == 2 and text.count("| 24 |") == 2
    assert not list(out.glob(".*"))


def test_an_agent_that_knows_its_opponent_says_what_it_believes(checkpoint_path: Path, tmp_path: Path) -> None:
    """Fails if the opponent is not told in its own game, or is in another's."""
    out = tmp_path / "report"
    flags = ["--simulations=2", "--games=2", "--opponents=[skunk,itself]", "--opponent_model=told"]
    main(["report", f"--ckpt_path={checkpoint_path}", f"--out={out}", *flags])
    _, skunk, itself = (out / "games.md").read_text().split("## Against")
    assert "believes in the other hand" in skunk and "believes" not in itself


def test_an_unknown_opponent_to_expect_is_refused_before_anything_is_written(
    checkpoint_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["report", f"--ckpt_path={checkpoint_path}", f"--out={tmp_path / 'out'}", "--opponent_model=skank"])
    assert "opponent_model: 'skank' given, expected one of none, told" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_a_missing_checkpoint_ends_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["report", f"--ckpt_path={tmp_path / 'none.ckpt'}", f"--out={tmp_path / 'out'}"])
    assert "none.ckpt" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()
