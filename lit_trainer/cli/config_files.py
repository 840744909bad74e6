"""Reads YAML configurations strictly: refuses, by line, what a YAML reader takes silently or never finishes reading."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import yaml
from jsonargparse import ArgumentParser, Namespace, get_loader, set_loader

MAX_DEPTH = 50
"""Deepest nesting of lists and groups."""
MAX_NODES = 10_000
"""Most values of one configuration, counting those that aliases repeat: ten times what all shipped ones hold."""
MAX_MESSAGE = 2000
"""Most characters of an error, which quotes the given values."""
MODE = "strict_yaml"
"""The parser mode of `StrictParser`."""

_READER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BASE_60 = re.compile(r"[-+]?(?:[1-9][0-9_]*(?::[0-5]?[0-9])+|[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*)")
_BASE_8 = re.compile(r"[-+]?0[0-7_]+")
_SAYS_NOTHING = re.compile(
    r"Does not validate against any of the Union subtypes|Subtypes: .*|Errors:|- Expected an? .*|"
    r"- Not a valid subclass of \w+\.?|Subclass types expect one of:|- a class path \(str\)|- a dict with.*|"
    r"Given value type: .*|Given value: Namespace.*"
)
"""Lines of the parser's errors about types that were not meant, and what it made of a value."""
_STRING_TAGS = (None, "!", "tag:yaml.org,2002:str")


class ConfigError(yaml.YAMLError):
    """Says why a configuration is refused: names the line and what would be right."""


def read_config(path: str | os.PathLike[str]) -> Any:
    """Returns the contents of a configuration file, as the parser reads it.

    Raises:
        ConfigError: The file is not in UTF-8, is no YAML, gives a setting twice, nests or repeats without end, or has
            a number that YAML reads in base 60 or 8. Names file and line.
        OSError: The file cannot be read.
    """
    raw = Path(path).read_bytes()
    try:
        return load_config(_decoded(raw))
    except yaml.YAMLError as error:
        raise ConfigError(f"{os.fspath(path)}: {error}") from None


def load_config(text: str) -> Any:
    """Returns the contents of a configuration's text.

    Raises:
        ConfigError: As for `read_config`, but without the file's name.

    >>> load_config("batch_size: 16\\nbatch_size: 32")
    Traceback (most recent call last):
    ...
    lit_trainer.cli.config_files.ConfigError: line 2: batch_size: given twice, first in line 1; expected once
    """
    try:
        _Document(yaml.parse(text, Loader=_READER)).check()
        return get_loader("yaml")(text)
    except ConfigError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError(f"line {mark.line + 1 if mark else 1}: not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # e.g. a whole number of 5000 digits
        raise ConfigError(f"not YAML: {' '.join(str(error).split())}") from None


def misread_number(text: str, value: object) -> bool:
    """Returns whether a text such as 1:30 became a number, because YAML reads it in base 60.

    >>> misread_number("1:30", 90), misread_number("1:30", "1:30")
    (True, False)
    """
    return isinstance(value, (int, float)) and _BASE_60.fullmatch(text.strip()) is not None


def in_one_line(message: str) -> str:
    """Returns an error of the parser in one line, without what it says of other types that the value could have had.

    >>> in_one_line("Parser key a:\\n  Errors:\\n    - b: 3 given, expected 1\\n    - Expected a <class 'NoneType'>")
    'Parser key a: b: 3 given, expected 1'
    """
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    kept = [line.removeprefix("- ") for line in lines if not _SAYS_NOTHING.fullmatch(line)]
    says_why = any(not line.startswith(("Parser key", "Given value")) for line in kept)
    return " ".join(kept if says_why else lines)


def _decoded(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig")
        wrong = text.find("\0")  # UTF-16 without a mark
    except UnicodeDecodeError as error:
        wrong = error.start
    if wrong >= 0:
        line = raw.count(b"\n", 0, wrong) + 1
        raise ConfigError(f"line {line}: byte 0x{raw[wrong]:02x} is no UTF-8 text; expected a file saved as UTF-8")
    return text


class _Document:
    """Checks a document by its YAML events, before any object is made."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._nodes = 0
        self._sizes: dict[str, int] = {}
        self._open: set[str] = set()

    def check(self) -> None:
        """Raises ConfigError if the document should not be loaded, and PyYAML's own error if it is no YAML."""
        for event in self._events:
            if isinstance(event, yaml.NodeEvent):
                self._node(event, "", 0)
                return  # the loader refuses further documents

    def _node(self, event: Any, name: str, depth: int) -> None:
        before = self._nodes
        self._count(event, 1)
        if depth > MAX_DEPTH:
            _refuse(event, f"nested {depth} deep, expected at most {MAX_DEPTH}")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in self._open:
                _refuse(event, f"{name}: *{event.anchor} within &{event.anchor} itself, expected no alias in a circle")
            self._count(event, self._sizes.get(str(event.anchor), 1) - 1)
            return
        if event.tag not in _STRING_TAGS:
            _refuse(event, f"{name}: the tag {event.tag!r} given, expected none")
        if event.anchor:
            self._open.add(event.anchor)
        if isinstance(event, yaml.ScalarEvent):
            _check_number(event, name)
        elif isinstance(event, yaml.MappingStartEvent):
            self._mapping(name, depth)
        else:
            self._sequence(name, depth)
        if event.anchor:
            self._open.discard(event.anchor)
            self._sizes[event.anchor] = self._nodes - before

    def _mapping(self, name: str, depth: int) -> None:
        first: dict[str, int] = {}
        while not isinstance(key := next(self._events), yaml.MappingEndEvent):
            if not isinstance(key, yaml.ScalarEvent):
                _refuse(key, f"{name or 'the file'}: a list, a group or an alias given as a name, expected a text")
            self._count(key, 1)
            inner = f"{name}.{key.value}" if name else key.value
            line = _line(key)
            if key.value in first:
                _refuse(key, f"{inner}: given twice, first in line {first[key.value]}; expected once")
            first[key.value] = line
            self._node(next(self._events), inner, depth + 1)

    def _sequence(self, name: str, depth: int) -> None:
        place = 0
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            self._node(event, f"{name}.{place}" if name else str(place), depth + 1)
            place += 1

    def _count(self, event: Any, more: int) -> None:
        self._nodes += more
        if self._nodes > MAX_NODES:
            _refuse(event, f"over {MAX_NODES:,} values, aliases counted for what they repeat; expected fewer")


def _check_number(event: Any, name: str) -> None:
    if event.implicit[0] and _BASE_60.fullmatch(event.value):
        _refuse(
            event, f"{name}: {event.value} given, a number in base 60; expected one in base 10, or quotes for a text"
        )
    if event.implicit[0] and _BASE_8.fullmatch(event.value):
        _refuse(event, f"{name}: {event.value} given, a number in base 8; expected one without a zero before it")


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _refuse(event: Any, what: str) -> NoReturn:
    raise ConfigError(f"line {_line(event)}: {what}")


def flags_in(args: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields names and values of flags such as ``--name=value``, ``--name value`` and ``-c value``."""
    for arg, following in pairwise([*args, ""]):
        if arg.startswith("-"):
            name, equals, text = arg.partition("=")
            yield name, text if equals else following


set_loader(MODE, load_config, (yaml.YAMLError,))


class StrictParser(ArgumentParser):
    """Parses arguments, and reads configurations in files and flags as `read_config` does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"parser_mode": MODE, **kwargs})

    def parse_path(self, path: str | os.PathLike[str], *args: Any, **kwargs: Any) -> Namespace:
        """Returns the settings of a file. An error names the file and the line."""
        try:
            found = read_config(path)
        except (ConfigError, OSError) as error:
            self.error(str(error))
        if not isinstance(found, dict):
            self.error(f"{os.fspath(path)}: {found!r} in it, expected settings, each as `name: value`")
        if not isinstance(found.get("config", ""), str):
            self.error(f"{os.fspath(path)}: config: {found['config']!r} given, expected the name of a file")
        settings: Namespace = super().parse_path(path, *args, **kwargs)
        return settings

    def parse_args(self, *args: Any, **kwargs: Any) -> Namespace:  # type: ignore[override]
        """Returns the settings of the flags and of the files that they name."""
        try:
            settings: Namespace = super().parse_args(*args, **kwargs)
            for flag, text in flags_in(self.args):
                name = flag.removeprefix("--")
                inner = settings.get(settings.get("subcommand") or "") or settings
                if name != flag and misread_number(text, inner.get(name)):
                    self.error(f"{name}: {text!r} given, expected a number in base 10")
            return settings
        except UnicodeDecodeError as error:  # in the file of a group, which the parser itself reads
            near = bytes(error.object[max(0, error.start - 40) : error.start])
            self.error(f"a file that the settings name is no UTF-8 text after {near!r}; expected it saved as UTF-8")
        except RecursionError:
            self.error("a setting's value is nested too deep")

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Ends with a message in one line, and leaves out its middle if it is too long to read."""
        message = in_one_line(message)
        if len(message) > MAX_MESSAGE:
            half = MAX_MESSAGE // 2
            message = f"{message[:half]} ... ({len(message) - 2 * half:,} characters left out) ... {message[-half:]}"
        super().error(message, ex)
