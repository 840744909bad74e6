"""Checks settings of Lightning and torch that neither the parser nor the classes check, before anything is made."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from lit_trainer.cli.config_files import misread_number, read_config

GROUPS = (
    "trainer",
    "model",
    "data",
    *(f"data.{name}" for name in ("generation", "evaluation", "test", "replay")),
    *(f"data.{name}.search" for name in ("generation", "evaluation")),
)
"""Settings that are groups of settings."""
LOWEST = {
    "trainer.gradient_clip_val": 0,
    "trainer.check_val_every_n_epoch": 1,
    "trainer.log_every_n_steps": 0,
    "trainer.num_sanity_val_steps": -1,
    "model.lr_scheduler.init_args.T_max": 1,
    "model.lr_scheduler.init_args.eta_min": 0,
}
"""Lowest sensible value of settings that Lightning and torch take at any value."""
HIGHEST = {"trainer.devices": 1024, "trainer.num_nodes": 65_536}
"""Highest value of settings that tell Lightning how many processes to start or to wait for."""
LARGEST = 2**63 - 1
"""Largest whole number of any setting: what C and event files can hold."""
LARGEST_SEED = 2**32 - 1


def _settings(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yields dotted keys and values at any depth, groups included."""
    if key:
        yield key, value
    if isinstance(value, Namespace):
        value = vars(value)
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _settings(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, (list, tuple)):
        for k, inner in enumerate(value):
            yield from _settings(inner, f"{key}.{k}")


def fault_in(config: Namespace) -> str | None:
    """Returns an error about the first invalid setting, with its name, its value and what would be right.

    Args:
        config: Parsed settings of a subcommand.

    Returns:
        The error, or None if all settings are valid.

    >>> fault_in(Namespace(trainer=Namespace(log_every_n_steps=-5)))
    'trainer.log_every_n_steps: -5 given, expected at least 0'
    """
    # The files are read again, because the parser silently takes the defaults for a group that is no group.
    files = [Path(str(file)) for file in config.get("config") or ()]
    given = [pair for file in files if file.is_file() for pair in _settings(read_config(file))]
    for key, value in given:
        if isinstance(value, str) and misread_number(value, config.get(key)):
            return f"{key}: {value!r} given, expected a number in base 10"
    for key, value in [*given, *_settings(config)]:
        if key in GROUPS and value is not None and not isinstance(value, (Namespace, Mapping)):
            return f"{key}: {value!r} given, expected a group of settings"
        if key in HIGHEST and isinstance(value, str) and value.isdecimal():
            value = int(value[:20])  # a flag's value may be a text
        if isinstance(value, float) and math.isnan(value):
            return f"{key}: {value!r} given, expected a number"
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if number and key == "seed_everything" and not 0 <= value <= LARGEST_SEED:
            return f"{key}: {value!r} given, expected a whole number from 0 to {LARGEST_SEED}"
        if number and key in LOWEST and value < LOWEST[key]:
            return f"{key}: {value!r} given, expected at least {LOWEST[key]}"
        highest = HIGHEST.get(key, LARGEST)
        if number and (isinstance(value, int) or key in HIGHEST) and abs(value) > highest:
            return f"{key}: {value!r} given, expected at most {highest:,}"
    return None
