"""Settings that parser and classes let pass: each invalid one is named with its value and what would be right."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from jsonargparse import Namespace

from lit_trainer.cli.config_checks import GROUPS, HIGHEST, LARGEST, LARGEST_SEED, LOWEST, fault_in


def nested(key: str, value: Any) -> Namespace:
    """Returns settings of which one is given, by its dotted key."""
    for name in reversed(key.split(".")):
        value = Namespace(**{name: value})
    return value


@pytest.mark.parametrize(("key", "lowest"), LOWEST.items())
def test_what_is_too_low(key: str, lowest: int) -> None:
    assert fault_in(nested(key, lowest)) is None
    for value in (lowest - 1, lowest - 0.5):
        assert fault_in(nested(key, value)) == f"{key}: {value!r} given, expected at least {lowest}"


@pytest.mark.parametrize(("key", "highest"), [*HIGHEST.items(), ("trainer.max_epochs", LARGEST)])
def test_what_is_too_high(key: str, highest: int) -> None:
    """More processes than any machine has, which Lightning waits for; or numbers that C cannot hold."""
    assert fault_in(nested(key, highest)) is None
    assert fault_in(nested(key, highest + 1)) == f"{key}: {highest + 1} given, expected at most {highest:,}"


def test_numbers_that_are_texts() -> None:
    """A flag's number of devices, which Lightning turns into a number only later."""
    assert fault_in(nested("trainer.devices", "5000")) == "trainer.devices: 5000 given, expected at most 1,024"
    assert fault_in(nested("trainer.devices", "9" * 5000)) is not None
    assert fault_in(nested("trainer.devices", "auto")) is None
    assert fault_in(nested("run_name", "5000")) is None


@pytest.mark.parametrize("seed", [-1, LARGEST_SEED + 1, 0.5 - 1])
def test_seeds_that_numpy_refuses(seed: float) -> None:
    said = f"seed_everything: {seed!r} given, expected a whole number from 0 to {LARGEST_SEED}"
    assert fault_in(nested("seed_everything", seed)) == said
    for fine in (0, LARGEST_SEED, True, False):
        assert fault_in(nested("seed_everything", fine)) is None


@pytest.mark.parametrize("key", ["model.optimizer.init_args.lr", "data.temperature", "trainer.callbacks"])
def test_what_is_no_number_is_found_at_any_depth(key: str) -> None:
    value: Any = math.nan
    if key == "trainer.callbacks":
        value, key = [Namespace(init_args=Namespace(start_coef=math.nan))], f"{key}.0.init_args.start_coef"
        assert fault_in(nested("trainer.callbacks", value)) == f"{key}: nan given, expected a number"
    else:
        assert fault_in(nested(key, value)) == f"{key}: nan given, expected a number"


@pytest.mark.parametrize("key", GROUPS)
def test_a_group_that_is_none(key: str) -> None:
    assert fault_in(nested(key, 3)) == f"{key}: 3 given, expected a group of settings"
    assert fault_in(nested(key, None)) is None and fault_in(nested(key, Namespace())) is None


def test_what_the_parser_hides_is_read_from_the_file(tmp_path: Path) -> None:
    """The parser silently takes a group's defaults where a file gives it one value, or 90 for a text such as 1:30."""
    file = tmp_path / "given.yaml"
    config = Namespace(config=[str(file)], data=Namespace(batch_size=90, generation=Namespace(games=8)))
    for text, said in (
        ("data: {generation: 3}", "data.generation: 3 given, expected a group of settings"),
        ("data: {batch_size: '1:30'}", "data.batch_size: '1:30' given, expected a number in base 10"),
        ("data: {batch_size: 90}", None),
    ):
        file.write_text(text)
        assert fault_in(config) == said
    file.unlink()
    assert fault_in(config) is None, "a file that is gone was refused by the parser"


def test_valid_settings_have_no_fault() -> None:
    assert fault_in(Namespace()) is None
    settings = Namespace(trainer=Namespace(devices="auto", callbacks=[{"a": True}]), data={"games": 8, "search": None})
    assert fault_in(settings) is None
