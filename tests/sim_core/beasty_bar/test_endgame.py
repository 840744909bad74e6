"""The exact endgame against plain minimax over the engine's own rules: every window, best actions, all best actions."""

from __future__ import annotations

import random

import numpy as np
import pytest
from reference.minimax import minimax

from sim_core import SPECIES, GameBatch, State, get_game, search

GAMES = ("beasty_bar", "beasty_bar_animals")
WINDOWS = ((-1, 1), (-1, 0), (0, 1))
LETTERS = "".join(letter for letter, _, _ in SPECIES)


def odd_position(rng: random.Random, ply: int) -> str:
    """Any line, bar and hands of any size, cards missing; more cards in hand than the plies left can play, too."""
    cards = rng.sample(LETTERS + LETTERS.lower(), 24)
    hands = []
    for own in (LETTERS, LETTERS.lower()):
        hand = [card for card in cards if card in own][: rng.choice((0, 1, 2, 3, 3, 4, 4, 4))]
        hands.append("".join(hand))
        cards = [card for card in cards if card not in hand]
    sizes = (rng.randint(0, 4), rng.randint(0, 6), rng.randint(0, 4))
    fields = []
    for size in sizes:
        fields.append("".join(cards[:size]) or "-")
        cards = cards[size:]
    return f"{' '.join(fields)} {'/'.join(hand or '-' for hand in hands)} -/- {rng.randrange(2)} {ply}"


def check(state: bytes, game: str) -> int:
    """Asserts all that the solver tells about a position that is not over; returns its value."""
    rules = get_game(game)
    known: dict[bytes, int] = {}
    exact = minimax(state, game, known)
    after = {action: -known[rules.step(state, action)] for action in rules.legal_actions(state)}
    text = rules.format(state)
    for alpha, beta in WINDOWS:
        value, best = rules.solve(state, alpha, beta)
        if value <= alpha:
            assert exact <= value, (text, alpha, beta)
        elif value >= beta:
            assert exact >= value, (text, alpha, beta)
        else:
            assert exact == value, (text, alpha, beta)
        assert best in after
        if value > alpha or (alpha, beta) == (-1, 1):
            assert after[best] >= value, (text, alpha, beta)
    assert rules.solve(state)[0] == exact
    assert rules.optimal_actions(state) == (exact, tuple(a for a, value in after.items() if value == exact)), text
    return exact


@pytest.mark.timeout(300)
@pytest.mark.parametrize("game", GAMES)
def test_positions_of_any_kind(game: str) -> None:
    rng = random.Random(11)
    rules = get_game(game)
    seen: dict[int, int] = {}
    for number in range(2_000):
        state = rules.parse(odd_position(rng, 16 + number % 8))
        if not rules.is_terminal(state):
            value = check(state, game)
            seen[value] = seen.get(value, 0) + 1
    assert set(seen) == {-1, 0, 1} and sum(seen.values()) >= 1_500


@pytest.mark.timeout(300)
@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("player", ["random", "outcome_heuristic"])
def test_positions_of_games(game: str, player: str) -> None:
    batch = GameBatch(160, 12, game=game)
    for ply in range(24):
        if ply >= 16:
            # the earlier, the larger the tree
            for row in range(ply - 16, 160, 8 if ply < 18 else 2):
                check(batch.state(row).data, game)
        batch.step(batch.opponent_actions(player, 5))


def test_a_player_without_cards_ends_the_game() -> None:
    """Fails if the solver plays on after a player has no card left."""
    rules = get_game("beasty_bar")
    for hands, expected in (("Z/-", -1), ("Z/z", 1)):
        state = rules.parse(f"LHS e - {hands} -/- 0 20")
        assert rules.solve(state)[0] == minimax(state, "beasty_bar", {}) == expected


@pytest.mark.parametrize("threads", [1, 2])
def test_solving_does_not_depend_on_threads(threads: int) -> None:
    batch = GameBatch(300, 4)
    while not batch.is_solvable.all():
        batch.step(batch.opponent_actions("random", 2))

    def even(observations: np.ndarray, legal_mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(legal_mask.shape, dtype=np.float32), np.zeros(len(legal_mask), dtype=np.float32)

    found = search(batch, even, 2, threads=threads)
    rules = get_game("beasty_bar")
    for row in range(len(batch)):
        value, optimal = rules.optimal_actions(batch.state(row).data)
        assert found.value[row] == value
        assert np.flatnonzero(found.policy[row]).tolist() == list(optimal)


def test_windows_and_positions_are_checked() -> None:
    rules = get_game("beasty_bar")
    state = rules.parse("HC - - Z/z -/- 0 22")
    for alpha, beta in ((1, 1), (-1, 2), (0, 0), ("x", 1)):
        with pytest.raises(ValueError, match=r"^(alpha|beta): "):
            rules.solve(state, alpha, beta)  # type: ignore[arg-type]
    for text in ("HC - - Z/z -/- 0 24", "HC - - Z/z L/l 0 12"):
        with pytest.raises(ValueError, match=r"^state: "):
            rules.optimal_actions(State.parse(text).data)
