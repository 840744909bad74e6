"""Players by the names that a command line gives them: checkpoints, built-in opponents, tree search."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from lit_trainer.checkpoints.reader import build_network, iterations_done, read_checkpoint
from lit_trainer.networks.base import PolicyValueNetwork
from lit_trainer.networks.evaluators import TorchEvaluator
from lit_trainer.players.engine_players import BuiltinPlayer, IsmctsPlayer
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.protocols import Player
from lit_trainer.players.specs import ismcts_iterations
from sim_core import get_game
from sim_core.tree_search.settings import MAX_SIMULATIONS


@dataclass
class Contestant:
    """Somebody who can be asked to play matches of one game."""

    spec: str
    """As it was given."""
    name: str
    """To be shown: the shortest end of the path that no other has, or the spec."""
    identity: str
    """Equal for equal players, wherever their files lie: what their seeds are derived from."""
    simulations: int | None = None
    """Of a checkpoint."""
    iteration: int | None = None
    """Of a checkpoint: iterations its run had done."""
    ismcts: int | None = None
    """Iterations a move of tree search without a network."""
    network: PolicyValueNetwork | None = field(default=None, repr=False)

    @property
    def is_timed(self) -> bool:
        """Whether its time a move says something; built-in opponents take no time."""
        return self.network is not None or self.ismcts is not None

    def player(self, seed: int, threads: int) -> Player:
        """The player with random choices of its own."""
        if self.network is not None:
            assert self.simulations is not None
            evaluator = TorchEvaluator(self.network)
            return NetworkPlayer(evaluator, simulations=self.simulations, temperature=0.0, seed=seed, threads=threads)
        if self.ismcts is not None:
            return IsmctsPlayer(self.ismcts, seed, threads)
        return BuiltinPlayer(self.spec, seed)


def split_spec(spec: str) -> tuple[str, int]:
    """``PATH@N`` into path and simulations; a path alone stands for its policy alone.

    The last ``@`` counts if only digits follow it, so a path that itself ends so is given with one more.

    >>> split_spec("runs/a/last.ckpt@64"), split_spec("a@2.ckpt"), split_spec("odd@7@0")
    (('runs/a/last.ckpt', 64), ('a@2.ckpt', 0), ('odd@7', 0))

    Raises:
        ValueError: More simulations than `MAX_SIMULATIONS` are asked for.
    """
    found = re.fullmatch(r"(.+)@0*([0-9]+)", spec, re.DOTALL)
    if found is None:
        return spec, 0
    # digits are counted first, since int() refuses thousands of them with an error of its own
    if len(found[2]) > 9 or int(found[2]) > MAX_SIMULATIONS:
        raise ValueError(f"agents: {spec[:100]!r} given, expected at most {MAX_SIMULATIONS:,} simulations per move")
    return found[1], int(found[2])


def load_contestants(specs: Sequence[str], game: str | None, device: str = "cpu") -> tuple[str, list[Contestant]]:
    """The players of these names, and the game they play.

    Args:
        specs: checkpoints' paths, with ``@N`` for search with N simulations; the game's opponents; ``ismcts:N``.
        game: name of the game; None: the checkpoints', or Beasty Bar where there are none.
        device: where networks lie.

    Raises:
        ValueError: somebody is unknown, given twice, or plays another game; a checkpoint is damaged.
    """
    if len(specs) < 2:
        raise ValueError(f"agents: {len(specs)} given, expected at least 2")
    loaded: dict[str, tuple[str, int, PolicyValueNetwork]] = {}
    paths = [path for path, _ in map(split_spec, specs) if Path(path).is_file()]
    for path in dict.fromkeys(paths):
        loaded[path] = _load(path, device)
    games = {network.game for _, _, network in loaded.values()}
    if game is None:
        game = min(games) if games else "beasty_bar"
    opponents = get_game(game).opponents
    for path, (_, _, network) in loaded.items():
        if network.game != game:
            raise ValueError(f"agents: {path!r} plays {network.game}, expected {game}, the game of the tournament")
    names = _short_names(specs, set(loaded))
    contestants = []
    for spec, name in zip(specs, names, strict=True):
        path, simulations = split_spec(spec)
        if path in loaded:
            digest, iteration, network = loaded[path]
            identity = f"{digest}@{simulations}"
            contestants.append(Contestant(spec, name, identity, simulations, iteration, network=network))
        elif (iterations := ismcts_iterations("agents", spec)) is not None:
            contestants.append(Contestant(spec, spec, spec, ismcts=iterations))
        elif spec in opponents:
            contestants.append(Contestant(spec, spec, spec))
        else:
            raise ValueError(
                f"agents: {spec!r} is no file and not known; expected the path of a checkpoint, PATH@N for N "
                f"simulations a move, ismcts:N, or one of {', '.join(opponents)}"
            )
    seen: dict[str, str] = {}
    for contestant in contestants:
        if contestant.identity in seen:
            other = seen[contestant.identity]
            raise ValueError(f"agents: {other!r} and {contestant.spec!r} are the same player, expected it once")
        seen[contestant.identity] = contestant.spec
    return game, contestants


def _load(path: str, device: str) -> tuple[str, int, PolicyValueNetwork]:
    """A checkpoint's identity, iteration and network."""
    try:
        checkpoint = read_checkpoint(path)
        network = build_network(checkpoint, path)
        iteration = iterations_done(checkpoint)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"agents: {error}") from None
    # of what plays, not of the file: the replay window beside it does not matter
    digest = hashlib.sha256(repr((type(network).__qualname__, sorted(network.config.items()))).encode())
    for key, value in sorted(network.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16], iteration, network.to(device)


def _short_names(specs: Sequence[str], files: set[str]) -> list[str]:
    """Each checkpoint's path from the right, as far as it takes to tell it from the others."""
    parts = {spec: os.path.abspath(split_spec(spec)[0]).split(os.sep) for spec in specs if split_spec(spec)[0] in files}
    paths = set(map(tuple, parts.values()))
    names = []
    for spec in specs:
        if spec not in parts:
            names.append(spec)
            continue
        own, simulations = parts[spec], split_spec(spec)[1]
        length = 1
        while length < len(own) and sum(path[-length:] == tuple(own[-length:]) for path in paths) > 1:
            length += 1
        names.append("/".join(own[-length:]) + (f"@{simulations}" if simulations else ""))
    return names
