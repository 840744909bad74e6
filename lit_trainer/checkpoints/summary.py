"""Says in words what a checkpoint holds, as lines of a name and a text, for cards and `lit-trainer inspect`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lit_trainer.checkpoints.reader import Checkpoint

Facts = list[tuple[str, str]]

_LIBRARIES = {"lightning": "Lightning", "lit_alphazero": "lit-alphazero", "torch": "torch"}


def arguments_text(values: Mapping[str, Any]) -> str:
    """Returns names and values in one line.

    >>> arguments_text({"width": 256, "blocks": 4})
    'width 256, blocks 4'
    """
    return ", ".join(f"{name} {value}" for name, value in values.items())


def network_facts(checkpoint: Checkpoint) -> Facts:
    """Returns the game with its versions, and the network with its arguments and number of parameters.

    Raises:
        ValueError: The file is of another library or damaged, or its network is unknown.
    """
    said, network = checkpoint.description, checkpoint.network
    arguments = {name: value for name, value in network.config.items() if name != "game"}
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return [
        ("game", network.game),
        ("versions", f"{said.rules_version} of the rules, {said.observation_version} of the observation"),
        ("network", f"{said.class_path}, {arguments_text(arguments)}"),
        ("parameters", f"{parameters:,}"),
    ]


def optimizer_facts(checkpoint: Checkpoint) -> Facts:
    """Returns the run's optimizer with its settings, and the schedule of its learning rate if there was one."""
    settings = checkpoint.optimizer_configuration
    if not settings:
        return [("optimizer", "not recorded")]
    group = settings["groups"][0]
    names = ("lr", "betas", "weight_decay", "momentum")
    shown = {name.replace("_", " "): group[name] for name in names if name in group}
    facts = [("optimizer", f"{settings['optimizer']}, {arguments_text(shown)}")]
    if settings.get("scheduler"):
        state: Mapping[str, Any] = settings.get("scheduler_state") or {}
        memory = ("base_lrs", "last_epoch")
        plain = {name: value for name, value in state.items() if name[0] != "_" and name not in memory}
        facts.append(("learning rate", f"{settings['scheduler']} by {settings['interval']}, {arguments_text(plain)}"))
    return facts


def pool_facts(checkpoint: Checkpoint) -> Facts:
    """Returns the past checkpoints and opponents of the run's last games, as far as the pool keeps them."""
    pool, facts = checkpoint.pool, []
    if pool and pool.get("past"):
        facts.append(("past selves it played last", "of iterations " + ", ".join(map(str, sorted(pool["past"])))))
    if pool and pool.get("weights"):
        shares = ", ".join(f"{name} {100 * weight:.0f} %" for name, weight in pool["weights"].items())
        facts.append(("opponents, by weight at the end", shares))
    return facts


def run_facts(checkpoint: Checkpoint) -> Facts:
    """Returns how far the run was, how it learned, which opponents it played and what it keeps to go on.

    Raises:
        ValueError: The file does not say how far its run was, or its replay windows are damaged.
    """
    steps, rates, windows = checkpoint.steps, checkpoint.rates, checkpoint.windows
    written = {_LIBRARIES.get(name, name): found for name, found in checkpoint.versions.items() if found}
    sizes = [f"{len(window['outcomes']):,}" for window in windows]
    return [
        ("iteration", f"{checkpoint.iteration:,}"),
        ("optimizer steps", "not recorded" if steps is None else f"{steps:,}"),
        *optimizer_facts(checkpoint),
        ("learning rate now", ", ".join(f"{rate:.3g}" for rate in rates) or "not recorded"),
        *pool_facts(checkpoint),
        ("replay window", f"{' + '.join(sizes)} positions" if sizes else "not saved"),
        ("states of callbacks", ", ".join(name.partition("{")[0] for name in checkpoint.callbacks) or "none"),
        ("lacks to go on", ", ".join(checkpoint.missing) or "nothing"),
        ("format", str(checkpoint.description.format)),
        ("written by", arguments_text(written) or "not recorded"),
    ]
