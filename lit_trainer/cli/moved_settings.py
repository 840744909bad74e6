"""Names the settings of an old configuration that have moved into groups, each with its new name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from lit_trainer.cli.config_files import ConfigError, flags_in, read_config

MOVED: Mapping[str, str] = MappingProxyType(
    {
        "data.games_per_iteration": "data.generation.games",
        **{
            f"data.{name}": f"data.generation.{name}"
            for name in ("simulations", "search", "evaluator", "value_target", "parallel_games", "threads")
        },
        "data.replay_positions": "data.replay.positions",
        "data.save_replay": "data.replay.save",
        **{
            f"data.evaluation_{name}": f"data.evaluation.{name}"
            for name in ("opponents", "games", "simulations", "search")
        },
        **{f"data.test_{name}": f"data.test.{name}" for name in ("opponents", "games", "simulations")},
        "data.asynchronous": "data.workers (null, or a group such as {count: 1})",
        "data.workers": "data.workers.count",
        "data.max_staleness": "data.workers.max_staleness",
        "data.worker_timeout": "data.workers.timeout",
        "data.worker_device": "data.workers.device",
    }
)
"""Old name of each setting that moved, to its new name."""


def moved_settings(args: Sequence[str]) -> str | None:
    """Returns an error that names all moved settings among the flags and in the files that they name.

    Args:
        args: Arguments of the command line.

    Returns:
        The error, or None if no setting has an old name.

    >>> moved_settings(["fit", "--data.simulations", "64"])
    'settings have moved into groups: data.simulations is now data.generation.simulations'
    """
    old = [name for flag, text in flags_in(args) for name in _moved_in(flag, text)]
    if not old:
        return None
    listed = ", ".join(f"{name} is now {new_name(name)}" for name in dict.fromkeys(old))
    return f"settings have moved into groups: {listed}"


def new_name(old: str) -> str:
    """Returns the new name of a moved setting, or of one within a moved group such as ``data.search.c_puct``."""
    return MOVED.get(old) or next(new + old[len(group) :] for group, new in MOVED.items() if _is_within(old, group))


def _moved_in(flag: str, text: str) -> Iterator[str]:
    """Yields the old names that a flag stands for: its own, or those in the file that it names."""
    if flag in ("--config", "-c"):
        with suppress(ConfigError, OSError):  # the parser says so, with its own advice
            found = read_config(text)
            data = found.get("data") if isinstance(found, dict) else None
            for name, value in data.items() if isinstance(data, dict) else ():
                if f"data.{name}" in MOVED and not (name == "workers" and _is_group(value)):
                    yield f"data.{name}"
        return
    name = flag.removeprefix("--")
    if name == "data.workers":
        moved = text.strip().isdecimal()
    else:
        moved = any(name == old or _is_within(name, old) for old in MOVED if old != "data.workers")
    if moved:
        yield name


def _is_group(workers: Any) -> bool:
    """Returns whether the value of ``data.workers`` is one of today, when it is no number."""
    return not isinstance(workers, int) or isinstance(workers, bool)


def _is_within(name: str, group: str) -> bool:
    return name.startswith(f"{group}.") and group.endswith("search")
