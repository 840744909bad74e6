"""A setting that moved into a group is named with its new place, in a file and as a flag."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.cli_tools import BuiltOnce, config

from lit_trainer.cli.moved_settings import MOVED, moved_settings, new_name


@pytest.mark.parametrize("old", MOVED)
def test_each_old_flag_is_named_with_its_new_one(old: str) -> None:
    for flag in ([f"--{old}=1"], [f"--{old}", "1"]):
        assert moved_settings(["fit", *flag]) == f"settings have moved into groups: {old} is now {MOVED[old]}"


def test_all_files_and_flags_are_in_one_error(tmp_path: Path) -> None:
    """A second error after the first was mended."""
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("data: {simulations: 3, workers: 2}")
    second.write_text("data: {simulations: 4, test_games: 2}")
    said = moved_settings(["fit", f"--config={first}", "-c", str(second), "--data.search.c_puct=1.0"])
    listed = "simulations is now data.generation.simulations, data.workers is now data.workers.count, "
    listed += "data.test_games is now data.test.games, data.search.c_puct is now data.generation.search.c_puct"
    assert said == f"settings have moved into groups: data.{listed}"


@pytest.mark.parametrize(
    "text", ["data: {workers: null}", "data: {workers: {count: 2}}", "data: 3", "[1]", "", "data: [", "a: 1\na: 2"]
)
def test_what_holds_no_old_name_is_left_to_the_parser(text: str, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    assert moved_settings([f"--config={file}", "--config=nowhere.yaml", "--data.workers=null"]) is None
    assert moved_settings(["--data.workers", "{count: 2}", "--data.workers.count=2", "--data.searching.a=1"]) is None


def test_every_new_name_is_a_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """A name in the error that the parser does not know."""
    command = BuiltOnce(
        [*config("quickstart.yaml"), "--data.workers={count: 1}", "--trainer.accelerator=cpu"], run=False
    )
    for old in MOVED:
        assert new_name(old).partition(" ")[0] in command.config, old
