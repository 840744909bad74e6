"""Makes the players of a tournament from the names that a command line gives."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.players.engine_players import BuiltinOpponent
from lit_trainer.players.frozen import FrozenCheckpoint
from lit_trainer.players.protocols import Opponent, Player, with_opponent_model
from lit_trainer.players.specs import PlayerSpec, check_plays, make, parse


@dataclass(frozen=True)
class Contestant:
    """Keeps one player of a tournament, which can be asked for players of any number of matches."""

    spec: str
    """Name as it was given."""
    name: str
    """Name to show: of a checkpoint the shortest end of its path that no other has, otherwise the name as given."""
    identity: str
    """Text that is equal for equal players, wherever their files are; seeds are derived from it."""
    opponent: Opponent

    @property
    def network(self) -> PolicyValueNetwork | None:
        """Returns a checkpoint's network; None for other players."""
        return self.opponent.network if isinstance(self.opponent, FrozenCheckpoint) else None

    @property
    def simulations(self) -> int | None:
        """Returns a checkpoint's simulations per move; None for other players."""
        return self.opponent.simulations if isinstance(self.opponent, FrozenCheckpoint) else None

    @property
    def iteration(self) -> int | None:
        """Returns how many iterations a checkpoint's run had finished; None for other players."""
        return self.opponent.iteration if isinstance(self.opponent, FrozenCheckpoint) else None

    @property
    def is_timed(self) -> bool:
        """Returns whether its time per move is worth measuring; built-in opponents take next to none."""
        return not isinstance(self.opponent, BuiltinOpponent)

    def player(self, seed: int, threads: int) -> Player:
        """Returns a player that draws its choices from the seed and searches with that many threads."""
        return self.opponent.player(seed, threads)


def load_contestants(names: Sequence[str], game: str | None, device: str = "cpu") -> tuple[str, list[Contestant]]:
    """Returns the game and its players of these names; reads each checkpoint once.

    Args:
        names: Players' names; `lit_trainer.players.specs` lists the kinds.
        game: Name of the game. None: the checkpoints' game, or Beasty Bar if there are none.
        device: Device of the networks.

    Raises:
        ValueError: A player is unknown, given twice, or plays another game; a checkpoint is damaged.
    """
    if len(names) < 2:
        raise ValueError(f"agents: {len(names)} given, expected at least 2")
    specs = [parse(name, "agents") for name in names]
    read: dict[str, FrozenCheckpoint] = {}
    opponents = [make(spec, "agents", read=read) for spec in specs]
    if game is None:
        game = min((frozen.network.game for frozen in read.values()), default="beasty_bar")
    for opponent in opponents:
        check_plays(opponent, game, "agents")
    digests = {path: _digest(frozen.network) for path, frozen in read.items()}
    for frozen in read.values():
        frozen.network.to(device)
    contestants = [
        Contestant(spec.text, name, _identity(spec, opponent, digests), opponent)
        for spec, name, opponent in zip(specs, _shown_names(specs), opponents, strict=True)
    ]
    seen: dict[str, str] = {}
    for contestant in contestants:
        if contestant.identity in seen:
            other = seen[contestant.identity]
            raise ValueError(f"agents: {other!r} and {contestant.spec!r} are the same player, expected it once")
        seen[contestant.identity] = contestant.spec
    return game, contestants


def _identity(spec: PlayerSpec, opponent: Opponent, digests: dict[str, str]) -> str:
    if isinstance(opponent, FrozenCheckpoint):
        return with_opponent_model(f"{digests[spec.target]}@{opponent.simulations}", spec.opponent_model)
    if spec.kind == "agent":
        return f"{spec.target}({', '.join(f'{key}={value!r}' for key, value in sorted(spec.init_args.items()))})"
    return spec.name


def _digest(network: PolicyValueNetwork) -> str:
    # of the part that plays, not of the file: the replay window in it does not matter
    digest = hashlib.sha256(repr((type(network).__qualname__, sorted(network.config.items()))).encode())
    for key, value in sorted(network.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def _shown_names(specs: Sequence[PlayerSpec]) -> list[str]:
    """Returns each checkpoint's path from the right, as much of it as tells it from the others; others as given."""
    parts = {spec.target: os.path.abspath(spec.target).split(os.sep) for spec in specs if spec.kind == "checkpoint"}
    paths = set(map(tuple, parts.values()))
    names = []
    for spec in specs:
        if spec.kind != "checkpoint":
            names.append(spec.text)
            continue
        own = parts[spec.target]
        length = 1
        while length < len(own) and sum(path[-length:] == tuple(own[-length:]) for path in paths) > 1:
            length += 1
        simulations = f"@{spec.simulations}" if spec.simulations else ""
        names.append(with_opponent_model("/".join(own[-length:]) + simulations, spec.opponent_model))
    return names
