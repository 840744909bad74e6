"""Registration plays a few games, and refuses one that breaks the contract of `Game`."""

from __future__ import annotations

from typing import Any

import pytest
from support import python_game
from support.python_game import HANDS, MOST, fill_hands, fill_likelihoods, refused


def filled(share: float) -> Any:
    """Returns a policy that gives each action this share."""

    def policy(opponent: int, state: int, probabilities: Any) -> None:
        for k in range(MOST):
            probabilities[k] = share

    return policy


def take_one(state: int, player: int, hand: int, stream: Any) -> None:
    python_game._at(state).stones -= 1


def over(state: int) -> bool:
    return python_game._at(state).ply >= 2


@pytest.mark.parametrize(
    ("says", "changes"),
    [
        (r"^max_legal: 2, but 3 at ply 0 \(nim; docs/adding_a_game\.md\)$", {"max_legal": 2}),
        (r"^max_plies: 2, but a game goes on", {"max_plies": 2}),
        (r"^is_valid: a position of ply 0 is refused", {"is_valid": lambda state: False}),
        (r"^initial: player `first_player` is not to move", {"to_move": lambda state: 0}),
        (r"^ply: 0 after 1 turns", {"ply": lambda state: 0}),
        (r"^is_terminal: wrong at ply ", {"is_terminal": over}),
        (r"^outcome: \[1, 1\] for the players at the end", {"outcome": lambda state, player: 1}),
        (r"^opponent_action: 3 by random at ply 0, legal are \[0, 1, 2\]", {"opponent_action": lambda *_: 3}),
        (r"^opponent_policy: \[2\.0, 2\.0, 2\.0\] for random, who plays", {"opponent_policy": filled(2.0)}),
        (r"^opponent_policy: \[0\.0, 0\.0, 0\.0\] for random, who plays", {"opponent_policy": filled(0.0)}),
        (r"^max_hands: 1, but 2 at ply 0 ", HANDS | {"max_hands": 1}),
        (r"^hidden_hands: not in increasing order at ply 0 ", HANDS | {"hidden_hands": fill_hands(2, 1)}),
        (r"^hand_likelihoods: 2\.0 at ply 0 for the hand 0x1 ", HANDS | {"hand_likelihoods": fill_likelihoods(2.0)}),
        (r"^hand_likelihoods: 0\.5 at ply 0 for the hand 0x1 ", HANDS | {"next_hands": lambda *_: 0}),
        (r"^next_hands: one that is not in `hidden_hands` afterwards", HANDS | {"next_hands": fill_hands(1, 3)}),
        (r"^deal_hand: changes what the other player sees at ply 0 ", HANDS | {"deal_hand": take_one}),
        (r"^parse: gives another position for '0 ", {"parse": lambda text: bytes(3)}),
    ],
)
def test_games_that_break_the_contract_are_refused(says: str, changes: dict[str, Any]) -> None:
    refused(says, **changes)


@pytest.mark.parametrize("ids", [[2, 1, 0], [0, 1, 1], [0, 1, MOST]], ids=str)
def test_legal_actions_in_another_order_are_refused(ids: list[int]) -> None:
    def legal(state: int, actions: Any) -> int:
        for k, number in enumerate(ids):
            actions[k] = number
        return len(ids)

    refused(r"^legal_actions: \[.*\] at ply 0, expected ids in increasing order", legal_actions=legal)
