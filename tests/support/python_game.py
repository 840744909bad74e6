"""A game written in Python: its functions are called back from C, so that a test can register one without compiling it.

Nim: from a heap of 7 stones, one to three are taken in turn, and who takes the last one wins.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import pytest

from sim_core import game as engine
from sim_core import games

STONES, MOST = 7, 3
_P, _I, _U64, _D = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64, ctypes.c_double
_NUMBERS = (
    "version", "state_size", "num_actions", "max_legal", "max_plies", "observation_size", "observation_version",
    "hidden_size", "margin_scale",
)  # fmt: skip
_FUNCTIONS: dict[str, Any] = {
    "is_valid": ctypes.CFUNCTYPE(_I, _P),
    "initial": ctypes.CFUNCTYPE(None, _P, _P, _I),
    "legal_actions": ctypes.CFUNCTYPE(_I, _P, ctypes.POINTER(ctypes.c_int16)),
    "step": ctypes.CFUNCTYPE(None, _P, _I),
    "to_move": ctypes.CFUNCTYPE(_I, _P),
    "ply": ctypes.CFUNCTYPE(_I, _P),
    "is_terminal": ctypes.CFUNCTYPE(_I, _P),
    "outcome": ctypes.CFUNCTYPE(_I, _P, _I),
    "scores": ctypes.CFUNCTYPE(None, _P, ctypes.POINTER(ctypes.c_int32)),
    "observe": ctypes.CFUNCTYPE(None, _P, ctypes.POINTER(ctypes.c_float)),
    "private_key": ctypes.CFUNCTYPE(_U64, _P),
    "hidden_targets": ctypes.CFUNCTYPE(None, _P, ctypes.POINTER(ctypes.c_int8)),
    "determinize": ctypes.CFUNCTYPE(None, _P, _P),
    "is_solvable": ctypes.CFUNCTYPE(_I, _P),
    "solve": ctypes.CFUNCTYPE(_I, _P, _I, _I, ctypes.POINTER(ctypes.c_int16)),
    "solve_actions": ctypes.CFUNCTYPE(_I, _P, _P, _I, _P),
    "opponent_action": ctypes.CFUNCTYPE(_I, _I, _P, ctypes.POINTER(_U64)),
    "opponent_policy": ctypes.CFUNCTYPE(None, _I, _P, ctypes.POINTER(ctypes.c_float)),
    "max_hands": _I,
    "hidden_hands": ctypes.CFUNCTYPE(_I, _P, _I, ctypes.POINTER(_U64)),
    "hand_likelihoods": ctypes.CFUNCTYPE(None, _I, _P, _I, ctypes.POINTER(_U64), _I, ctypes.POINTER(_D)),
    "next_hands": ctypes.CFUNCTYPE(_I, _P, _I, _U64, ctypes.POINTER(_U64)),
    "deal_hand": ctypes.CFUNCTYPE(None, _P, _I, _U64, _P),
    "response_plies": ctypes.CFUNCTYPE(_I, _I),
}


class Game(ctypes.Structure):
    """The struct `Game` of sim_core/game.pxd, field by field."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        *((name, _I) for name in _NUMBERS),
        *_FUNCTIONS.items(),
    ]


class State(ctypes.Structure):
    """Three bytes: stones on the heap, the player to move, turns taken."""

    _fields_ = [("stones", ctypes.c_uint8), ("to_move", ctypes.c_uint8), ("ply", ctypes.c_uint8)]


def _at(address: int) -> State:
    return State.from_address(address)


def _initial(state: int, stream: int, first: int) -> None:
    _at(state).stones, _at(state).to_move, _at(state).ply = STONES, first, 0


def _legal(state: int, actions: Any) -> int:
    count = min(MOST, _at(state).stones)
    for k in range(count):
        actions[k] = k
    return count


def _step(state: int, action: int) -> None:
    now = _at(state)
    now.stones, now.to_move, now.ply = now.stones - action - 1, 1 - now.to_move, now.ply + 1


def _outcome(state: int, player: int) -> int:
    now = _at(state)
    return 0 if now.stones else 1 if now.to_move != player else -1


def _scores(state: int, scores: Any) -> None:
    for player in range(2):
        scores[player] = max(0, _outcome(state, player))


def _observe(state: int, observation: Any) -> None:
    observation[0], observation[1] = _at(state).stones / STONES, _at(state).ply / STONES


def _opponent(opponent: int, state: int, stream: Any) -> int:
    stones = min(MOST, _at(state).stones)
    stream[1] += 1  # a stream is a key and a counter; any number that follows from both will do here
    return (stream[0] + 7 * stream[1]) // 11 % stones if stones else -1


def _parse(text: Any) -> bytes:
    parts = text.split(" ") if isinstance(text, str) else []
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and int(part) <= STONES for part in parts):
        raise ValueError(f"position: {text!r} given, expected STONES TO_MOVE PLY")
    return bytes(map(int, parts))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "is_valid": lambda state: _at(state).stones <= STONES and _at(state).to_move <= 1 and _at(state).ply <= STONES,
    "initial": _initial,
    "legal_actions": _legal,
    "step": _step,
    "to_move": lambda state: _at(state).to_move,
    "ply": lambda state: _at(state).ply,
    "is_terminal": lambda state: _at(state).stones == 0,
    "outcome": _outcome,
    "scores": _scores,
    "observe": _observe,
    "determinize": lambda state, stream: None,
    "is_solvable": lambda state: False,
    "solve": lambda state, alpha, beta, best: 0,
    "opponent_action": _opponent,
}
NUMBERS = {
    "version": 1, "state_size": 3, "num_actions": MOST, "max_legal": MOST, "max_plies": STONES, "observation_size": 2,
    "observation_version": 1,
}  # fmt: skip


def fill_hands(*found: int) -> Callable[..., int]:
    """Returns a function that fills these hands, whatever it is asked."""

    def fill(*arguments: Any) -> int:
        for k, hand in enumerate(found):
            arguments[-1][k] = hand
        return len(found)

    return fill


def fill_likelihoods(likelihood: float) -> Callable[..., None]:
    """Returns a function that finds the action this likely with every hand."""

    def fill(opponent: int, state: int, action: int, hands: Any, count: int, likelihoods: Any) -> None:
        for k in range(count):
            likelihoods[k] = likelihood

    return fill


HANDS: dict[str, Any] = {
    "max_hands": 2, "hidden_size": 2, "hidden_targets": lambda state, answers: None, "hidden_hands": fill_hands(1, 2),
    "hand_likelihoods": fill_likelihoods(0.5), "next_hands": fill_hands(1, 2), "deal_hand": lambda *_: None,
}  # fmt: skip
"""What makes nim a game in which each player holds one of two cards, which decides nothing."""

TABLES: dict[str, Any] = {
    "actions": ("one", "two", "three"),
    "opponents": ("random",),
    "observation_layout": (("stones / 7", 1), ("ply / 7", 1)),
    "parse": _parse,
    "format": lambda state: " ".join(map(str, state)),
}
INTERFACE = 2
_kept: list[Game] = []  # the engine keeps a pointer


def register(name: str = "nim", interface: int = INTERFACE, size: int = ctypes.sizeof(Game), **changes: Any) -> Any:
    """Registers nim with some of its functions, numbers or tables changed. None: the function is missing."""
    game = Game(name=name.encode(), **{key: changes.get(key, NUMBERS.get(key, 0)) for key in _NUMBERS})
    for key, kind in _FUNCTIONS.items():
        function = changes.get(key, FUNCTIONS.get(key))
        if function is not None:
            setattr(game, key, kind(function))
    tables = [changes.get(key, value) for key, value in TABLES.items()]
    return register_struct(game, *tables, interface=interface, size=size)


def register_struct(game: Game, *tables: Any, interface: int = INTERFACE, size: int = ctypes.sizeof(Game)) -> Any:
    """Registers a game whose struct is filled already, with its tables in the order of `TABLES`."""
    _kept.append(game)
    capsule = engine.__pyx_capi__["register_as"]
    ctypes.pythonapi.PyCapsule_GetName.restype = ctypes.c_char_p
    ctypes.pythonapi.PyCapsule_GetName.argtypes = [ctypes.py_object]
    ctypes.pythonapi.PyCapsule_GetPointer.restype = ctypes.c_void_p
    ctypes.pythonapi.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    at = ctypes.pythonapi.PyCapsule_GetPointer(capsule, ctypes.pythonapi.PyCapsule_GetName(capsule))
    kind = ctypes.PYFUNCTYPE(ctypes.py_object, _I, ctypes.c_size_t, _P, *[ctypes.py_object] * 5)
    return kind(at)(interface, size, ctypes.addressof(game), *tables)


def refused(says: str, **changes: Any) -> None:
    """Asserts that registering the game with these changes is refused in these words."""
    before = games()
    with pytest.raises(ValueError, match=says):
        register(**changes)
    assert games() == before
