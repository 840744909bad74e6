"""Writes the card of an exported network: what it is, how it was trained, how strong it is, and how to use it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.checkpoints.summary import arguments_text, optimizer_facts, pool_facts
from lit_trainer.measuring.matches import Match, by_simulations, player_name
from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.reporting.tables import (
    TEST_COLUMNS,
    Column,
    MatchRow,
    Row,
    compared_columns,
    compared_rows,
    markdown_table,
)
from sim_core import get_game

ONNX, SAFETENSORS, CARD = "model.onnx", "model.safetensors", "README.md"
"""Names of the files."""

_FACTS = (Column[tuple[str, str]]("what", lambda fact: fact[0]), Column[tuple[str, str]]("is", lambda fact: fact[1]))


class Exported(NamedTuple):
    """Holds what the card describes."""

    checkpoint: Checkpoint
    """Checkpoint with the network."""
    path: Path
    """Path of the checkpoint."""
    difference: float
    """Largest difference between torch and the ONNX graph."""


def model_card(exported: Exported, measured: Mapping[str, Any] | None, license: str) -> str:
    """Returns the card in Markdown, headed by the YAML that model hubs read.

    Args:
        exported: The network and its checkpoint.
        measured: Contents of its ``test.json``. None: the card says that the network is unmeasured.
        license: Licence of the weights.
    """
    network, said = exported.checkpoint.network, exported.checkpoint.description
    game = get_game(network.game)
    facts = {
        "game": game.name,
        "iteration": exported.checkpoint.iteration,
        "class": said.class_path,
        "arguments": arguments_text(network.config),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "inputs": network.observation_size,
        "actions": network.num_actions,
        "told": _TOLD.format(size=network.condition_size) if network.condition_size else "",
        "zeros": _ZEROS.format(size=network.condition_size) if network.condition_size else "",
        "auxiliary": "" if network.auxiliary_heads is None else _AUXILIARY,
        "training": markdown_table(_FACTS, _training(exported)),
        "strength": _UNMEASURED if measured is None else _strength(measured),
        "rules": game.version,
        "observation": game.observation_version,
        "difference": exported.difference,
        "license": license,
        "tag": license.lower(),
    }
    return _CARD.format_map(facts)


def _training(exported: Exported) -> list[tuple[str, str]]:
    """Returns the facts about its run that a checkpoint holds, as rows."""
    checkpoint = exported.checkpoint
    steps = checkpoint.steps
    digest = hashlib.sha256(exported.path.read_bytes()).hexdigest()
    return [
        ("iterations", f"{checkpoint.iteration:,} of games and learning"),
        ("optimizer steps", "not recorded" if steps is None else f"{steps:,}"),
        *optimizer_facts(checkpoint),
        *pool_facts(checkpoint),
        ("checkpoint", f"`{exported.path.name}`, SHA-256 `{digest}`"),
        ("written with", f"Lightning {checkpoint.versions['lightning'] or 'of a version not recorded'}"),
    ]


def _strength(measured: Mapping[str, Any]) -> str:
    tested = {Match.from_record(row): MatchResult.from_record(row) for row in measured["results"]}
    models = list(dict.fromkeys(match.opponent_model for match in tested))
    if len(models) > 1:
        groups = by_simulations(tested).items()
        compared = [(player_name(number), row) for number, found in groups for row in compared_rows(found)]
        table = _of_players(compared_columns(models), compared)
    else:
        rows = [
            (player_name(match.simulations, match.opponent_model), MatchRow(match.opponent, result))
            for match, result in tested.items()
        ]
        table = _of_players(TEST_COLUMNS, rows)
    text = _MEASURED.format(table=table, **{name: measured[name] for name in _SHOWN})
    return text if models == ["none"] else f"{text}\n{_KNOWN}"


def _of_players(columns: Iterable[Column[Row]], rows: Iterable[tuple[str, Row]]) -> str:
    """Returns the table in Markdown, with the player's name before each row."""
    player = Column[tuple[str, Row]]("player", lambda row: row[0])
    return markdown_table([player, *map(_of_row, columns)], rows)


def _of_row(column: Column[Row]) -> Column[tuple[str, Row]]:
    return Column(column.title, lambda row: column.text(row[1]))


_TOLD = """
| `condition` | float32 [B, {size}] | what it is told of the opponent (docs/export.md); zeros: unknown |"""
_ZEROS = ', "condition": np.zeros((8, {size}), np.float32)'
_AUXILIARY = " It also has auxiliary heads for training. They are not used in play, and the ONNX file leaves them out."

_UNMEASURED = """Unmeasured: no `test.json` was given. `lit-trainer test` measures the checkpoint, and
`lit-trainer export --test_json` adds the result here."""

_SHOWN = ("date", "torch", "device", "seed")
_MEASURED = """Measured by `lit-trainer test`, {date} (torch {torch}, {device}, seed {seed}): at temperature 0, without
noise, and with every deal played twice, seats exchanged. A draw counts half. The interval's unit is the pair of games
of one deal.

{table}

Simulations are those of lit-alphazero's search with this network. These files alone play the policy without search."""
_KNOWN = """A player that is "told" knows which built-in opponent it plays. One with an opponent's name expects that
opponent, whoever plays."""

_CARD = """---
license: {tag}
library_name: lit-alphazero
tags: [alphazero, {game}]
---

# A policy-value network for {game}, iteration {iteration}

## What it is

It rates a position of `{game}` for the player to move. It gives a logit for each of the game's actions, and the
expected outcome, from 1 (a win) to -1 (a loss). It is a `{class}`
with {arguments}: {parameters:,} parameters.{auxiliary}

| file | what it holds |
|---|---|
| `model.onnx` | the network in fp32, for any number of rows B |
| `model.safetensors` | all its weights, with metadata from which the network can be built again |

| of `model.onnx` | type | meaning |
|---|---|---|
| `observations` | float32 [B, {inputs}] | what the player to move knows, from `sim_core`'s `GameBatch.observe` |{told}
| `logits` | float32 [B, {actions}] | one for each action, in the order of the game's table; ignore illegal ones |
| `value` | float32 [B] | expected outcome for the player to move |

## How it was trained

It was trained with lit-alphazero. There, a network plays games with search, against itself and against the opponents in
its pool. It learns the search's choices and the outcomes. The checkpoint holds these facts about the training:

{training}

It does not hold the number of games or simulations, the duration or the hardware. The settings are in `config.yaml` in
the run's folder.

## How strong it is

{strength}

## What it is for

Use it to play `{game}`, with or without search, as an opponent in training and in matches, or to study what it has
learned. It chooses moves of this game and does nothing else.

## Limits

- It plays only `{game}`, with version {rules} of the rules and version {observation} of the observation, as
  lit-alphazero numbers them.
- It cannot see hidden cards: its value is a mean over what the opponent may hold, and its policy is predictable. A
  player who knows it well may beat it more often than the measured opponents did. It was not measured against people.
- The strength is that of always playing the best move. Sampled moves, or precisions other than fp32, play differently.
- When these files were written, the largest difference between onnxruntime and torch was {difference:.2g}, on
  positions of random games.

## How to load it

With onnxruntime, and `sim_core` of lit-alphazero for the rules:

```python
import numpy as np
import onnxruntime

from sim_core import GameBatch

session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
games = GameBatch(8, seed=1, game="{game}")
logits, value = session.run(["logits", "value"], {{"observations": games.observe(){zeros}}})
actions = np.where(games.legal_mask(), logits, -np.inf).argmax(axis=1)
```

With lit-alphazero, which can also search:

```python
from lit_trainer import NetworkAgent, load_network
from sim_core import State

agent = NetworkAgent(load_network("model.safetensors"), simulations=64)
state = State.initial(seed=1, game="{game}")
print(agent.select_action(state, state.legal_actions()))
```

## Licence

{license}, for the weights. The library, lit-alphazero, is under the MIT licence.
"""
