"""Every key of every shipped YAML, given wrong or left out: one readable error, before anything is written."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.cli_tools import CONFIGS, ROOT, BuiltOnce

from lit_trainer.cli.lightning_cli import DEFAULTS

Key = tuple[str | int, ...]
Settings = dict[str, Any]
FILES = {path.name: path for path in [DEFAULTS, *sorted(CONFIGS.glob("*.yaml"))]}
FREE_TEXT = ("run_name", "name", "save_dir", "filename")
"""Settings that may be any text."""


@cache
def loaded(name: str) -> Settings:
    """Returns the settings of a file, which must not be changed."""
    text = FILES[name].read_text().replace("checkpoints/", f"{ROOT}/checkpoints/")
    settings: Settings = yaml.safe_load(text)
    settings.pop("ckpt_path", None)  # of the sub-command, which is not run here
    return settings


def keys(node: Any, at: Key = ()) -> Iterator[tuple[Key, Any]]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield (*at, name), value
            yield from keys(value, (*at, name))
    elif isinstance(node, list):
        for k, value in enumerate(node):
            yield from keys(value, (*at, k))


def changed(settings: Settings, key: Key, value: Any, name: str = "") -> Settings:
    """Returns settings with another value at a key or, if a name is given, with that name in place of the key."""
    settings = copy.deepcopy(settings)
    place: Any = settings
    for part in key[:-1]:
        place = place[part]
    if name:
        value = place.pop(key[-1])
    place[name or key[-1]] = value
    return settings


def without(settings: Settings, key: Key) -> Settings:
    settings = copy.deepcopy(settings)
    place: Any = settings
    for part in key[:-1]:
        place = place[part]
    del place[key[-1]]
    return settings


def wrong_values(key: Key, value: Any) -> list[Any]:
    """Returns values that the setting cannot have."""
    if isinstance(value, bool):
        return ["perhaps"]
    if isinstance(value, (int, float)):
        return ["many", -7, math.nan, [1, 2], *([10**30] if isinstance(value, int) else [])]
    if isinstance(value, str):
        return [{"a": 1}] if key[-1] in FREE_TEXT else [{"a": 1}, "é ☃"]
    return ["nothing", 3]


UNIQUE: dict[Key, tuple[str, Any]] = {}
for _name in FILES:
    for _key, _value in keys(loaded(_name)):
        UNIQUE.setdefault(_key, (_name, _value))


def outcome(args: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Returns the error that the command line ends with, or "taken". Anything else begins with "fault: "."""
    try:
        BuiltOnce(args, run=False)
    except SystemExit as stopped:
        error = capsys.readouterr().err
        if stopped.code != 2 or len(re.findall(r"^error: ", error, re.MULTILINE)) != 1 or "Traceback" in error:
            return f"fault: not one error: {error[-500:]}"
        return error[error.index("\nerror: ") + 1 :]
    except Exception as error:
        return f"fault: raised {error!r}"
    return "taken"


def not_refused(key: Key, args: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Returns what is wrong with the refusal of a key's value, empty if nothing is."""
    said = outcome(args, capsys)
    # the parser names the group that a class path or its arguments stand in
    named = [part for part in key if isinstance(part, str) and part not in ("class_path", "init_args")]
    last = named[-1].removesuffix("z").removesuffix("+")  # `callbacks+` adds to `callbacks`
    return "" if said.startswith("error: ") and last in said else said


def written(settings: Settings) -> list[str]:
    """Writes settings to a file in the working directory, and returns the flags that name it."""
    Path("given.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True))
    return ["--config=given.yaml"]


@pytest.fixture(autouse=True)
def nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    assert [path.name for path in tmp_path.iterdir()] == ["given.yaml"]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_a_wrong_value_is_refused_by_name(part: int, capsys: pytest.CaptureFixture[str]) -> None:
    faults = {}
    for key, (name, value) in list(UNIQUE.items())[part::4]:
        for wrong in wrong_values(key, value):
            if fault := not_refused(key, written(changed(loaded(name), key, wrong)), capsys):
                faults[f"{name} {'.'.join(map(str, key))} {wrong!r}"] = fault
    assert not faults


@pytest.mark.slow
def test_a_wrong_value_of_a_flag_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    faults = {}
    single = [
        (key, name, value)
        for key, (name, value) in UNIQUE.items()
        if all(isinstance(part, str) for part in key) and isinstance(value, (bool, int, float))
    ]
    for key, name, value in single:
        given = written(loaded(name))
        wrong = wrong_values(key, value)[0]
        if fault := not_refused(key, [*given, f"--{'.'.join(map(str, key))}={wrong}"], capsys):
            faults[f"{name} {'.'.join(map(str, key))} {wrong!r}"] = fault
    assert not faults


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
def test_a_key_that_is_missing_is_fine_or_ends_in_one_error(part: int, capsys: pytest.CaptureFixture[str]) -> None:
    faults = {}
    for key, (name, _) in list(UNIQUE.items())[part::2]:
        said = outcome(written(without(loaded(name), key)), capsys)
        if said.startswith("fault: "):
            faults[f"{name} {'.'.join(map(str, key))}"] = said
    assert not faults


@pytest.mark.slow
def test_a_misspelt_key_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    faults = {}
    named = [(key, name) for key, (name, _) in UNIQUE.items() if isinstance(key[-1], str)]
    for key, name in named[::3]:
        settings = changed(loaded(name), key, None, name=f"{key[-1]}z")
        if fault := not_refused((*key[:-1], f"{key[-1]}z"), written(settings), capsys):
            faults[f"{name} {'.'.join(map(str, key))}"] = fault
    assert not faults
