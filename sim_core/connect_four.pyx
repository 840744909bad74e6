"""Offers connect four as a `Game`, in this one file: rules on bitboards, observation, notation and two opponents.

The board has seven columns of six cells. The players take turns to drop stones. Four in a row (across, up or diagonal)
win, and a full board is a draw. Nothing is hidden, and no chance is involved. docs/adding_a_game.md explains this file.
"""
from libc.stdint cimport int16_t, int32_t, uint8_t, uint64_t
from libc.string cimport memset

from sim_core.game cimport Game, register_game
from sim_core.rng cimport Stream, next_below


cdef enum:
    COLUMNS = 7
    ROWS = 6
    CELLS = COLUMNS * ROWS
    STRIDE = ROWS + 1       # bits per column: its cells from the bottom up, and one that stays empty
    SOLVABLE_CELLS = 8      # with this many cells left, or fewer, a position is solved exactly
    OBSERVATION_SIZE = 2 * CELLS + COLUMNS + 1


cdef struct FourState:
    uint64_t stones[2]      # cell (column, row) is bit column * STRIDE + row, row 0 at the bottom
    uint8_t to_move         # player, 0 or 1
    uint8_t ply             # stones on the board
    uint8_t unused[6]       # zero, so that equal positions are equal bytes


ACTIONS = tuple([str(column + 1) for column in range(COLUMNS)])
OPPONENTS = ("random", "tactical")  # an opponent's number is its place here
cdef int TACTICAL = OPPONENTS.index("tactical")

# What the player to move may know, in the order of the observation. "own" is the mover, "other" the opponent.
OBSERVATION_LAYOUT = (
    ("own stones, column by column, each from the bottom up", CELLS),
    ("other's stones, column by column, each from the bottom up", CELLS),
    ("columns that are legal", COLUMNS),
    ("ply / 42", 1),
)


cdef inline int mover(const FourState *s) noexcept nogil:
    return s.to_move


cdef inline uint64_t cell(int column, int row) noexcept nogil:
    return <uint64_t>1 << (column * STRIDE + row)


cdef inline bint has_four(uint64_t stones) noexcept nogil:
    """Returns whether four stones are in a row: shifted by 1 up, by STRIDE across, by STRIDE -+ 1 diagonally."""
    cdef uint64_t up = stones & (stones >> 1)
    cdef uint64_t across = stones & (stones >> STRIDE)
    cdef uint64_t falling = stones & (stones >> (STRIDE - 1))
    cdef uint64_t rising = stones & (stones >> (STRIDE + 1))
    return (
        (up & (up >> 2)) | (across & (across >> 2 * STRIDE))
        | (falling & (falling >> 2 * (STRIDE - 1))) | (rising & (rising >> 2 * (STRIDE + 1)))
    ) != 0


cdef inline int count_of(uint64_t stones) noexcept nogil:
    cdef int count = 0
    while stones:
        stones &= stones - 1
        count += 1
    return count


cdef inline bint is_open(const FourState *s, int column) noexcept nogil:
    return ((s.stones[0] | s.stones[1]) & cell(column, ROWS - 1)) == 0


cdef inline uint64_t drop(const FourState *s, int column) noexcept nogil:
    """Returns the cell that a stone falls into when it is dropped into an open column."""
    cdef uint64_t taken = s.stones[0] | s.stones[1]
    cdef uint64_t bits = cell(column + 1, 0) - cell(column, 0)
    return (taken + cell(column, 0)) & bits & ~taken    # the carry runs up to the first empty cell


cdef int open_columns(const FourState *s, int16_t *columns) noexcept nogil:
    cdef int column, count = 0
    for column in range(COLUMNS):
        if is_open(s, column):
            columns[count] = <int16_t>column
            count += 1
    return count


cdef inline bint is_won(const FourState *s) noexcept nogil:
    return has_four(s.stones[0]) or has_four(s.stones[1])


cdef int result_for(const FourState *s, int player) noexcept nogil:
    return has_four(s.stones[player]) - has_four(s.stones[1 - player])


# The functions that `Game` asks for, over an opaque state.
cdef bint is_valid(const void *state) noexcept nogil:
    """Returns whether the stones are on the board, one per cell, and as many as the ply. They may float."""
    cdef const FourState *s = <const FourState *>state
    cdef uint64_t board = 0
    cdef int k
    for k in range(COLUMNS):
        board |= cell(k, ROWS) - cell(k, 0)
    for k in range(6):
        if s.unused[k]:
            return False
    if (s.stones[0] | s.stones[1]) & ~board or s.stones[0] & s.stones[1] or s.to_move > 1:
        return False
    return s.ply == count_of(s.stones[0] | s.stones[1])


cdef void initial(void *state, Stream *stream, int first_player) noexcept nogil:
    memset(state, 0, sizeof(FourState))
    (<FourState *>state).to_move = <uint8_t>first_player


cdef int legal_actions(const void *state, int16_t *actions) noexcept nogil:
    cdef const FourState *s = <const FourState *>state
    return 0 if is_won(s) else open_columns(s, actions)


cdef void step(void *state, int action) noexcept nogil:
    cdef FourState *s = <FourState *>state
    cdef int player = mover(s)
    s.stones[player] |= drop(s, action)
    s.to_move = <uint8_t>(1 - player)
    s.ply += 1


cdef int to_move(const void *state) noexcept nogil:
    return mover(<const FourState *>state)


cdef int ply(const void *state) noexcept nogil:
    return (<const FourState *>state).ply


cdef bint is_terminal(const void *state) noexcept nogil:
    cdef int16_t columns[COLUMNS]
    return legal_actions(state, columns) == 0


cdef int outcome(const void *state, int player) noexcept nogil:
    return result_for(<const FourState *>state, player)


cdef void scores(const void *state, int32_t *out) noexcept nogil:
    cdef int player
    for player in range(2):
        out[player] = has_four((<const FourState *>state).stones[player])


cdef void observe(const void *state, float *out) noexcept nogil:
    cdef const FourState *s = <const FourState *>state
    cdef int16_t columns[COLUMNS]
    cdef int player = mover(s), column, row, k
    memset(out, 0, OBSERVATION_SIZE * sizeof(float))
    for column in range(COLUMNS):
        for row in range(ROWS):
            k = column * ROWS + row
            out[k] = (s.stones[player] & cell(column, row)) != 0
            out[CELLS + k] = (s.stones[1 - player] & cell(column, row)) != 0
    for k in range(legal_actions(state, columns)):
        out[2 * CELLS + columns[k]] = 1.0
    out[2 * CELLS + COLUMNS] = s.ply / <float>CELLS


cdef void determinize(void *state, Stream *stream) noexcept nogil:
    pass    # nothing is hidden


cdef bint is_solvable(const void *state) noexcept nogil:
    return (<const FourState *>state).ply >= CELLS - SOLVABLE_CELLS


cdef int solve(const void *state, int alpha, int beta, int16_t *best) noexcept nogil:
    """Solves by alpha-beta to the end of the game."""
    cdef const FourState *s = <const FourState *>state
    cdef FourState child
    cdef int16_t columns[COLUMNS]
    cdef int count = legal_actions(s, columns), k, value, top = -2
    if count == 0:
        return result_for(s, mover(s))
    for k in range(count):
        child = s[0]
        step(&child, columns[k])
        value = -solve(&child, -beta, -max(alpha, top), NULL)
        if value > top:
            top = value
            if best != NULL:
                best[0] = columns[k]
        if top >= beta:
            break
    return top


cdef int completing(const FourState *s, int player, const int16_t *columns, int count, int16_t *found) noexcept nogil:
    """Fills the columns in which a player's stone makes four in a row. Returns their number."""
    cdef int k, matches = 0
    for k in range(count):
        if has_four(s.stones[player] | drop(s, columns[k])):
            found[matches] = columns[k]
            matches += 1
    return matches


cdef int choices(int opponent, const FourState *s, int16_t *found) noexcept nogil:
    """Fills the actions that an opponent draws from, and returns their number, which is 0 when the game is over.

    Tactical wins if it can, else blocks a win, else plays at random like random.
    """
    cdef int16_t legal[COLUMNS]
    cdef int count = legal_actions(s, legal), matches = 0
    if opponent == TACTICAL:
        matches = completing(s, mover(s), legal, count, found)
        if matches == 0:
            matches = completing(s, 1 - mover(s), legal, count, found)
    return matches if matches > 0 else legal_actions(s, found)


cdef int opponent_action(int opponent, const void *state, Stream *stream) noexcept nogil:
    cdef int16_t found[COLUMNS]
    cdef int count = choices(opponent, <const FourState *>state, found)
    return found[next_below(stream, count)] if count else -1


cdef void opponent_policy(int opponent, const void *state, float *probabilities) noexcept nogil:
    cdef int16_t found[COLUMNS]
    cdef int count = choices(opponent, <const FourState *>state, found), k
    memset(probabilities, 0, COLUMNS * sizeof(float))
    for k in range(count):
        probabilities[found[k]] = <float>(1.0 / count)


cdef int response_plies(int opponent) noexcept nogil:
    return 4    # at most 7 ** 4 lines of play


def parse(text) -> bytes:
    """Parses ``ROWS TO_MOVE PLY`` (docs/notation.md) into a packed state.

    Raises:
        ValueError: Names the field (board, to_move, ply) and what is wrong with it.
    """
    if not isinstance(text, str):
        raise ValueError(f"position: {type(text).__name__} given, expected text")
    parts = text.split(" ")
    if len(parts) != 3:
        raise ValueError(f"position: {len(parts)} fields in {text[:200]!r}, expected 3, one space apart: "
                         "ROWS TO_MOVE PLY")
    cdef FourState s
    memset(&s, 0, sizeof(FourState))
    board = _cells(parts[0])
    for row, cells in enumerate(reversed(board)):
        for column, stone in enumerate(cells):
            if stone != ".":
                s.stones[stone == "O"] |= cell(column, row)
                if row and board[ROWS - row][column] == ".":
                    raise ValueError(f"board: the {stone} in column {column + 1}, row {row + 1} from the bottom, "
                                     "floats above an empty cell")
    counts = [sum([cells.count(stone) for cells in board]) for stone in "XO"]
    s.to_move = _number("to_move", parts[1], 1)
    s.ply = _number("ply", parts[2], CELLS)
    if abs(counts[0] - counts[1]) > 1:
        raise ValueError(f"board: {counts[0]} X and {counts[1]} O, expected as many, or one more of either")
    if counts[s.to_move] > counts[1 - s.to_move]:
        raise ValueError(f"to_move: {s.to_move} given, but that player has a stone more than the other")
    if s.ply != sum(counts):
        raise ValueError(f"ply: {s.ply} given, but {sum(counts)} stones lie on the board")
    if has_four(s.stones[s.to_move]):
        raise ValueError(f"board: player {s.to_move} is to move and has four in a row already")
    return (<char *>&s)[:sizeof(FourState)]


def _cells(text):
    """Returns the board's rows, top first, one character per cell. '.' is empty."""
    rows = text.split("/")
    if len(rows) != ROWS:
        raise ValueError(f"board: {len(rows)} rows in {text[:200]!r}, expected {ROWS}, top first, between slashes")
    board = []
    for number, row in enumerate(rows):
        for letter in row:
            if letter not in "XO1234567":
                raise ValueError(f"board: {letter!r} in row {ROWS - number} from the bottom, "
                                 "expected X, O or 1 to 7 empty cells")
        cells = "".join([letter if letter in "XO" else "." * int(letter) for letter in row])
        if len(cells) != COLUMNS:
            raise ValueError(f"board: row {ROWS - number} from the bottom, {row[:50]!r}, has {len(cells)} cells, "
                             f"expected {COLUMNS}")
        board.append(cells)
    return board


def _number(field, text, highest) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and int(text) <= highest):
        raise ValueError(f"{field}: {text[:50]!r} given, expected a number from 0 to {highest}")
    return int(text)


def format(bytes state not None) -> str:
    """Returns the text of a packed state."""
    if len(state) != sizeof(FourState):
        raise ValueError(f"state: {len(state)} bytes given, expected {sizeof(FourState)}")
    cdef const FourState *s = <const FourState *><const char *>state
    rows = []
    for row in range(ROWS - 1, -1, -1):
        text, empty = "", 0
        for column in range(COLUMNS):
            stone = "X" if s.stones[0] & cell(column, row) else "O" if s.stones[1] & cell(column, row) else ""
            if stone:
                text += (str(empty) if empty else "") + stone
            empty = 0 if stone else empty + 1
        rows.append(text + (str(empty) if empty else ""))
    return f"{'/'.join(rows)} {s.to_move} {s.ply}"


cdef Game CONNECT_FOUR
CONNECT_FOUR.name = b"connect_four"
CONNECT_FOUR.version = 1
CONNECT_FOUR.state_size = sizeof(FourState)
CONNECT_FOUR.num_actions = COLUMNS
CONNECT_FOUR.max_legal = COLUMNS
CONNECT_FOUR.max_plies = CELLS
CONNECT_FOUR.observation_size = OBSERVATION_SIZE
CONNECT_FOUR.observation_version = 1
CONNECT_FOUR.is_valid = is_valid
CONNECT_FOUR.initial = initial
CONNECT_FOUR.legal_actions = legal_actions
CONNECT_FOUR.step = step
CONNECT_FOUR.to_move = to_move
CONNECT_FOUR.ply = ply
CONNECT_FOUR.is_terminal = is_terminal
CONNECT_FOUR.response_plies = response_plies
CONNECT_FOUR.outcome = outcome
CONNECT_FOUR.scores = scores
CONNECT_FOUR.observe = observe
CONNECT_FOUR.determinize = determinize
CONNECT_FOUR.is_solvable = is_solvable
CONNECT_FOUR.solve = solve
CONNECT_FOUR.opponent_action = opponent_action
CONNECT_FOUR.opponent_policy = opponent_policy
register_game(&CONNECT_FOUR, ACTIONS, OPPONENTS, OBSERVATION_LAYOUT, parse, format)
