"""Configurations that YAML takes silently, or never ends with: one readable error that says where."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from support.cli_tools import CONFIGS, BuiltOnce, config

from lit_trainer.__main__ import main
from lit_trainer.cli.config_files import MAX_MESSAGE, MAX_NODES, ConfigError, load_config, read_config

LAUGHS = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]\n" for k in range(1, 6)
)
WRONG: dict[str, tuple[bytes, str]] = {
    "latin-1": ("data: {}\n# é\n".encode("latin-1"), "line 2: byte 0xe9 is no UTF-8 text"),
    "utf-16": ("data: {}".encode("utf-16"), "line 1: byte 0xff is no UTF-8 text"),
    "utf-16 without a mark": ("data: {}".encode("utf-16-le"), "line 1: byte 0x00 is no UTF-8 text"),
    "deep": (b"data: " + b"[" * 3000 + b"]" * 3000, "line 1: nested 51 deep, expected at most 50"),
    "deep, one a line": (b"data:\n" + b"\n".join(b" " * k + b"a:" for k in range(1, 99)), "line 52: nested 51 deep"),
    "a circle": (b"data: &a\n  search: *a", "line 2: data.search: *a within &a itself"),
    "billion laughs": (LAUGHS.encode(), "line 4: over 10,000 values"),
    "long": (b"data: [" + b"1," * MAX_NODES + b"]", "line 1: over 10,000 values"),
    "twice": (
        b"data:\n  batch_size: 16\n  threads: 1\n  batch_size: 32",
        "line 4: data.batch_size: given twice, first in line 2",
    ),
    "twice in a list": (b"trainer: {callbacks: [{x: 1, x: 1}]}", "line 1: trainer.callbacks.0.x: given twice"),
    "base 60": (b"data: {batch_size: 1:30}", "line 1: data.batch_size: 1:30 given, a number in base 60"),
    "base 60, a float": (b"data: {temperature: 1:30.5}", "line 1: data.temperature: 1:30.5 given, a number in base 60"),
    "base 8": (b"data: {batch_size: 010}", "line 1: data.batch_size: 010 given, a number in base 8"),
    "thousands of digits": (b"data: {batch_size: " + b"9" * 5000 + b"}", "Exceeds the limit"),
    "a tag": (b"data: !!int abc", "line 1: data: the tag 'tag:yaml.org,2002:int' given, expected none"),
    "a list for a name": (b"? [1]\n: 2", "line 1: the file: a list, a group or an alias given as a name"),
    "no YAML": (b"data:\n\tx: 1", "line 2: not YAML: found character that cannot start any token"),
    "a control character": (b"data: \x01", "unacceptable character #x0001"),
    "two documents": (b"data: {}\n---\ndata: {}", "line 2: not YAML: but found another document"),
}


WRONG_SETTINGS: dict[str, tuple[bytes, str]] = {
    "twice": (b"data:\n  threads: 16\n  threads: 1", "given.yaml: line 3: data.threads: given twice, first in line 2"),
    "base 60 in quotes": (b"data: {batch_size: '1:30'}", "data.batch_size: '1:30' given, expected a number in base 10"),
    "nothing": (b"", "None in it, expected settings"),
    "a list": (b"- data", "['data'] in it, expected settings"),
    "config": (b"config: 3", "config: 3 given, expected the name of a file"),
    "a number for a name": (b"data: {1: 2}", "Key must be a string"),
    "a file of another kind": (b"data: latin.yaml", "no UTF-8 text after b'# a '"),
    "a file with a setting twice": (b"data: twice.yaml", "line 2: threads: given twice, first in line 1"),
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Runs each test in an empty folder, where nothing may be written, and ends what does not end."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("# a é\n".encode("latin-1"))
    (tmp_path / "twice.yaml").write_text("threads: 1\nthreads: 2\n")
    signal.alarm(60)
    yield
    signal.alarm(0)
    assert {path.name for path in tmp_path.iterdir()} <= {"given.yaml", "latin.yaml", "twice.yaml"}


def refusal(capsys: pytest.CaptureFixture[str], run: Callable[[], object]) -> str:
    with pytest.raises(SystemExit) as stopped:
        run()
    error = capsys.readouterr().err
    assert stopped.value.code == 2 and "Traceback" not in error
    (at,) = [found.end() for found in re.finditer(r"^error: ", error, re.MULTILINE)]
    assert len(error) - at < MAX_MESSAGE + 200
    return error[at:]


def quickstart_with(*flags: str) -> Callable[[], object]:
    return partial(BuiltOnce, [*config("quickstart.yaml"), *flags], run=False)


@pytest.mark.parametrize("kind", WRONG)
def test_a_file_is_refused_by_line(kind: str) -> None:
    raw, said = WRONG[kind]
    Path("given.yaml").write_bytes(raw)
    with pytest.raises(ConfigError) as refused:
        read_config("given.yaml")
    assert str(refused.value).startswith("given.yaml: ") and said in str(refused.value)


@pytest.mark.parametrize("kind", WRONG_SETTINGS)
def test_a_file_ends_in_one_readable_error(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    raw, said = WRONG_SETTINGS[kind]
    Path("given.yaml").write_bytes(raw)
    assert said in refusal(capsys, quickstart_with("--config=given.yaml"))


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("-ctwice.yaml", "twice.yaml: line 2: threads: given twice"),
        ("--data=twice.yaml", "line 2: threads: given twice"),
        ("--data=latin.yaml", "no UTF-8 text after b'# a '"),
        ("--data={threads: 1, threads: 2}", "threads: given twice"),
        ("--data=&a {search: *a}", "*a within &a itself"),
        (f"--data={'[' * 3000}", "characters left out"),
        ("--config={data: {threads: 1, threads: 2}}", "data.threads: given twice"),
        ("--data.batch_size=1:30", "data.batch_size: '1:30' given, expected a number in base 10"),
        ("--data.batch_size=&a [*a]", "data.batch_size"),
    ],
)
def test_a_flag_is_read_strictly(flag: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said in refusal(capsys, quickstart_with(flag))


def test_subcommands_read_strictly(capsys: pytest.CaptureFixture[str]) -> None:
    """A parser of a subcommand's own that reads in another way."""
    said = "twice.yaml: line 2: threads: given twice"
    assert said in refusal(capsys, lambda: main(["validate", *config("quickstart.yaml"), "-c", "twice.yaml"]))
    assert said in refusal(capsys, lambda: main(["tournament", "--config=twice.yaml"]))
    base_60 = ["--data.batch_size", "1:30"]
    assert "'1:30' given" in refusal(capsys, lambda: main(["fit", *config("quickstart.yaml"), *base_60]))


def test_what_is_meant_is_read(tmp_path: Path) -> None:
    """A check that refuses what people write: a mark before UTF-8, aliases, times in quotes, numbers as keys."""
    path = tmp_path / "given.yaml"
    path.write_bytes(
        b"\xef\xbb\xbfa: &a {x: 1e-3, y: '1:30', z: !!str 5, 0: -1}\nb: *a\nc: {<<: *a, x: 0}\nd: 00:12:00:00\ne: 0.5\n"
    )
    a = {"x": 1e-3, "y": "1:30", "z": "5", 0: -1}
    assert read_config(path) == {"a": a, "b": a, "c": a | {"x": 0}, "d": "00:12:00:00", "e": 0.5}
    for shipped in CONFIGS.rglob("*.yaml"):
        assert isinstance(read_config(shipped), dict)


def test_the_limits_are_where_they_are_said_to_be() -> None:
    assert load_config("[" * 50 + "]" * 50)
    ones = "1, " * (MAX_NODES - 1)
    assert len(load_config(f"[{ones}]")) == MAX_NODES - 1
    with pytest.raises(ConfigError):
        load_config(f"[{ones} 1]")
