"""What a configuration must hold that neither the parser nor the classes look at, before anything is made of it."""

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
"""Lightning's and torch's settings that they take at any value, to the lowest with a meaning."""
HIGHEST = {"trainer.devices": 1024, "trainer.num_nodes": 65_536}
"""Lightning's settings of which it would start as many processes, or wait for as many."""
LARGEST = 2**63 - 1
"""The largest whole number of any setting: what C and files of events can hold."""
LARGEST_SEED = 2**32 - 1


def _settings(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values, groups included, at any depth."""
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
    """The first setting that cannot be meant: its name, its value and what would be right; None where there is none.

    Args:
        config: a sub-command's parsed settings.

    >>> fault_in(Namespace(trainer=Namespace(log_every_n_steps=-5)))
    'trainer.log_every_n_steps: -5 given, expected at least 0'
    """
    # of a file's group that is none, the parser says nothing and takes the defaults
    files = [Path(str(file)) for file in config.get("config") or ()]
    given = [pair for file in files if file.is_file() for pair in _settings(read_config(file))]
    for key, value in given:
        if isinstance(value, str) and misread_number(value, config.get(key)):
            return f"{key}: {value!r} given, expected a number in base 10"
    for key, value in [*given, *_settings(config)]:
        if key in GROUPS and value is not None and not isinstance(value, (Namespace, Mapping)):
            return f"{key}: {value!r} given, expected a group of settings"
        if key in HIGHEST and isinstance(value, str) and value.isdecimal():
            value = int(value[:20])  # a flag's, which may be a text there
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
