"""Writes the card of an exported network: what it is, how it was trained, how strong it is, and how to use it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.checkpoints.summary import arguments_text, optimizer_facts, pool_facts
from lit_trainer.measuring.matches import player_name
from lit_trainer.measuring.metrics import MatchResult
from lit_trainer.reporting.tables import TEST_COLUMNS, Column, MatchRow, markdown_table
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
    """Returns what a checkpoint knows of its run, in rows."""
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
    rows = [
        (player_name(row["simulations"]), MatchRow(row["opponent"], MatchResult.from_record(row)))
        for row in measured["results"]
    ]
    player = Column[tuple[str, MatchRow]]("player", lambda row: row[0])
    table = markdown_table([player, *map(_of_match, TEST_COLUMNS)], rows)
    return _MEASURED.format(table=table, **{name: measured[name] for name in _SHOWN})


def _of_match(column: Column[MatchRow]) -> Column[tuple[str, MatchRow]]:
    return Column(column.title, lambda row: column.text(row[1]))


_AUXILIARY = " It also has heads that it learned on the side; play never asks them, and ONNX leaves them out."

_UNMEASURED = """Unmeasured: no `test.json` was given. `lit-trainer test` measures the checkpoint, and
`lit-trainer export --test_json` puts what it found here."""

_SHOWN = ("date", "torch", "device", "seed")
_MEASURED = """Measured by `lit-trainer test`, {date} (torch {torch}, {device}, seed {seed}): at temperature 0, without
noise, every deal played twice with the seats exchanged. A draw counts half; the interval takes the pair of games of a
deal as its unit.

{table}

Simulations are of lit-alphazero's search with this network. These files alone play as the policy alone does."""

_CARD = """---
license: {tag}
library_name: lit-alphazero
tags: [alphazero, {game}]
---

# A policy-value network for {game}, iteration {iteration}

## What it is

It rates a position of `{game}` for the player to move: a logit for each of the game's actions, and the outcome to
expect, from 1 (a win) to -1 (a loss). It is a `{class}`
with {arguments}: {parameters:,} parameters.{auxiliary}

| file | what it holds |
|---|---|
| `model.onnx` | the network in fp32, for any number of rows B |
| `model.safetensors` | all its weights, and as metadata what builds the network again |

| of `model.onnx` | type | meaning |
|---|---|---|
| `observations` | float32 [B, {inputs}] | what the player to move may know, by `sim_core`'s `GameBatch.observe` |
| `logits` | float32 [B, {actions}] | of all actions, by the game's table; those of illegal ones mean nothing |
| `value` | float32 [B] | expected outcome for the player to move |

## How it was trained

By lit-alphazero, whose networks play games with search, against themselves and whom their opponent pool holds, and
learn the search's choices and the outcomes. What the checkpoint says of this one:

{training}

It does not say how many games were played, with how many simulations, for how long or on what; the `config.yaml` in the
run's folder has its settings.

## How strong it is

{strength}

## What it is for

To play `{game}`, alone or as what a search asks; as an opponent to train or measure others against; to study what it
has learned. It decides about moves of a game, and about nothing else.

## Limits

- It knows `{game}` by version {rules} of its rules and version {observation} of its observation, as lit-alphazero
  counts them, and no other game.
- What is hidden it has to guess: its value is a mean over what the other may hold, and its policy can be read. Who
  knows it well may beat it more often than those it was measured against; nothing was measured against people.
- Strength is of the policy with its best move. Sampled moves, or other precisions than fp32, play otherwise.
- When these files were written, the largest difference between ONNX by onnxruntime and torch was {difference:.2g}, on
  positions of random games.

## How to load it

By onnxruntime, with `sim_core` of lit-alphazero for the rules:

```python
import numpy as np
import onnxruntime

from sim_core import GameBatch

session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
games = GameBatch(8, seed=1, game="{game}")
logits, value = session.run(["logits", "value"], {{"observations": games.observe()}})
actions = np.where(games.legal_mask(), logits, -np.inf).argmax(axis=1)
```

By lit-alphazero, also with search:

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
