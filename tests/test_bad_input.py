"""Every key of every shipped YAML, given wrong: one readable error that names it, before anything is written."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cli_tools import CONFIGS, ROOT, LitTrainerCLI

Key = tuple[str | int, ...]
Settings = dict[str, Any]
FILES = sorted(path.name for path in CONFIGS.glob("*.yaml"))
FREE_TEXT = ("name", "save_dir", "filename")
"""Settings that may be any text."""


def loaded(name: str) -> Settings:
    text = (CONFIGS / name).read_text().replace("checkpoints/", f"{ROOT}/checkpoints/")
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
    """With another value at a key or, where a name is given, with that name in the key's place."""
    settings = copy.deepcopy(settings)
    place: Any = settings
    for part in key[:-1]:
        place = place[part]
    if name:
        value = place.pop(key[-1])
    place[name or key[-1]] = value
    return settings


def wrong_values(key: Key, value: Any) -> list[Any]:
    """What that setting cannot be."""
    if isinstance(value, bool):
        return ["perhaps"]
    if isinstance(value, (int, float)):
        return ["many", -7, math.nan, [1, 2]]
    if isinstance(value, str):
        return [{"a": 1}] if key[-1] in FREE_TEXT else [{"a": 1}, "é ☃"]
    return ["nothing", 3]


UNIQUE: dict[Key, tuple[str, Any]] = {}
for _name in FILES:
    for _key, _value in keys(loaded(_name)):
        UNIQUE.setdefault(_key, (_name, _value))


def refused(settings: Settings, key: Key, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What is wrong with the refusal; nothing where it is as it should be."""
    file = folder / "given.yaml"
    file.write_text(yaml.safe_dump(settings, allow_unicode=True))
    try:
        LitTrainerCLI([f"--config={file}"], run=False)
    except SystemExit as stopped:
        error = capsys.readouterr().err
        if stopped.code != 2 or len(re.findall(r"^error: ", error, re.MULTILINE)) != 1 or "Traceback" in error:
            return f"not one error: {error[-500:]}"
        said = error[error.index("\nerror: ") :]
        # the parser names the group that a class path or its arguments stand in
        named = [part for part in key if isinstance(part, str) and part not in ("class_path", "init_args")]
        return "" if named[-1].removesuffix("z") in said else f"not named: {said}"
    except Exception as error:
        return f"raised {error!r}"
    return "taken"


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_a_wrong_value_is_refused_by_name(
    part: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    faults = {}
    for k, (key, (name, value)) in enumerate(UNIQUE.items()):
        wrong = wrong_values(key, value)
        chosen = wrong[(k // 4) % len(wrong)]  # one each: all of them take minutes
        if k % 4 == part and (fault := refused(changed(loaded(name), key, chosen), key, tmp_path, capsys)):
            faults[f"{name} {'.'.join(map(str, key))} {chosen!r}"] = fault
    assert not faults
    assert [path.name for path in tmp_path.iterdir()] == ["given.yaml"]


@pytest.mark.slow
def test_a_misspelt_key_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    faults = {}
    named = [(key, name) for key, (name, _) in UNIQUE.items() if isinstance(key[-1], str)]
    for key, name in named[::3]:
        settings = changed(loaded(name), key, None, name=f"{key[-1]}z")
        if fault := refused(settings, (*key[:-1], f"{key[-1]}z"), tmp_path, capsys):
            faults[f"{name} {'.'.join(map(str, key))}"] = fault
    assert not faults
    assert [path.name for path in tmp_path.iterdir()] == ["given.yaml"]
