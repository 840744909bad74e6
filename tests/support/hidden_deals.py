"""Plays runner games from deals that differ only in what the learner cannot see, and tells where a choice differs.

A second game is registered: Beasty Bar, but in each deal a card of the opponent's hand has changed places with the last
card of its deck. A game that is registered stays registered, so tests call this in a separate process.
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np
from reference.search import scrambled
from support import python_game
from support.agent_models import Same

from sim_core import GameBatch, GameRunner, LeafBatch, RunnerSettings, SearchSettings, State, Trees, get_game

GAMES = 24


def struct_of(game: str) -> python_game.Game:
    """Returns a copy of a registered game's struct, to which a handle's first C field points."""
    at = id(get_game(game)) + object.__basicsize__ + ctypes.sizeof(ctypes.c_void_p)
    pointer = ctypes.cast(ctypes.c_void_p.from_address(at).value or 0, ctypes.POINTER(python_game.Game))
    assert pointer.contents.name == game.encode(), "a handle's fields have moved"
    return python_game.Game.from_buffer_copy(pointer.contents)


def register_other_deals(name: str, seat: int) -> None:
    """Registers Beasty Bar with other hidden cards of the player in this seat."""
    original, game = struct_of("beasty_bar"), struct_of("beasty_bar")
    handle = get_game("beasty_bar")

    def initial(state: int, stream: int, first: int) -> None:
        original.initial(state, stream, first)
        parts = handle.format(ctypes.string_at(state, handle.state_size)).split(" ")
        hands, decks = parts[3].split("/"), parts[4].split("/")
        shown = hands[seat][1]
        hands[seat] = "".join(sorted(hands[seat].replace(shown, decks[seat][-1]), key="LHCSGZEXMKPUlhcsgzexmkpu".index))
        decks[seat] = decks[seat][:-1] + shown
        changed = handle.parse(" ".join([*parts[:3], "/".join(hands), "/".join(decks), *parts[5:]]))
        ctypes.memmove(state, changed, len(changed))

    game.name, game.initial = name.encode(), python_game._FUNCTIONS["initial"](initial)
    python_game.register_struct(
        game, handle.actions, handle.opponents, handle.observation_layout, handle.parse, handle.format
    )


class Turn(NamedTuple):
    """Holds a turn: what was open to the learner before it, and the opponent's action or the learner's policy."""

    view: str
    action: int | None
    policy: np.ndarray | None


def open_to(seat: int, state: State) -> str:
    """Returns a position's text without the other player's hand and the order of the decks."""
    *table, hands, decks, to_move, ply = str(state).split(" ")
    return " ".join([*table, hands.split("/")[seat], "".join(sorted(decks.split("/")[seat])), to_move, ply])


def played(
    game: str, seat: int, model: str, opponent: tuple[str, int], settings: SearchSettings, temperature: float
) -> tuple[list[list[Turn]], Any]:
    """Plays games of a learner in this seat. Returns their turns, and the runner's record.

    Args:
        game: Name of the game.
        seat: Seat of the learner.
        model: Opponent that the learner's search expects, "told", "infer", or "agent": it is told an agent in Python.
        opponent: Name and seed of the opponent. Where `model` is "told" it is built in, and the turns lack its actions.
        settings: Settings of the search.
        temperature: Temperature of the learner.
    """
    simulations, name, seed = 8, *opponent
    known: dict[str, tuple[Any, int]] = {"told": opponent, "agent": (Same(name), 0)}
    controllers = np.ones((GAMES, 2), dtype=np.int64)
    controllers[:, seat] = 0
    leaves = LeafBatch(Trees(game, GAMES, simulations))
    runner = GameRunner(
        leaves, RunnerSettings(simulations, settings, opponent_model="told" if model in known else model),
        temperature=temperature, seed=5, learner_seed=9, streams=np.arange(GAMES),
        first_player=np.arange(GAMES) % 2, controllers=controllers, opponents=[known.get(model, (None, 0))],
        record=True,
    )  # fmt: skip
    turns: list[list[Turn]] = [[] for _ in range(GAMES)]
    while not runner.is_done:
        rows = runner.advance()
        slots, _ = runner.outside(0)
        if len(slots):
            positions = runner.positions(slots)
            actions = positions.opponent_actions(name, seed)
            for k, number in enumerate(slots.tolist()):  # each slot plays the game of its number
                turns[number].append(Turn(open_to(seat, positions.state(k)), int(actions[k]), None))
            runner.play(slots, actions)
        if rows:
            leaves.evaluate(scrambled, rows, 1)
    kept = GameBatch.from_packed(runner.record.states, game=game)
    numbers = np.repeat(np.arange(GAMES), 12)  # everybody takes twelve turns of each game
    for k, number in enumerate(numbers.tolist()):
        turns[number].append(Turn(open_to(seat, kept.state(k)), None, runner.record.policies[k]))
    for game_turns in turns:
        game_turns.sort(key=lambda turn: int(turn.view.rsplit(" ", 1)[1]))
    return turns, runner.record


def compare(first: list[list[Turn]], second: list[list[Turn]]) -> tuple[int, int]:
    """Compares games turn by turn until the opponent's actions differ.

    Returns:
        The learner's choices that were compared, and the games in which the opponent's actions differ somewhere.

    Raises:
        AssertionError: A choice differs though all that was open to the learner was the same.
    """
    choices = parted = 0
    for one, other in zip(first, second, strict=True):
        for mine, theirs in zip(one, other, strict=True):
            assert mine.view == theirs.view, f"another choice before {mine.view}"
            if mine.action != theirs.action:
                parted += 1
                break
            if mine.policy is not None:
                assert theirs.policy is not None and (mine.policy == theirs.policy).all(), mine.view
                choices += 1
    return choices, parted
