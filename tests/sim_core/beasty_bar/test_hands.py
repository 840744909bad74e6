"""The hands that the other player may hold, and what an action says about them."""

from __future__ import annotations

import math
from collections import Counter
from functools import cache
from itertools import combinations

import numpy as np
import pytest
from reference import beliefs as reference_beliefs
from reference import rules as reference

from sim_core import ACTIONS, OPPONENTS, State, get_game
from sim_core.beasty_bar.rules import LETTERS

GAME = get_game("beasty_bar")


@cache
def sample_states() -> tuple[bytes, ...]:
    """About 100 positions before a turn, from all plies of games between built-in opponents."""
    states = []
    for seed in range(9):
        state = GAME.initial(seed, seed % 2)
        for ply in range(24):
            if (seed + ply) % 2:
                states.append(state)
            policy = GAME.opponent_policy(OPPONENTS[(seed + ply) % len(OPPONENTS)], state)
            state = GAME.step(state, int(policy.argmax()))
    return tuple(states)


def as_position(state: bytes) -> reference.Position:
    return reference.parse(GAME.format(state))


def as_set(cards: tuple[str, ...]) -> int:
    return sum(1 << LETTERS.index(card.upper()) for card in cards)


def unplayed(state: bytes, player: int) -> tuple[str, ...]:
    position = as_position(state)
    return (*position.hands[player], *position.decks[player])


def test_hidden_hands_are_all_hands_of_the_unplayed_cards() -> None:
    for state in sample_states():
        for player in range(2):
            size = len(as_position(state).hands[player])
            expected = sorted(map(as_set, combinations(unplayed(state, player), size)))
            found = GAME.hidden_hands(state, player)
            assert found.dtype == np.uint64 and found.tolist() == expected
    assert len(GAME.hidden_hands(GAME.initial(1), 0)) == 495


@pytest.mark.parametrize("name", OPPONENTS)
def test_a_likelihood_is_the_policy_with_that_hand(name: str) -> None:
    """Fails if scores are not those of the hand, if ties are counted over other cards, or if the true hand is read."""
    compared = 0
    for number, state in enumerate(sample_states()):
        mover = GAME.to_move(state)
        hands = GAME.hidden_hands(state, mover)
        some = hands[number % 13 :: 37]
        policies = [GAME.opponent_policy(name, GAME.deal_hand(state, mover, hand, 5)) for hand in some]
        for action in range(len(ACTIONS)):
            found = GAME.hand_likelihoods(name, state, action)[number % 13 :: 37]
            np.testing.assert_allclose(found, [policy[action] for policy in policies], rtol=1e-5, atol=1e-9)
            compared += int((found > 0).sum())
    assert compared > 300


def test_noisys_likelihood_is_the_fine_integral() -> None:
    for state in sample_states()[::25]:
        mover, position = GAME.to_move(state), as_position(state)
        expected = reference_beliefs.policy("noisy", position)
        at = GAME.hidden_hands(state, mover).tolist().index(as_set(position.hands[mover]))
        for action, chance in expected.items():
            found = GAME.hand_likelihoods("noisy", state, ACTIONS.index(action))[at]
            assert found == pytest.approx(chance, abs=1e-8, rel=1e-5)


@pytest.mark.parametrize("name", OPPONENTS)
def test_hidden_cards_change_no_likelihood(name: str) -> None:
    for number, state in enumerate(sample_states()):
        mover = GAME.to_move(state)
        hands = GAME.hidden_hands(state, mover)
        action = GAME.legal_actions(state)[0]
        other = GAME.deal_hand(state, mover, hands[number % len(hands)], number)
        found = GAME.hand_likelihoods(name, state, action)
        np.testing.assert_array_equal(found, GAME.hand_likelihoods(name, other, action))
        assert found.any() or name != "random"


def test_deal_hand_shuffles_both_decks_and_shows_the_other_player_the_same() -> None:
    state = GAME.initial(3)
    for _ in range(11):
        state = GAME.step(state, GAME.legal_actions(state)[0])
    mover = GAME.to_move(state)
    other = 1 - mover
    hand = GAME.hidden_hands(state, other)[7]
    decks = [Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()]
    draws = 2_000
    for seed in range(draws):
        dealt = GAME.deal_hand(state, other, hand, seed)
        assert GAME.is_valid(dealt)
        np.testing.assert_array_equal(GAME.observe(dealt), GAME.observe(state))
        position = as_position(dealt)
        assert as_set(position.hands[other]) == hand and set(unplayed(dealt, other)) == set(unplayed(state, other))
        for player in range(2):
            decks[player][position.decks[player]] += 1
    for player in range(2):
        orders = math.factorial(len(as_position(state).decks[player]))
        expected = draws / orders
        statistic = sum((count - expected) ** 2 / expected for count in decks[player].values())
        statistic += (orders - len(decks[player])) * expected
        assert abs(statistic - (orders - 1)) < 5 * math.sqrt(2 * orders), (player, orders)


def test_wrong_input_is_refused() -> None:
    state = State.initial(1).data
    with pytest.raises(ValueError, match=r"^hand: 0xfff given, which player 1 cannot hold here$"):
        GAME.deal_hand(state, 1, 0xFFF, 0)
    with pytest.raises(ValueError, match=r"^player: 2 given, expected 0 or 1"):
        GAME.hidden_hands(state, 2)
    with pytest.raises(ValueError, match=r"^name: 'nobody' given"):
        GAME.hand_likelihoods("nobody", state, 0)
    with pytest.raises(ValueError, match=r"^action: 33 given"):
        GAME.hand_likelihoods("random", state, 33)
    four = get_game("connect_four")
    with pytest.raises(ValueError, match=r"^game: connect_four does not tell what hands a player may hold"):
        four.hidden_hands(four.initial(1), 0)
