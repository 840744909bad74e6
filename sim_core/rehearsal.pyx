"""Plays a game that is being registered, and refuses it for what breaks the contract of `Game`."""
from libc.stdint cimport int16_t, uint8_t, uint64_t
from libc.string cimport memcpy

from sim_core.game cimport Game, GameHandle, MAX_HANDS
from sim_core.rng cimport PURPOSE_BELIEF, PURPOSE_DEAL, Stream, make_stream, next_below


def rehearse(GameHandle handle not None, int games) -> None:
    """Plays games, every other one by a built-in opponent. Raises ValueError for what breaks the game's contract."""
    cdef const Game *game = handle.game
    cdef uint64_t room[128]     # aligned for any state's fields
    cdef uint8_t *state = <uint8_t *>room
    cdef int16_t actions[256]
    cdef Stream stream
    cdef float policy[256]
    cdef int number, ply, count, k, action
    for number in range(games):
        stream = make_stream(number, PURPOSE_DEAL, 0, 0)
        game.initial(state, &stream, number % 2)
        _expect(handle, "initial", game.to_move(state) == number % 2, "player `first_player` is not to move")
        ply = 0
        while True:
            _expect(handle, "is_valid", game.is_valid(state), f"a position of ply {ply} is refused")
            _expect(handle, "ply", game.ply(state) == ply, f"{game.ply(state)} after {ply} turns")
            _expect(handle, "to_move", game.to_move(state) in (0, 1), f"{game.to_move(state)} at ply {ply}")
            count = game.legal_actions(state, actions)
            _expect(handle, "max_legal", 0 <= count <= game.max_legal, f"{game.max_legal}, but {count} at ply {ply}")
            ids = [actions[k] for k in range(count)]
            known = ids == sorted(set(ids)) and all([0 <= k < game.num_actions for k in ids])
            _expect(handle, "legal_actions", known, f"{ids} at ply {ply}, expected ids in increasing order")
            _expect(handle, "is_terminal", bool(game.is_terminal(state)) == (count == 0), f"wrong at ply {ply}")
            if count == 0:
                break
            _expect(handle, "max_plies", ply < game.max_plies, f"{game.max_plies}, but a game goes on")
            action = actions[next_below(&stream, count)]
            if number % 2:
                action = game.opponent_action(number // 2 % len(handle.opponents), state, &stream)
                name = handle.opponents[number // 2 % len(handle.opponents)]
                _expect(handle, "opponent_action", action in ids, f"{action} by {name} at ply {ply}, legal are {ids}")
                if game.opponent_policy != NULL:
                    game.opponent_policy(number // 2 % len(handle.opponents), state, policy)
                    shares = [policy[k] for k in range(game.num_actions)]
                    known = min(shares) >= 0 and abs(sum(shares) - 1) < 1e-4 and shares[action] > 0
                    known = known and all([shares[k] == 0 or k in ids for k in range(game.num_actions)])
                    _expect(handle, "opponent_policy", known, f"{shares} for {name}, who plays {action} of {ids}")
            if game.max_hands:
                rehearse_hands(handle, state, number // 2 % len(handle.opponents), action)
            game.step(state, action)
            ply += 1
        results = [game.outcome(state, 0), game.outcome(state, 1)]
        _expect(handle, "outcome", results in ([1, -1], [0, 0], [-1, 1]), f"{results} for the players at the end")
        packed = <bytes>(<char *>state)[: game.state_size]
        text = handle.format(packed)
        _expect(handle, "parse", handle.parse(text) == packed, f"gives another position for {text!r}")


cdef int rehearse_hands(GameHandle handle, const uint8_t *state, int opponent, int action) except -1:
    """Checks what a game says of hidden hands, at one position and the action that is played there."""
    cdef const Game *game = handle.game
    cdef uint64_t hands[MAX_HANDS]
    cdef uint64_t reached[MAX_HANDS]
    cdef double likelihoods[MAX_HANDS]
    cdef uint64_t room[128]     # aligned for any state's fields
    cdef Stream stream = make_stream(0, PURPOSE_BELIEF, 0, 0)
    cdef int mover = game.to_move(state), ply = game.ply(state), count, n, k, j
    count = game.hidden_hands(state, 1 - mover, hands)
    _expect(handle, "max_hands", 1 <= count <= game.max_hands, f"{game.max_hands}, but {count} at ply {ply}")
    before = bytearray(state[: game.state_size])
    for k in range(0, count, 50):
        memcpy(room, state, game.state_size)
        game.deal_hand(room, 1 - mover, hands[k], &stream)
        dealt = <bytes>(<char *>room)[: game.state_size]
        same = handle.is_valid(dealt) and (handle.observe(dealt) == handle.observe(bytes(before))).all()
        _expect(handle, "deal_hand", same, f"changes what the other player sees at ply {ply}")
    count = game.hidden_hands(state, mover, hands)
    _expect(handle, "max_hands", 1 <= count <= game.max_hands, f"{game.max_hands}, but {count} at ply {ply}")
    known = all([hands[k] < hands[k + 1] for k in range(count - 1)])
    _expect(handle, "hidden_hands", known, f"not in increasing order at ply {ply}")
    game.hand_likelihoods(opponent, state, action, hands, count, likelihoods)
    memcpy(room, state, game.state_size)
    game.step(room, action)
    n = game.hidden_hands(room, mover, reached)
    after = {reached[k] for k in range(n)}
    for k in range(count):
        n = game.next_hands(state, action, hands[k], reached)
        known = 0 <= likelihoods[k] <= 1 + 1e-6 and (n > 0 or likelihoods[k] == 0)
        _expect(handle, "hand_likelihoods", known, f"{likelihoods[k]} at ply {ply} for the hand {hands[k]:#x}")
        known = all([reached[j] in after for j in range(n)])
        _expect(handle, "next_hands", known, f"one that is not in `hidden_hands` afterwards, at ply {ply}")
    return 0


def _expect(GameHandle handle, field, bint holds, found):
    if not holds:
        raise ValueError(f"{field}: {found} ({handle.name}; docs/adding_a_game.md)")
