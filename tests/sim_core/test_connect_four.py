"""Connect four against a plain scan of its grid, and search's signs and depth by wins that must be found."""

from __future__ import annotations

import random
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from sim_core import Action, GameBatch, State, get_game, search

GAME = "connect_four"
COLUMNS, ROWS = 7, 6
LINES = [
    [(column + k * across, row + k * up) for k in range(4)]
    for column in range(COLUMNS)
    for row in range(ROWS)
    for across, up in ((1, 0), (0, 1), (1, 1), (1, -1))
    if 0 <= column + 3 * across < COLUMNS and 0 <= row + 3 * up < ROWS
]
Grid = dict[tuple[int, int], int]  # (column, row from the bottom) to the player whose stone lies there


# ---------------------------------------------------------------------- the reference


def winners(grid: Grid) -> set[int]:
    """Returns the players with four in a row; both only in grids that no game can reach."""
    owners = [{grid.get(place) for place in line} for line in LINES]
    return {owner for line in owners if len(line) == 1 for owner in line if owner is not None}


def columns(grid: Grid) -> list[int]:
    """Returns the legal columns."""
    return [] if winners(grid) else [column for column in range(COLUMNS) if (column, ROWS - 1) not in grid]


def dropped(grid: Grid, column: int, player: int) -> Grid:
    row = next(row for row in range(ROWS) if (column, row) not in grid)
    return grid | {(column, row): player}


def text_of(grid: Grid, to_move: int) -> str:
    rows = ["".join(" XO"[grid.get((c, r), -1) + 1] for c in range(COLUMNS)) for r in reversed(range(ROWS))]
    board = "/".join(re.sub(" +", lambda run: str(len(run[0])), row) for row in rows)
    return f"{board} {to_move} {len(grid)}"


def value(grid: Grid, player: int, plies: int) -> int:
    """Returns what the player to move can force within some plies; 0 if that is nothing."""
    if winners(grid):
        return -1
    if plies == 0:
        return 0
    best = -1 if columns(grid) else 0
    for column in columns(grid):
        best = max(best, -value(dropped(grid, column, player), 1 - player, plies - 1))
        if best == 1:
            break
    return best


def forced(grid: Grid, player: int, column: int, plies: int) -> int:
    return -value(dropped(grid, column, player), 1 - player, plies - 1)


def at_once(grid: Grid, player: int) -> list[int]:
    """Returns the columns with which a player would win at once if it were to move."""
    return [column for column in columns(grid) if player in winners(dropped(grid, column, player))]


def read(state: State) -> Grid:
    """Returns the grid, from the text."""
    rows = str(state).split(" ")[0].split("/")
    cells = [re.sub(r"\d", lambda run: " " * int(run[0]), row) for row in reversed(rows)]
    return {(c, r): "XO".index(cells[r][c]) for c in range(COLUMNS) for r in range(ROWS) if cells[r][c] != " "}


@cache
def positions() -> tuple[tuple[State, Grid], ...]:
    """Yields positions of random games, with a grid that is played beside the engine."""
    rng = random.Random(4)
    found = []
    for number in range(200):
        state, grid = State.initial(number, number % 2, game=GAME), Grid()
        while True:
            found.append((state, grid))
            if not (legal := state.legal_actions()):
                break
            action = rng.choice(legal)
            grid = dropped(grid, action.id, state.to_move)
            state = state.step(action)
    return tuple(found)


# ---------------------------------------------------------------------- rules


def test_positions_of_games_are_the_reference_s() -> None:
    for state, grid in positions():
        assert str(state) == text_of(grid, state.to_move)
        assert [action.id for action in state.legal_actions()] == columns(grid)
        won = winners(grid)
        assert ({state.winner()} if state.winner() is not None else set()) == won
        assert state.scores() == (int(0 in won), int(1 in won))
    assert len(positions()) > 3000


def packed(grid: Grid, to_move: int = 0) -> np.ndarray:
    """Returns any grid, floating stones too, as the engine's bytes: column after column, seven bits each."""
    stones = np.zeros(2, dtype="<u8")
    for (column, row), player in grid.items():
        stones[player] |= np.uint64(1 << (7 * column + row))
    tail = np.array([to_move, len(grid), 0, 0, 0, 0, 0, 0], dtype=np.uint8)
    return np.concatenate([stones.view(np.uint8), tail])


def test_every_line_wins_and_nothing_else_does() -> None:
    """Fails if a line around the board's edge, or one of three, wins."""
    assert len(LINES) == 69
    grids = [{place: player for place in line} for line in LINES for player in range(2)]
    grids += [{place: 0 for place in line if place != gap} for line in LINES for gap in line]
    rng = random.Random(3)
    places = [(column, row) for column in range(COLUMNS) for row in range(ROWS)]
    for _ in range(3000):
        filled = rng.sample(places, rng.randint(4, 42))
        grids.append({place: rng.randrange(2) for place in filled})
    outcomes = GameBatch.from_packed(np.stack([packed(grid) for grid in grids]), game=GAME).outcomes()
    seen = []
    for grid, outcome in zip(grids, outcomes, strict=True):
        won = winners(grid)
        assert outcome == (0 in won) - (1 in won)
        seen.append(len(won))
    assert {0, 1, 2} == set(seen)


def test_a_full_board_is_a_draw() -> None:
    batch = GameBatch(5000, 1, game=GAME)
    batch.play_random()
    drawn = [batch.state(i) for i in np.flatnonzero(batch.outcomes() == 0)]
    assert len(drawn) > 3
    for state in drawn:
        grid = read(state)
        assert len(grid) == state.ply == 42 and not winners(grid)
        assert state.is_terminal and state.winner() is None and state.scores() == (0, 0)


def test_the_observation_is_the_mover_s() -> None:
    swapped = []
    for state, grid in positions():
        seen = state.observe()
        planes = seen[:84].reshape(2, COLUMNS, ROWS)
        own, other = ({place for place, owner in grid.items() if owner == player} for player in (0, 1))
        if state.to_move == 1:
            own, other = other, own
        assert set(zip(*np.nonzero(planes[0]), strict=True)) == own
        assert set(zip(*np.nonzero(planes[1]), strict=True)) == other
        assert np.flatnonzero(seen[84:91]).tolist() == columns(grid)
        assert seen[91] == np.float32(state.ply / 42)
        text = text_of({place: 1 - owner for place, owner in grid.items()}, 1 - state.to_move)
        swapped.append((State.parse(text, game=GAME).observe() == seen).all())
    assert all(swapped)


# ---------------------------------------------------------------------- text

EMPTY = "7/7/7/7/7"


@pytest.mark.parametrize(
    ("text", "field", "fault"),
    [
        (f"{EMPTY}/7 0", "position", "2 fields"),
        (f"{EMPTY}/7  0 0", "position", "4 fields"),
        (f"{EMPTY} 0 0", "board", "5 rows"),
        (f"{EMPTY}/7/7 0 0", "board", "7 rows"),
        (f"{EMPTY}/6 0 0", "board", "row 1 .*6 cells"),
        (f"{EMPTY}/3X4 0 1", "board", "row 1 .*8 cells"),
        (f"{EMPTY}/ 0 0", "board", "row 1 .*0 cells"),
        (f"{EMPTY}/3x3 1 1", "board", "'x' in row 1"),
        (f"8/{EMPTY} 0 0", "board", "'8' in row 6"),
        ("7/7/7/7/2X4/7 1 1", "board", "X in column 3, row 2 .*floats"),
        ("7/7/7/O6/7/X6 0 2", "board", "O in column 1, row 3 .*floats"),
        (f"{EMPTY}/XX5 1 2", "board", "2 X and 0 O"),
        (f"{EMPTY}/OOOX3 0 4", "board", "1 X and 3 O"),
        (f"{EMPTY}/7 2 0", "to_move", "'2'"),
        (f"{EMPTY}/7 X 0", "to_move", "'X'"),
        (f"{EMPTY}/3X3 0 1", "to_move", "0 .*a stone more"),
        (f"{EMPTY}/3O3 1 1", "to_move", "1 .*a stone more"),
        (f"{EMPTY}/7 0 43", "ply", "'43'"),
        (f"{EMPTY}/7 0 -1", "ply", "'-1'"),
        (f"{EMPTY}/3X3 1 2", "ply", "2 .*1 stones"),
        ("7/7/7/7/OOO4/XXXX3 0 7", "to_move", "0 .*a stone more"),
        ("7/7/7/7/OOOO3/XXXX3 0 8", "board", "player 0 .*four in a row already"),
        ("7/7/7/O6/OOO4/XXXX3 0 8", "board", "player 0 .*four in a row already"),
    ],
)
def test_a_fault_in_a_text_is_named(text: str, field: str, fault: str) -> None:
    with pytest.raises(ValueError, match=rf"^{field}: .*{fault}"):
        State.parse(text, game=GAME)


def test_columns_are_the_actions() -> None:
    state = State.initial(1, game=GAME)
    for text in "4453":
        state = state.step(Action.parse(text, GAME))
    assert str(state) == "7/7/7/7/3O3/2OXX2 0 4"
    with pytest.raises(ValueError, match="'8' is not an action of connect_four"):
        Action.parse("8", GAME)
    with pytest.raises(ValueError, match="expected an Action of connect_four"):
        state.step(Action(3))
    with pytest.raises(ValueError, match=r"^scoring: 'points'"):
        state.winner("points")


# ---------------------------------------------------------------------- opponents


def test_tactical_wins_else_blocks_else_plays_anything() -> None:
    given = [(state, grid) for state, grid in positions() if not state.is_terminal]
    batch = GameBatch.from_states(state for state, _ in given)
    chosen = [batch.opponent_actions("tactical", seed) for seed in range(40)]
    kinds = set()
    for i, (state, grid) in enumerate(given):
        wins, threats = (at_once(grid, player) for player in (state.to_move, 1 - state.to_move))
        expected = wins or threats or columns(grid)
        found = {int(ids[i]) for ids in chosen}
        assert found <= set(expected), str(state)
        assert len(found) == len(expected) or len(expected) > 2, "the stream chooses among all"
        policy = get_game(GAME).opponent_policy("tactical", state.data)
        share = np.float32(1 / len(expected))
        np.testing.assert_array_equal(policy, [share * (column in expected) for column in range(7)], err_msg=str(state))
        kinds.add((bool(wins), bool(threats)))
    assert len(kinds) == 4


def test_tactical_beats_random() -> None:
    batch = GameBatch(1000, 2, game=GAME, first_player=np.arange(1000) % 2)
    while not (over := batch.is_terminal).all():
        by_player = [batch.opponent_actions("tactical", 1), batch.opponent_actions("random", 2)]
        batch.step(np.where(over, -1, np.where(batch.to_move == 0, *by_player)))
    outcomes = batch.outcomes()
    assert 0.9 < ((outcomes + 1) / 2).mean() < 1.0


# ---------------------------------------------------------------------- search


def neutral(observations: np.ndarray, legal_mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Answers with nothing known, so that search finds everything in the tree."""
    return np.zeros(legal_mask.shape, np.float32), np.zeros(len(observations), np.float32)


def searched(given: list[State], simulations: int) -> tuple[list[int], np.ndarray]:
    """Returns the most visited columns and the values."""
    found = search(GameBatch.from_states(given), neutral, simulations, seed=1)
    return found.visit_counts.argmax(axis=1).tolist(), found.value


def unsolved() -> list[tuple[State, Grid]]:
    """Returns positions far from where the solver takes over."""
    return [(state, grid) for state, grid in positions() if not state.is_terminal and state.ply < 26]


def test_a_win_in_one_is_taken() -> None:
    given = [(state, grid) for state, grid in unsolved() if at_once(grid, state.to_move)]
    assert len(given) > 300 and {state.to_move for state, _ in given} == {0, 1}
    best, values = searched([state for state, _ in given], 200)
    for (state, grid), column in zip(given, best, strict=True):
        # another column may win as surely, later
        assert column in at_once(grid, state.to_move) or forced(grid, state.to_move, column, 5) == 1, str(state)
    assert values.min() > 0.7


def test_an_immediate_loss_is_blocked() -> None:
    given = []
    for state, grid in unsolved():
        threats = at_once(grid, 1 - state.to_move)
        if len(threats) == 1 and not at_once(grid, state.to_move):
            after = dropped(grid, threats[0], state.to_move)
            if not at_once(after, 1 - state.to_move):
                given.append((state, grid, threats[0]))
    given = given[:200]
    assert len(given) == 200
    best, _ = searched([state for state, _, _ in given], 300)
    for (state, grid, block), column in zip(given, best, strict=True):
        # nothing but the block is worth more than a loss in two; where all is lost, any column may lead
        assert column == block or forced(grid, state.to_move, block, 5) == -1, str(state)
    assert np.mean([column == block for (_, _, block), column in zip(given, best, strict=True)]) > 0.95


@pytest.mark.parametrize(
    ("text", "wins"),
    [
        ("7/7/7/7/2OO3/2XX3 0 4", "25"),  # three of a kind, open at both ends
        ("7/7/7/7/2XX3/2OO3 1 4", "25"),
        ("7/7/7/7/1O1O3/1X1X3 0 4", "3"),  # the gap closes to three in the middle
    ],
)
def test_a_double_threat_is_found(text: str, wins: str) -> None:
    state = State.parse(text, game=GAME)
    grid = read(state)
    assert [str(c + 1) for c in columns(grid) if forced(grid, state.to_move, c, 3) == 1] == list(wins)
    assert value(grid, state.to_move, 1) == 0
    best, values = searched([state], 600)
    assert str(best[0] + 1) in wins
    assert values[0] > 0.3
    # a turn later the other player is lost, and knows it
    lost = state.step(Action(best[0], GAME))
    assert searched([lost], 600)[1][0] < -0.5


def test_wins_in_three_plies_of_random_games_are_found() -> None:
    given = []
    for state, grid in unsolved()[::4]:
        me, other = state.to_move, 1 - state.to_move
        if len(grid) < 8 or at_once(grid, me) or at_once(grid, other):
            continue
        wins = [column for column in columns(grid) if forced(grid, me, column, 3) == 1]
        if wins and len(wins) < len(columns(grid)):
            given.append((state, grid, wins))
        if len(given) == 15:
            break
    assert len(given) == 15
    best, values = searched([state for state, _, _ in given], 600)
    for (state, grid, wins), column in zip(given, best, strict=True):
        assert column in wins or forced(grid, state.to_move, column, 5) == 1, str(state)
    assert values.min() > 0.0 and values.mean() > 0.5


def test_the_worked_turns_of_the_notation_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "notation.md").read_text()
    turns = re.findall(r"^\| `([\dXO/]+ [01] \d+)` \| `(\d)` \| `([\dXO/]+ [01] \d+)` \|$", page, re.MULTILINE)
    assert len(turns) >= 2
    for before, action, after in turns:
        assert str(State.parse(before, game=GAME).step(Action.parse(action, GAME))) == after
