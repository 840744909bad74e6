"""What holds in every game and for every position that can be written (hypothesis)."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sim_core import ACTIONS, SPECIES, Action, GameBatch, State, get_game

LETTERS = "".join(letter for letter, _, _ in SPECIES)
POINTS = {letter: points for letter, _, points in SPECIES}
STRENGTH = {letter: 12 - k for k, letter in enumerate(LETTERS)}
CARDS = LETTERS + LETTERS.lower()
# asked for here, since a debug build tries a game out at its first use, for longer than hypothesis lets an example take
VARIANTS = st.sampled_from([get_game(name).name for name in ("beasty_bar", "beasty_bar_animals")])


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Any position the notation can write, reachable or not, in its canonical form."""
    cards = list(draw(st.permutations(CARDS)))
    own = [[card for card in cards if card in letters] for letters in (LETTERS, LETTERS.lower())]
    hands, decks = [], []
    for mine in own:
        in_hand, in_deck = draw(st.integers(0, 4)), draw(st.integers(0, 8))
        hands.append(sort_set(mine[:in_hand]))
        decks.append("".join(mine[in_hand : in_hand + in_deck]))
    left = [card for card in cards if card not in "".join((*hands, *decks))]
    places = [0, *sorted(draw(st.lists(st.integers(0, len(left)), min_size=3, max_size=3))), len(left)]
    queue, bar, out, _ = (left[low:high] for low, high in pairwise(places))  # the last are missing
    fields = ("".join(queue[:4]), sort_set(bar), sort_set(out))
    pairs = ("/".join(part or "-" for part in pair) for pair in (hands, decks))
    numbers = (draw(st.integers(0, 1)), draw(st.integers(0, 24)))
    return " ".join((*(field or "-" for field in fields), *pairs, *map(str, numbers)))


def sort_set(cards: list[str]) -> str:
    return "".join(sorted(cards, key=CARDS.index))


def cards_of(state: State) -> str:
    return "".join(sorted("".join(str(state).split(" ")[:5]).replace("-", "").replace("/", "")))


@given(texts(), VARIANTS)
def test_text_and_bytes_of_a_position_turn_into_each_other(text: str, game: str) -> None:
    state = State.parse(text, game=game)
    assert str(state) == text
    assert State(state.data, game) == state
    assert (GameBatch.from_states([state]).packed()[0].tobytes()) == state.data
    assert eval(repr(state)) == state


@given(texts(), VARIANTS)
def test_a_legal_step_leads_to_a_position_with_the_same_cards(text: str, game: str) -> None:
    """Fails if a step loses a card, changes its argument, or does otherwise in a batch than on a state."""
    state = State.parse(text, game=game)
    data = bytes(bytearray(state.data))
    legal = state.legal_actions()
    assert state.is_terminal == (not legal)
    assert len(legal) <= get_game(game).max_legal
    for action in legal:
        after = state.step(action)
        assert State.parse(str(after), game=game) == after
        assert cards_of(after) == cards_of(state)
        assert (after.to_move, after.ply) == (1 - state.to_move, state.ply + 1)
        batch = GameBatch.from_states([state])
        batch.step([action.id])
        assert batch.state(0) == after
    assert state.data == data and str(state) == text


@given(texts())
def test_scores_are_those_of_the_bar(text: str) -> None:
    state = State.parse(text)
    bar = text.split(" ")[1].replace("-", "")
    own = [[card.upper() for card in bar if card.islower() == bool(player)] for player in (0, 1)]
    points = [sum(POINTS[card] for card in cards) for cards in own]
    strengths = [sum(STRENGTH[card] for card in cards) for cards in own]
    assert state.scores("points") == tuple(points)
    assert state.scores("animals") == (len(own[0]), len(own[1]))
    lead = points[0] - points[1]
    assert state.winner("points") == (None if lead == 0 else int(lead < 0))
    lead = (len(own[0]) - len(own[1])) or (strengths[1] - strengths[0])
    assert state.winner("animals") == (None if lead == 0 else int(lead < 0))


@given(texts(), st.integers(0, 2**64 - 1))
def test_a_determinization_looks_the_same_to_the_mover(text: str, seed: int) -> None:
    state = State.parse(text)
    drawn = state.determinize(seed)
    assert State.parse(str(drawn)) == drawn
    assert cards_of(drawn) == cards_of(state)
    assert (drawn.observe() == state.observe()).all()
    assert drawn.legal_actions() == state.legal_actions()


@settings(deadline=None)
@given(st.integers(0, 2**64 - 1), st.integers(0, 1), VARIANTS, st.data())
def test_a_game_takes_24_turns_with_24_cards(seed: int, first_player: int, game: str, data: st.DataObject) -> None:
    state = State.initial(seed, first_player, game=game)
    for ply in range(24):
        assert (state.ply, state.to_move) == (ply, (ply + first_player) % 2)
        assert Counter(cards_of(state)) == Counter(CARDS)
        before, legal = str(state), state.legal_actions()
        mask = GameBatch.from_states([state]).legal_mask()[0]
        assert [action.id for action in legal] == np.flatnonzero(mask).tolist()
        hand = before.split(" ")[3].split("/")[state.to_move].upper()
        assert {str(action)[0] for action in legal} == set(hand), "each card of the hand can be played"
        for illegal in {Action(k, game) for k in range(len(ACTIONS))} - set(legal):
            try:
                state.step(illegal)
            except ValueError:
                continue
            raise AssertionError(f"{illegal} is not legal in {before}")
        after = state.step(data.draw(st.sampled_from(legal)))
        assert str(state) == before
        scores, new_scores = state.scores("animals"), after.scores("animals")
        assert sum(new_scores) - sum(scores) in (0, 2), "two enter the bar or none"
        assert all(new >= old for new, old in zip(new_scores, scores, strict=True))
        state = after
    assert state.is_terminal and not state.legal_actions()
    assert Counter(cards_of(state)) == Counter(CARDS)
