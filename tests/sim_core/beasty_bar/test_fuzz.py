"""No input from Python crashes the process: every call works, or raises an error that names the argument.

Seeded and bounded. It means most under bounds checks and the sanitizers (tests/support/sanitizers.sh).
"""

from __future__ import annotations

import copy
import random
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from sim_core import (
    Action,
    GameBatch,
    Searcher,
    State,
    c_state_to_python,
    games,
    get_game,
    search,
    select_random_action,
)
from sim_core.beasty_bar import game as beasty_bar_module
from sim_core.game import GameHandle

GAMES = ("beasty_bar", "beasty_bar_animals", "connect_four")
REFUSALS = (ValueError, TypeError, IndexError, OverflowError)
HUGE = [2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**200, -1, -2, -(2**31), -(2**63), -(2**200)]
ODD: list[Any] = [
    None, True, False, 0, 1, 2, 3, 33, 255, 256, *HUGE, 0.5, float("nan"), float("inf"), 1j, "", "0", "random",
    "x" * 99, b"", b"\0" * 40, b"\xff" * 40, (), [], [[]], [0, [1]], {}, {0}, object(), Ellipsis, slice(None), int,
    lambda: 0, np.int8(-1), np.uint64(2**64 - 1), np.float32(1), np.bool_(True), np.datetime64(5, "s"), np.array(None),
]  # fmt: skip
DTYPES = ["?", "i1", "u1", "<i2", ">i2", "<i4", ">u4", "<i8", ">i8", "<u8", ">u8", "f2", "<f4", ">f4", "f8", "c8", "O",
          "S3", "U3", "M8[s]", "m8[s]", "V5", [("a", "i8"), ("b", "f4")]]  # fmt: skip


def attempt(name: str, call: Callable[[], object]) -> bool:
    """Returns whether the call worked. An error must be a refusal that names the argument."""
    try:
        call()
    except REFUSALS as error:
        assert re.search(rf"\b{name}\b", str(error)), f"{type(error).__name__}: {error}"
        return False
    return True


def odd_arrays(rng: np.random.Generator, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Yields arrays around a shape, of every dtype, byte order, layout and protection."""
    shapes = [shape, (), (0,), (shape[0] + 1, *shape[1:]), (*shape, 1), shape[::-1], (0, *shape[1:]), shape[:-1]]
    found: list[np.ndarray] = []
    for dtype in DTYPES:
        for size in shapes if dtype in ("u1", "<i8", "<f4", "?") else (shape,):
            try:
                found.append(rng.integers(0, 3, size).astype(dtype))
            except TypeError:
                found.append(np.zeros(size, dtype))
    for plain in [array for array in found if array.shape == shape and array.dtype.kind in "?iuf"]:
        found.append(np.repeat(plain, 2, axis=0)[::2])
        found.append(plain[::-1])
        found.append(np.asfortranarray(plain))
        found.append(np.broadcast_to(plain[:1], plain.shape))
        unaligned = np.frombuffer(b"\0" + plain.tobytes(), np.uint8)[1:].view(plain.dtype).reshape(shape)
        found += [unaligned, np.ma.masked_array(plain, plain > 0)]
        frozen = plain.copy()
        frozen.flags.writeable = False
        found.append(frozen)
    return found


class Liar(np.ndarray):
    """Lies about its shape, type and flags as an array."""

    claimed: Any = ()
    shape = property(lambda self: self.claimed)  # type: ignore[assignment]
    dtype = property(lambda self: np.dtype(np.float32))  # type: ignore[assignment]
    flags = property(lambda self: np.ones(1).flags)  # type: ignore[assignment]


def exercise(batch: GameBatch) -> None:
    """Calls everything that a batch offers. The C code must stay within its memory, whatever states the batch holds."""
    n = len(batch)
    batch.observe(), batch.legal_mask(), batch.scores(), batch.outcomes(), batch.is_solvable, batch.ply, batch.to_move
    for name in batch.handle.opponents:
        chosen = batch.opponent_actions(name, 3)
        assert ((chosen >= 0) == batch.legal_mask().any(axis=1)).all()
    for i in range(0, n, max(1, n // 20)):
        state = batch.state(i)
        assert State.parse(str(state), game=state.game).legal_actions() == state.legal_actions()
        state.determinize(i), state.observe(), state.scores(), state.winner()
        for action in state.legal_actions():
            state.step(action)
        if state.is_solvable and not state.is_terminal:
            batch.handle.solve(state.data)
    batch.play_random(threads=2)
    assert not batch.legal_mask().any()


# ---------------------------------------------------------------------- packed bytes


def damaged(game: str, rng: np.random.Generator, count: int) -> np.ndarray:
    """Returns states of real games with some bytes changed, mostly to small numbers or by flipped bits."""
    batch = GameBatch(count, 3, game=game)
    plies = rng.integers(0, batch.handle.max_plies + 1, count)
    while (going := (batch.ply < plies) & ~batch.is_terminal).any():
        batch.step(np.where(going, batch.opponent_actions("random", 1), -1))
    packed = batch.packed()
    for row in packed:
        for _ in range(rng.integers(0, 3)):
            place = rng.integers(len(row))
            row[place] = rng.choice([rng.integers(256), rng.integers(6), 255, row[place] ^ 1 << rng.integers(8)])
    return packed


@pytest.mark.parametrize("game", GAMES)
def test_bytes_are_a_position_or_refused(game: str) -> None:
    """Fails if bytes are accepted that are no position which can be played."""
    rng = np.random.default_rng(5)
    rules = get_game(game)
    size = rules.state_size
    rows = [*rng.integers(0, 256, (300, size), dtype=np.uint8), *damaged(game, rng, 1200)]
    rows += [np.full(size, byte, np.uint8) for byte in range(256)]
    rows += [rng.integers(0, 3, size, dtype=np.uint8) for _ in range(300)]
    valid = [row for row in rows if attempt("data", lambda row=row: State(row.tobytes(), game))]
    assert 200 < len(valid) < len(rows) - 600
    for row in rows:
        data = row.tobytes()
        assert rules.is_valid(data) == attempt("packed", lambda row=row: GameBatch.from_packed(row[None], game=game))
        assert rules.is_valid(data) == attempt("state", lambda data=data: rules.ply(data))
    batch = GameBatch.from_packed(np.stack(valid), game=game)
    assert (batch.packed() == np.stack(valid)).all()
    if game != "connect_four":  # of which floating stones are taken, though no text says them
        for row in valid:
            state = State(row.tobytes(), game)
            assert State.parse(str(state), game=game) == state, "a taken position is not what its text says"
        exercise(batch)
    else:
        batch.play_random()


@pytest.mark.parametrize("game", GAMES)
def test_every_method_of_a_handle_refuses_bytes(game: str) -> None:
    rules = get_game(game)
    size = rules.state_size
    methods: list[Callable[[Any], object]] = [
        rules.legal_actions, rules.to_move, rules.ply, rules.is_terminal, rules.scores, rules.observe, rules.solve,
        rules.is_solvable, lambda data: rules.step(data, 0), lambda data: rules.determinize(data, 1),
        lambda data: rules.outcome(data, 0),
    ]  # fmt: skip
    bad: list[Any] = [
        b"\xff" * size,
        b"",
        b"\0" * (size - 1),
        b"\0" * (size + 1),
        b"\0" * 10**6,
        None,
        bytearray(size),
        0,
    ]
    for data in bad:
        for method in methods:
            assert not attempt("state", lambda method=method, data=data: method(data))
        attempt("state", lambda data=data: rules.format(data))
    initial = rules.initial(1)
    for value in ODD:
        attempt("action", lambda value=value: rules.step(initial, value))
        attempt("seed", lambda value=value: rules.determinize(initial, value))
        attempt("player", lambda value=value: rules.outcome(initial, value))
        attempt("seed", lambda value=value: rules.initial(value))
        attempt("first_player", lambda value=value: rules.initial(1, value))
        attempt("stream_number", lambda value=value: rules.initial(1, 0, value))


def test_scoring_of_bytes() -> None:
    for data in (b"\xff" * 40, b"", b"\0" * 39, None, 3):
        assert not attempt("state", lambda data=data: beasty_bar_module.score_as(data, "points"))
        assert not attempt("state", lambda data=data: beasty_bar_module.unpack(data))
    for value in ODD:
        attempt("scoring", lambda value=value: State.initial(1).scores(value))


# ---------------------------------------------------------------------- objects made in other ways


def test_nothing_exists_half_made() -> None:
    """Fails if a batch or a handle can exist without its pointers, because the first call would end the process."""
    for make in (GameHandle, lambda: GameHandle.__new__(GameHandle), lambda: object.__new__(GameHandle)):
        with pytest.raises(TypeError):
            make()
    for make in (lambda: GameBatch.__new__(GameBatch), lambda: object.__new__(GameBatch), GameBatch):
        with pytest.raises(TypeError):
            make()
    batch = GameBatch(3, 1)
    for refused in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            refused(batch)
    before = batch.packed()
    with suppress(TypeError):
        batch.__init__(10**5)  # type: ignore[misc]
    assert len(batch) == 3 and (batch.packed() == before).all()

    class Longer(GameBatch):
        def __len__(self) -> int:
            return 10**6

    longer = Longer(2, 1)
    search(longer, neutral, 2)
    longer.play_random(threads=2)
    assert len(longer.observe()) == len(longer.packed()) == 2
    longer._play_random_chunk(-5, 10**9)  # type: ignore[attr-defined]


def test_a_state_made_without_its_checks() -> None:
    """Fails if the engine trusts a state that `object.__setattr__` changed after its checks."""
    state = State.initial(1)
    object.__setattr__(state, "data", b"\xff" * len(state.data))
    for call in (state.legal_actions, state.observe, lambda: state.step(Action(0)), state.scores, lambda: str(state)):
        assert not attempt("state", call)
    assert not attempt("packed", lambda: GameBatch.from_states([state]))


# ---------------------------------------------------------------------- arguments


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_single_arguments() -> None:
    batch = GameBatch(3, 1)
    state = State.initial(1)
    calls: list[tuple[str, Callable[[Any], object]]] = [
        ("n", lambda x: GameBatch(x) if not isinstance(x, int) or x < 1000 or x > 10**8 else None),
        ("seed", lambda x: GameBatch(2, x)),
        ("game|name", lambda x: GameBatch(2, game=x)),
        ("first_player", lambda x: GameBatch(3, first_player=x)),
        ("streams", lambda x: GameBatch(3, streams=x)),
        ("packed", lambda x: GameBatch.from_packed(x)),
        ("seed", lambda x: GameBatch.from_packed(batch.packed(), seed=x)),
        ("states", lambda x: GameBatch.from_states(x)),
        ("states", lambda x: GameBatch.from_states([state, x])),
        ("seed", lambda x: GameBatch.from_states([state], seed=x)),
        ("rows", lambda x: batch.take(x)),
        ("i", lambda x: batch.state(x)),
        ("i", lambda x: select_random_action(batch, x)),
        ("i", lambda x: c_state_to_python(batch, x)),
        ("batch", lambda x: select_random_action(x, 0)),
        ("batch", lambda x: c_state_to_python(x, 0)),
        ("actions", lambda x: GameBatch(3, 1).step(x)),
        ("name", lambda x: batch.opponent_actions(x)),
        ("seed", lambda x: batch.opponent_actions("noisy", x)),
        ("rows", lambda x: batch.opponent_actions("random", rows=x)),
        ("seed", lambda x: batch.uniforms(x)),
        ("threads", lambda x: GameBatch(1, 1).play_random(threads=x)),
        ("out", lambda x: batch.observe(out=x)),
        ("out", lambda x: batch.legal_mask(out=x)),
        ("data", lambda x: State(x)),
        ("game|name", lambda x: State(state.data, x)),
        ("seed", lambda x: State.initial(x)),
        ("first_player", lambda x: State.initial(1, x)),
        ("action", lambda x: state.step(x)),
        ("seed", lambda x: state.determinize(x)),
        ("id", lambda x: Action(x)),
        ("game|name", lambda x: Action(1, x)),
        ("game|name", lambda x: get_game(x)),
        ("batch", lambda x: search(x, neutral, 1)),
        ("simulations", lambda x: search(batch, neutral, x if x != 255 else 2)),
        ("seed", lambda x: search(batch, neutral, 1, seed=x)),
        ("threads", lambda x: search(batch, neutral, 1, threads=x)),
        ("c_puct", lambda x: search(batch, neutral, 2, c_puct=x)),
        ("dirichlet_fraction", lambda x: search(batch, neutral, 2, dirichlet_fraction=x)),
        ("dirichlet_alpha", lambda x: search(batch, neutral, 2, dirichlet_fraction=0.5, dirichlet_alpha=x)),
        ("evaluate", lambda x: search(batch, lambda observations, mask: x, 1)),
        ("evaluate", lambda x: search(batch, lambda observations, mask: (x, x), 1)),
        ("batch", lambda x: Searcher(3, 1).search(x, neutral)),
        ("slots", lambda x: Searcher(x, 1) if not isinstance(x, int) or x < 1000 or x > 10**8 else None),
        ("simulations", lambda x: Searcher(1, x) if not isinstance(x, int) or x < 1000 or x > 10**6 else None),
    ]  # fmt: skip
    before = batch.packed()
    for name, call in calls:
        worked = [attempt(name, lambda call=call, value=value: call(value)) for value in ODD]
        assert not all(worked), name
    assert (batch.packed() == before).all()


def test_odd_arrays() -> None:
    """Fails if an odd array is read wrongly, or `out=` is written where it does not fit exactly."""
    rng = np.random.default_rng(2)
    batch = GameBatch(3, 1)
    rows, packed = odd_arrays(rng, (3,)), odd_arrays(rng, batch.packed().shape)
    taken = 0
    for array in [*rows, *packed]:
        for name, call in (
            ("first_player", lambda x: GameBatch(3, first_player=x)),
            ("streams", lambda x: GameBatch(3, streams=x)),
            ("rows", lambda x: batch.take(x)),
            ("rows", lambda x: batch.opponent_actions("noisy", rows=x)),
            ("actions", lambda x: GameBatch(3, 1).step(x)),
            ("packed", GameBatch.from_packed),
            ("n", GameBatch),
            ("seed", batch.uniforms),
        ):
            taken += attempt(name, lambda call=call, array=array: call(array))
    assert taken > 50
    for plain in (np.array([2, 0, 1]), np.array([2, 0, 1], ">u2"), np.array([[2, 9], [0, 9], [1, 9]])[:, 0]):
        plain.flags.writeable = False
        assert (batch.take(plain).packed() == batch.packed()[[2, 0, 1]]).all()
    for method, dtype, width in ((batch.observe, np.float32, batch.observation_size), (batch.legal_mask, bool, 33)):
        expected = method()
        for out in odd_arrays(rng, (3, width)):
            if attempt("out", lambda method=method, out=out: method(out=out)):
                assert out.dtype == dtype and (np.asarray(out) == expected).all()
        liar = np.zeros(5, dtype).view(Liar)
        liar.claimed = (3, width)
        assert not attempt("out", lambda method=method, liar=liar: method(out=liar))


def test_a_caller_s_streams_are_copied() -> None:
    streams = np.array([4, 5, 6])
    batch = GameBatch(3, 1, streams=streams)
    expected = batch.uniforms(1)
    streams[:] = 9
    assert (batch.uniforms(1) == expected).all()


@pytest.mark.parametrize("game", GAMES)
def test_finished_games(game: str) -> None:
    batch = GameBatch(5, 1, game=game)
    batch.play_random()
    ends = batch.packed()
    for action in range(batch.num_actions):
        assert not attempt("actions", lambda action=action: batch.step(np.full(5, action)))
        assert not attempt("action", lambda action=action: batch.state(0).step(Action(action, game)))
    batch.step(np.full(5, -1))
    assert (batch.opponent_actions("random") == -1).all()
    assert (batch.packed() == ends).all()
    assert not attempt("state", lambda: get_game(game).solve(batch.state(0).data))
    assert (search(batch, neutral, 3).visit_counts == 0).all()


@pytest.mark.parametrize("game", GAMES)
def test_random_actions_step_only_where_legal(game: str) -> None:
    """Fails if illegal actions step some of a batch's games: it steps all or none."""
    rng = np.random.default_rng(1)
    batch = GameBatch(4, 1, game=game)
    for _ in range(1500):
        before, mask = batch.packed(), batch.legal_mask()
        ids = rng.integers(-1, batch.num_actions, 4)
        legal = bool((mask[np.arange(4), ids] | (ids < 0)).all())
        assert attempt("actions", lambda ids=ids: batch.step(ids)) == legal
        assert ((batch.packed() == before).all(axis=1) == (ids < 0) | (not legal)).all()


# ---------------------------------------------------------------------- search


def neutral(observations: np.ndarray, legal_mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(legal_mask.shape, dtype=np.float32), np.zeros(len(legal_mask), dtype=np.float32)


def test_extreme_answers_of_an_evaluator() -> None:
    batch = GameBatch(20, 1)
    low, high = np.finfo(np.float32).min, np.finfo(np.float32).max
    for logit in (low, high, 0.0):
        for value in (low, high, 1e30, -1.0):

            def extreme(observations: Any, mask: Any, logit: Any = logit, value: Any = value) -> Any:
                return np.full(mask.shape, logit), np.full(len(mask), value)

            if abs(value) > 1e38:  # a sum of two is no number any more, and PUCT must choose an edge all the same
                with pytest.raises(ValueError, match=r"^evaluate: returned NaN .*too large to be added up"):
                    search(batch, extreme, 20, dirichlet_fraction=0.2)
                continue
            found = search(batch, extreme, 20, dirichlet_fraction=0.2)
            assert np.isfinite(found.policy).all() and np.isfinite(found.value).all()
            assert (found.visit_counts >= 0).all() and not found.visit_counts[~batch.legal_mask()].any()
            assert (found.visit_counts.sum(axis=1) == 20).all()
            assert batch.legal_mask()[np.arange(20), found.actions].all()


def test_unaligned_answers_of_an_evaluator() -> None:
    batch = GameBatch(20, 1)

    def unaligned(observations: np.ndarray, legal_mask: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple(
            np.frombuffer(b"\0" + array.tobytes(), np.uint8)[1:].view(np.float32).reshape(array.shape)
            for array in neutral(observations, legal_mask)
        )

    assert (search(batch, unaligned, 20).visit_counts == search(batch, neutral, 20).visit_counts).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_an_evaluator_that_meddles(threads: int) -> None:
    """Fails if an evaluator that steps the searched batch, or writes over its arguments, harms the search."""
    batch, undisturbed = GameBatch(30, 1), GameBatch(30, 1)

    def meddling(observations: np.ndarray, legal_mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if not batch.is_terminal.all():
            batch.play_random()
        answer = neutral(observations, legal_mask)
        observations[:] = np.nan
        legal_mask[:] = True
        return answer

    found = search(batch, meddling, 40, threads=threads)
    assert (found.visit_counts == search(undisturbed, neutral, 40).visit_counts).all()


# ---------------------------------------------------------------------- text


@pytest.mark.parametrize("game", GAMES)
def test_any_text_is_a_position_or_refused(game: str) -> None:
    """Fails if a text that is no position is accepted, or refused by another error."""
    rng = random.Random(3)
    good = [str(State.initial(seed, game=game)) for seed in range(5)]
    alphabet = "-/ 0123456789LHCSGZEXMKPUlhcsgzexmkpuXO\0\n\t\u0661\ud800\u212a\U0001f40d"
    everything = [chr(rng.randrange(sys.maxunicode)) for _ in range(300)]
    texts: list[Any] = ["", " ", " " * 6, "/" * 10**6, "L" * 10**6, "- " * 10**5, "\0" * 50, good[0] + " ", good[0] * 9]
    texts += [" ".join(["L" * 10**5 if k == place else part for k, part in enumerate(good[0].split(" "))])
              for place in range(len(good[0].split(" ")))]  # fmt: skip
    texts += [None, 0, b"- - -", [], object()]
    for _ in range(1500):
        letters = list(rng.choice(good))
        for _ in range(rng.randrange(1, 5)):
            place = rng.randrange(len(letters))
            letters[place : place + rng.randrange(3)] = rng.choice([*alphabet, *everything[:40]]) * rng.randrange(3)
        texts.append("".join(letters))
    texts += ["".join(rng.choices([*alphabet, *everything], k=rng.randrange(80))) for _ in range(500)]
    fields = "position|queue|bar|thatsit|hand0|hand1|deck0|deck1|to_move|ply|board"
    for text in texts:
        if attempt(fields, lambda text=text: State.parse(text, game=game)):
            state = State.parse(text, game=game)
            assert State.parse(str(state), game=game) == state
        try:
            State.parse(text, game=game)
        except ValueError as error:
            assert len(str(error)) < 2000, "a message that repeats a megabyte"
        attempt("action", lambda text=text: Action.parse(text, game))
    assert not attempt("board", lambda: State.parse("X" * 10**5 + "/7/7/7/7/7 0 0", game="connect_four"))


def test_every_registered_game_is_fuzzed() -> None:
    assert set(GAMES) == set(games())
