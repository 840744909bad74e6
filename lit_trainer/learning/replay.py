"""Keeps the newest positions as compact engine states, and encodes them to observations when they are sampled."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lit_trainer.self_play.games import GeneratedGames
from sim_core import GameBatch, get_game

log = logging.getLogger(__name__)

_POLICY_SCALE = 65535.0
_UNKNOWN = -(2**15)
"""Stands for an unknown margin or search value, e.g. in a window that an older version saved."""
_VALUE_SCALE = 32767.0
_CONDITION_SCALE = 255.0
_LARGEST_VALUE = 1.0 + 1e-5
"""Largest search value that is no mistake of the network: means of values within -1 and 1 are rounded."""
_ROWS_AT_ONCE = 100_000


class ReplayWindow:
    """Keeps the newest `capacity` positions in a ring.

    A position takes ``state_size + 2 A + 6`` bytes: the packed state, the policy target, the outcome and the search's
    value (cut off at 1 either way) as 16-bit fractions, and the final margin (cut off at 32,767 either way). In Beasty
    Bar that is 112 bytes, so 800,000 positions take 90 MB. A condition takes a byte for each of its numbers.

    Args:
        capacity: Positions that the window holds, at least 1.
        game: Name of the game.
        condition_size: Numbers that the network is told besides a position's observation.

    Raises:
        ValueError: The capacity is below 1.
    """

    def __init__(self, capacity: int, game: str = "beasty_bar", condition_size: int = 0) -> None:
        if capacity < 1:
            raise ValueError(f"replay.positions: {capacity} given, expected at least 1")
        rules = get_game(game)
        self.capacity = capacity
        self.game = game
        self.condition_size = condition_size
        # untouched pages of an empty array take no memory
        self._states = np.empty((capacity, rules.state_size), dtype=np.uint8)
        self._policies = np.empty((capacity, rules.num_actions), dtype=np.uint16)
        self._outcomes = np.empty(capacity, dtype=np.int16)
        self._margins = np.empty(capacity, dtype=np.int16)
        self._values = np.empty(capacity, dtype=np.int16)
        self._conditions = np.empty((capacity, condition_size), dtype=np.uint8)
        self._added = 0
        self._warned = False

    def told(self, condition_size: int) -> ReplayWindow:
        """Returns this window, or an empty one like it where a network is told another number of things."""
        if condition_size == self.condition_size:
            return self
        return ReplayWindow(self.capacity, self.game, condition_size)

    def __len__(self) -> int:
        return min(self._added, self.capacity)

    @property
    def nbytes(self) -> int:
        """Returns the bytes of the full window."""
        kept = (self._states, self._policies, self._outcomes, self._margins, self._values, self._conditions)
        return sum(array.nbytes for array in kept)

    def add(self, games: GeneratedGames) -> None:
        """Adds the positions of `games`. In a full window they replace the oldest ones."""
        newest = slice(-self.capacity, None)
        quantised = np.rint(games.policies[newest] * _POLICY_SCALE).astype(np.uint16)
        margins = self._unknown(len(games.outcomes[newest]))
        if games.margins is not None:
            margins = np.clip(games.margins[newest], _UNKNOWN + 1, -_UNKNOWN - 1).astype(np.int16)
        values = self._unknown(len(margins))
        if games.values is not None:
            values = self._quantised_values(games.values[newest])
        conditions = self._no_condition(len(margins)) if games.conditions is None else games.conditions[newest]
        outcomes = _fractions(games.outcomes[newest])
        self._write(games.states[newest], quantised, outcomes, margins, values, conditions)

    def _quantised_values(self, values: NDArray[np.float32]) -> NDArray[np.int16]:
        within = np.clip(values, -1.0, 1.0)  # NaN stays
        if not self._warned and (outside := np.flatnonzero(np.abs(values) > _LARGEST_VALUE)).size:
            self._warned = True
            log.warning(
                "replay: search values such as %.3f found, expected -1 to 1; they are cut off there. Let the network's "
                "value head end in tanh.",
                values[outside[0]],
            )
        known = np.nan_to_num(within, nan=_UNKNOWN / _VALUE_SCALE)
        return _fractions(known)

    @staticmethod
    def _unknown(positions: int) -> NDArray[np.int16]:
        return np.full(positions, _UNKNOWN, dtype=np.int16)

    def _no_condition(self, positions: int) -> NDArray[np.uint8]:
        return np.zeros((positions, self.condition_size), dtype=np.uint8)

    def _write(self, states: Any, policies: Any, outcomes: Any, margins: Any, values: Any, conditions: Any) -> None:
        at = (self._added + np.arange(len(outcomes))) % self.capacity
        self._states[at] = states
        self._policies[at] = policies
        self._outcomes[at] = outcomes
        self._margins[at] = margins
        self._values[at] = values
        self._conditions[at] = conditions
        self._added += len(outcomes)

    def sample(
        self,
        batch_size: int,
        generator: np.random.Generator,
        *,
        auxiliary: bool = False,
        hide_condition: float = 0.0,
    ) -> dict[str, Tensor]:
        """Returns a batch of positions, drawn uniformly with replacement.

        Args:
            batch_size: Number of positions B.
            generator: Random generator that draws them.
            auxiliary: Whether to add the targets of auxiliary heads.
            hide_condition: Share of positions whose condition is left out, so that the network learns both.

        Returns:
            observations float32 [B, OBSERVATION_SIZE], legal_mask bool [B, A], policy float32 [B, A] (a row of zeros:
            no target), outcome float32 [B] and search_value float32 [B] (the outcome where no search was made). With
            `auxiliary` also margin float32 [B], the final margin in units of the game's `margin_scale` (NaN: unknown),
            and hidden float32 [B, H], what the player to move could not see, 0 or 1 (-1: nothing to guess). With a
            condition also condition float32 [B, condition_size], what the network is told; zeros: nothing.

        Raises:
            ValueError: The window is empty.
        """
        if not len(self):
            raise ValueError("replay: the window is empty, there is nothing to sample")
        rows = generator.integers(0, len(self), size=batch_size)
        batch = GameBatch.from_packed(self._states[rows], game=self.game)
        policy = self._policies[rows].astype(np.float32)
        policy /= np.maximum(policy.sum(axis=1, keepdims=True), 1.0)
        found = {
            "observations": torch.from_numpy(batch.observe()),
            "legal_mask": torch.from_numpy(batch.legal_mask()),
            "policy": torch.from_numpy(policy),
            "outcome": torch.from_numpy(_numbers(self._outcomes[rows], _VALUE_SCALE)),
            "search_value": torch.from_numpy(self._search_values(rows)),
        }
        if auxiliary:
            margin = self._margins[rows].astype(np.float32) / np.float32(get_game(self.game).margin_scale)
            margin[self._margins[rows] == _UNKNOWN] = np.nan
            found["margin"] = torch.from_numpy(margin)
            found["hidden"] = torch.from_numpy(batch.hidden_targets().astype(np.float32))
        if self.condition_size:
            condition = _numbers(self._conditions[rows], _CONDITION_SCALE)
            if hide_condition:
                condition[generator.random(batch_size) < hide_condition] = 0.0
            found["condition"] = torch.from_numpy(condition)
        return found

    def _search_values(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        values = self._values[rows]
        return _numbers(np.where(values != _UNKNOWN, values, self._outcomes[rows]), _VALUE_SCALE)

    def state_dict(self) -> dict[str, Any]:
        """Returns the window as tensors, the oldest position first."""
        held = len(self)
        order = (self._added - held + np.arange(held)) % self.capacity
        rules = get_game(self.game)
        conditions = {"conditions": torch.from_numpy(self._conditions[order])} if self.condition_size else {}
        return {
            "game": self.game,
            "rules_version": rules.version,
            "states": torch.from_numpy(self._states[order]),
            "policies": torch.from_numpy(self._policies[order].view(np.int16)),
            "outcomes": torch.from_numpy(self._outcomes[order]),
            "margins": torch.from_numpy(self._margins[order]),
            "values": torch.from_numpy(self._values[order]),
            **conditions,
            "added": self._added,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Loads a saved window, or its newest positions where it is larger than this one.

        A window that was saved before margins were kept has unknown margins, and one without conditions tells nothing.

        Raises:
            ValueError: The window is damaged, or belongs to another game or another version of its rules.
        """
        check_window_state(state, self.game, self.condition_size)
        states, outcomes = state["states"].numpy(), state["outcomes"].numpy()
        if outcomes.dtype == np.int8:  # of an older version, which knew no fractions
            outcomes = _fractions(outcomes)
        policies = state["policies"].numpy().view(np.uint16)
        margins = state["margins"].numpy() if "margins" in state else self._unknown(len(outcomes))
        values = state["values"].numpy() if "values" in state else self._unknown(len(outcomes))
        conditions = self._no_condition(len(outcomes))
        if "conditions" in state:
            conditions = state["conditions"].numpy()
        keep = min(len(outcomes), self.capacity)
        # a full ring goes on at the same place, so that sampling after a resume meets the same rows
        self._added = int(state["added"]) - keep if keep == self.capacity else 0
        newest = slice(len(outcomes) - keep, None)
        self._write(*(column[newest] for column in (states, policies, outcomes, margins, values, conditions)))


def _fractions(values: NDArray[Any]) -> NDArray[np.int16]:
    """Returns numbers from -1 to 1 as 16-bit fractions. Whole numbers stay exact."""
    return np.asarray(np.rint(values.astype(np.float32) * _VALUE_SCALE), dtype=np.int16)


def _numbers(fractions: NDArray[Any], scale: float) -> NDArray[np.float32]:
    return np.asarray(fractions / np.float32(scale), dtype=np.float32)


def check_window_state(state: Any, game: str, condition_size: int = 0) -> None:
    """Checks that a saved window can be loaded for a game.

    Args:
        state: Saved window, as `ReplayWindow.state_dict` returns it. Older ones may lack margins, values and
            conditions, and their outcomes are whole numbers.
        game: Name of the game.
        condition_size: Numbers that the network is told besides an observation.

    Raises:
        ValueError: Names what is wrong and what is expected.
    """
    if not isinstance(state, Mapping):
        raise ValueError(f"replay: {type(state).__name__} found, expected a window's state")
    rules = get_game(game)
    if (state.get("game"), state.get("rules_version")) != (game, rules.version):
        raise ValueError(
            f"replay: the saved window is of {state.get('game')} version {state.get('rules_version')}, "
            f"this run's game is {game} version {rules.version}"
        )
    outcomes = state.get("outcomes")
    is_old = isinstance(outcomes, Tensor) and outcomes.dtype == torch.int8
    most = 1 if is_old else int(_VALUE_SCALE)
    n = len(outcomes) if isinstance(outcomes, Tensor) and outcomes.ndim == 1 else 0
    for name, dtype, shape in (
        ("states", torch.uint8, (n, rules.state_size)),
        ("policies", torch.int16, (n, rules.num_actions)),
        ("outcomes", torch.int8 if is_old else torch.int16, (n,)),
        ("margins", torch.int16, (n,)),
        ("values", torch.int16, (n,)),
        ("conditions", torch.uint8, (n, condition_size)),
    ):
        column = state.get(name)
        if column is None and name in ("margins", "values", "conditions"):
            continue
        if not isinstance(column, Tensor) or column.dtype != dtype or column.shape != shape:
            found = f"{column.dtype} {tuple(column.shape)}" if isinstance(column, Tensor) else type(column).__name__
            raise ValueError(f"replay: {name}: {found} found, expected {dtype} {shape}")
    if n and not -most <= int(state["outcomes"].min()) <= int(state["outcomes"].max()) <= most:
        raise ValueError(f"replay: outcomes: expected {'-1, 0 or 1' if is_old else f'{-most} to {most}'}")
    added = state.get("added")
    if isinstance(added, bool) or not isinstance(added, int) or not n <= added < 2**62:
        raise ValueError(f"replay: added: {added!r} found, expected at least the {n} positions that are there")
    for first in range(0, n, _ROWS_AT_ONCE):
        try:
            GameBatch.from_packed(state["states"][first : first + _ROWS_AT_ONCE].numpy(), game=game)
        except ValueError as error:
            raise ValueError(f"replay: states from {first} on: {error}") from None
