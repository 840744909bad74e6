"""Beliefs about the other player's hand: against whole deals, against what the hand was, and with nothing leaked."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from reference import beliefs as reference_beliefs
from reference import rules as reference

from sim_core import ACTIONS, OPPONENTS, Belief, Beliefs, get_game
from sim_core.beasty_bar.rules import LETTERS

GAME = get_game("beasty_bar")
Turn = tuple[bytes, int]


def played(name: str, seed: int, plies: int = 24, start: bytes | None = None) -> tuple[list[Turn], bytes]:
    """Plays on with `name` as player 1 and a random player 0. Returns the turns and the last state."""
    rng = random.Random(seed)
    state = GAME.initial(seed, seed % 2) if start is None else start
    turns = []
    while len(turns) < plies and not GAME.is_terminal(state):
        policy = GAME.opponent_policy(name if GAME.to_move(state) else "random", state)
        action = rng.choices(range(len(policy)), policy.tolist())[0]
        turns.append((state, action))
        state = GAME.step(state, action)
    return turns, state


def told(turns: list[Turn], opponents: Any, slip: float = 0.0) -> Belief:
    belief = Belief("beasty_bar", turns[0][0], 0, opponents, slip)
    for state, action in turns:
        belief.observe(state, action)
    return belief


def as_set(cards: tuple[str, ...]) -> int:
    return sum(1 << LETTERS.index(card.upper()) for card in cards)


def as_text(turns: list[Turn]) -> list[reference_beliefs.Turn]:
    return [(reference.parse(GAME.format(state)), ACTIONS[action]) for state, action in turns]


def hand_of(state: bytes) -> int:
    return as_set(reference.parse(GAME.format(state)).hands[1])


def compare(belief: Belief, weights: dict[tuple[str, ...], float], rel: float = 1e-9) -> None:
    expected = {as_set(hand): weight / sum(weights.values()) for hand, weight in weights.items()}
    masks, probabilities = belief.hands()
    assert set(expected) <= set(masks.tolist())
    for mask, probability in zip(masks.tolist(), probabilities, strict=True):
        assert probability == pytest.approx(expected.get(mask, 0.0), rel=rel, abs=1e-12)


# ---------------------------------------------------------------------- the posterior


@pytest.mark.parametrize("name", OPPONENTS)
def test_the_filter_is_bayes_rule_over_whole_deals_from_the_first_turn(name: str) -> None:
    turns, _ = played(name, seed=4, plies=6)
    rel = 1e-5 if name == "noisy" else 1e-9
    compare(told(turns, name), reference_beliefs.weights(name, as_text(turns), 1), rel)


@pytest.mark.parametrize("name", ["random", "heuristic", "noisy", "online", "distilled_outcome"])
@pytest.mark.parametrize("plies", [1, 4, 7])
def test_the_filter_is_bayes_rule_over_whole_deals_late_in_the_game(name: str, plies: int) -> None:
    """Begins where the deck still has four cards. Fails if the last cards are not drawn as they are dealt."""
    _, start = played("random", seed=5, plies=9)
    turns, _ = played(name, seed=6, plies=plies, start=start)
    rel = 1e-5 if name == "noisy" else 1e-9
    compare(told(turns, name), reference_beliefs.weights(name, as_text(turns), 1), rel)


def test_the_opponents_posterior_is_how_likely_each_plays_so() -> None:
    turns, _ = played("heuristic", seed=8, plies=5)
    names = ("heuristic", "random", "distilled_outcome")
    belief = told(turns, names)
    each = {name: reference_beliefs.weights(name, as_text(turns), 1) for name in names}
    evidence = {name: sum(weights.values()) for name, weights in each.items()}
    for name, probability in belief.opponent_probabilities().items():
        assert probability == pytest.approx(evidence[name] / sum(evidence.values()), abs=1e-6)
    together = {hand: sum(weights.get(hand, 0.0) for weights in each.values()) for hand in each["random"]}
    compare(belief, together)


def test_an_opponent_that_slips_mixes_in_random_play() -> None:
    turns, _ = played("random", seed=9, plies=2)
    texts, slip = as_text(turns), 0.25
    weights = [reference_beliefs.weights(name, texts, 1) for name in ("heuristic", "random")]
    mixed = {hand: (1 - slip) * weights[0].get(hand, 0.0) + slip * weight for hand, weight in weights[1].items()}
    compare(told(turns, "heuristic", slip), mixed)


def test_nobody_known_is_weighed_by_what_it_is_said_to_play() -> None:
    """Fails if an unknown opponent counts more or less than all known ones at first, or its hands are told apart."""
    turns, _ = played("heuristic", seed=8, plies=5)
    texts, others = as_text(turns), iter((0.3, 0.05, 0.6))
    belief, evidence = Belief("beasty_bar", turns[0][0], 0, ("heuristic", "random", None)), 0.5
    for state, action in turns:
        other = next(others) if GAME.to_move(state) else None
        belief.observe(state, action, other)
        evidence *= other or 1.0
    each = {name: reference_beliefs.weights(name, texts, 1) for name in ("heuristic", "random")}
    # whoever nobody knows plays so with each hand that can: `random` says which hands those are, with shares of its own
    can = reference_beliefs.weights("random", [(position, action) for position, action in texts], 1)
    shares = belief.opponent_probabilities()
    assert shares["heuristic"] / shares["random"] == pytest.approx(
        sum(each["heuristic"].values()) / sum(each["random"].values())
    )
    assert sum(shares.values()) == pytest.approx(1.0)
    masks, probabilities = belief.hands()
    assert {mask for mask, p in zip(masks.tolist(), probabilities, strict=True) if p > 0} == set(map(as_set, can))


def test_nobody_known_plays_as_likely_with_every_hand_that_can() -> None:
    turns, _ = played("heuristic", seed=8, plies=2)
    theirs = next(turn for turn in turns if GAME.to_move(turn[0]))
    belief = Belief("beasty_bar", theirs[0], 0, ("random", None))
    fitting = GAME.hand_likelihoods("random", *theirs) > 0
    random = float(GAME.hand_likelihoods("random", *theirs).mean())
    belief.observe(*theirs, 0.125)
    shares = belief.opponent_probabilities()
    assert shares[None] / shares["random"] == pytest.approx(0.125 * fitting.mean() / random)


def test_imagined_positions_are_those_of_hands_that_can_play_the_action() -> None:
    """Fails if a position shows the observer's hidden cards or the true hand, or if a hand is asked about twice."""
    turns, _ = played("heuristic", seed=8, plies=24)
    counts = []
    for state, action in turns:
        if not GAME.to_move(state):
            continue
        belief = Belief("beasty_bar", state, 0, ("random", None))
        positions = belief.imagine(state, action, 3)
        again = Belief(
            "beasty_bar", GAME.determinize(GAME.deal_hand(state, 1, hand_of(state), 4), 5), 0, ("random", None)
        )
        assert again.imagine(state, action, 3) == positions
        hands = [hand_of(position) for position in positions]
        assert len(set(hands)) == len(hands) == min(16, int((GAME.hand_likelihoods("random", state, action) > 0).sum()))
        assert all(action in GAME.legal_actions(position) for position in positions)
        assert all(GAME.ply(position) == GAME.ply(state) for position in positions)
        counts.append(len(hands))
    assert counts[0] == 16 and counts[-1] == 1


@pytest.mark.parametrize("other", [None, 0.0, 1.5, float("nan")])
def test_how_likely_nobody_known_plays_so_is_needed(other: Any) -> None:
    turns, _ = played("heuristic", seed=8, plies=2)
    theirs = next(turn for turn in turns if GAME.to_move(turn[0]))
    belief = Belief("beasty_bar", theirs[0], 0, ("random", None))
    with pytest.raises(ValueError, match=rf"^other: {other!r} given, expected above 0 and at most 1"):
        belief.observe(*theirs, other)
    belief.observe(*theirs, 1)


@pytest.mark.parametrize("name", OPPONENTS)
def test_beliefs_are_calibrated(name: str) -> None:
    """Fails if beliefs are surer or less sure than they are right: the log-loss of the true hand equals the entropy."""
    differences, cards = [], []
    for seed in range(60):
        turns, _ = played(name, seed)
        belief = Belief("beasty_bar", turns[0][0], 0, name)
        difference = 0.0
        for state, action in turns:
            if GAME.to_move(state) == 0:
                masks, probabilities = belief.hands()
                true = probabilities[masks.tolist().index(hand_of(state))]
                assert true > 0
                difference -= math.log2(true) + belief.entropy()
                held = np.array([hand_of(state) >> card & 1 for card in range(12)])
                cards.append(float((belief.card_probabilities() - held) @ belief.card_probabilities()))
            belief.observe(state, action)
        differences.append(difference)
        assert not belief.is_lost
    assert abs(np.mean(differences)) < 4.5 * np.std(differences) / math.sqrt(len(differences))
    assert abs(np.mean(cards)) < 6 * np.std(cards) / math.sqrt(len(cards))


def test_cards_and_bits_follow_from_the_hands() -> None:
    turns, state = played("skunk", seed=3, plies=7)
    belief = told(turns, "skunk")
    masks, probabilities = belief.hands()
    assert probabilities.sum() == pytest.approx(1)
    expected = [(probabilities * ((masks >> np.uint64(card)) & np.uint64(1))).sum() for card in range(12)]
    np.testing.assert_allclose(belief.card_probabilities(), expected, atol=1e-6)
    positive = probabilities[probabilities > 0]
    assert belief.entropy() == pytest.approx(-(positive * np.log2(positive)).sum())
    assert Belief("beasty_bar", GAME.initial(1), 0, "skunk").entropy() == pytest.approx(math.log2(495))
    assert belief.card_probabilities().sum() == pytest.approx(4, abs=1e-5)
    assert GAME.ply(state) == 7


def test_slots_share_nothing() -> None:
    """Fails if a slot is written or read at another's place: games with other opponents go on side by side."""
    plan = [("heuristic",), ("noisy", "random", "online"), ("distilled_outcome", "skunk")]
    games = [played(names[0], seed)[0] for seed, names in enumerate(plan)]
    shared = Beliefs("beasty_bar", 3, 3)
    together = [
        Belief("beasty_bar", turns[0][0], 0, names, 0.01, shared, slot)
        for slot, (turns, names) in enumerate(zip(games, plan, strict=True))
    ]
    alone = [Belief("beasty_bar", turns[0][0], 0, names, 0.01) for turns, names in zip(games, plan, strict=True)]
    for ply in range(24):
        for slot, turns in enumerate(games):
            together[slot].observe(*turns[ply])
            alone[slot].observe(*turns[ply])
        for one, other in zip(together, alone, strict=True):
            np.testing.assert_array_equal(one.hands(), other.hands())
            assert one.opponent_probabilities() == other.opponent_probabilities()
            assert one.entropy() == other.entropy()
            np.testing.assert_array_equal(one.card_probabilities(), other.card_probabilities())
    again = Belief("beasty_bar", games[0][0][0], 0, "random", beliefs=shared, slot=1)
    assert again.entropy() == pytest.approx(math.log2(495)), "a slot is begun anew for the next game"


def test_beliefs_in_use_are_refused() -> None:
    turns, _ = played("skunk", seed=1)
    shared = Beliefs("beasty_bar", 1)
    belief = Belief("beasty_bar", turns[0][0], 0, "skunk", beliefs=shared)
    calls = [
        lambda: belief.observe(*turns[0]),
        lambda: belief.draw(turns[0][0], 1),
        lambda: Belief("beasty_bar", turns[0][0], 0, "skunk", beliefs=shared),
        lambda: belief.is_lost,
        belief.hands,
        belief.card_probabilities,
        belief.opponent_probabilities,
        belief.entropy,
    ]
    with shared.in_use:
        for call in calls:
            with pytest.raises(RuntimeError, match=r"^beliefs: in use by another thread"):
                call()
    belief.observe(*turns[0])


# ---------------------------------------------------------------------- drawing


@pytest.mark.parametrize("name", ["heuristic", "noisy"])
def test_draws_follow_the_posterior(name: str) -> None:
    turns, state = played(name, seed=10, plies=9)
    belief = told(turns, name)
    masks, probabilities = belief.hands()
    draws = 4_000
    counts = dict.fromkeys(masks.tolist(), 0)
    for seed in range(draws):
        drawn, opponent = belief.draw(state, seed)
        assert opponent == name and GAME.is_valid(drawn)
        counts[hand_of(drawn)] += 1
    found, expected = np.array(list(counts.values())), draws * probabilities
    assert not found[expected == 0].any()
    common = expected >= 5
    cells = np.append(expected[common], expected[~common].sum() + 1e-9)
    sums = np.append(found[common], found[~common].sum())
    statistic = ((sums - cells) ** 2 / np.maximum(cells, 5)).sum()
    assert statistic < len(cells) + 5 * math.sqrt(2 * len(cells))


def test_hand_and_opponent_are_drawn_together() -> None:
    turns, state = played("heuristic", seed=8, plies=5)
    belief = told(turns, ("heuristic", "random"))
    draws = [belief.draw(state, seed)[1] for seed in range(2_000)]
    share = belief.opponent_probabilities()["heuristic"]
    assert 0.05 < share < 0.999
    assert abs(draws.count("heuristic") - 2_000 * share) < 5 * math.sqrt(2_000 * share * (1 - share)) + 1


def test_a_known_hand_is_kept() -> None:
    """Once the deck is empty the hand is what has not been played."""
    turns, state = played("online", seed=2, plies=18)
    belief = told(turns, "online")
    drawn, _ = belief.draw(state, 1)
    assert drawn == state and belief.entropy() == 0
    assert belief.hands()[0].tolist() == [hand_of(state)] and belief.hands()[1].tolist() == [1.0]


# ---------------------------------------------------------------------- leaks and wrong histories


@pytest.mark.parametrize("name", OPPONENTS)
def test_hidden_cards_leak_nothing(name: str) -> None:
    """Fails if a belief depends on where the other's cards are: it is told the same moves over other hidden cards."""
    turns, state = played(name, seed=11, plies=14)
    scrambled = [
        (GAME.deal_hand(before, 1, GAME.hidden_hands(before, 1)[k % len(GAME.hidden_hands(before, 1))], k), action)
        for k, (before, action) in enumerate(turns)
    ]
    assert scrambled != turns
    first, second = told(turns, name), told(scrambled, name)
    np.testing.assert_array_equal(first.hands()[0], second.hands()[0])
    np.testing.assert_array_equal(first.hands()[1], second.hands()[1])
    hands = GAME.hidden_hands(state, 1)
    assert first.draw(state, 3) == second.draw(GAME.deal_hand(state, 1, hands[0], 4), 3)


def test_a_history_that_nothing_explains_means_uniform_beliefs() -> None:
    for seed in range(20):
        turns, state = played("random", seed)
        belief = Belief("beasty_bar", turns[0][0], 0, "distilled_outcome")
        lost_before = False
        for before, action in turns:
            belief.observe(before, action)
            assert belief.is_lost or not lost_before, "it is lost for ever"
            lost_before = belief.is_lost
            _, probabilities = belief.hands()
            if belief.is_lost:
                np.testing.assert_allclose(probabilities, 1 / len(probabilities))
                assert belief.draw(GAME.step(before, action), 1)[1] is None
        assert belief.hands()[0].tolist() == [hand_of(state)]
        if lost_before:
            return
    pytest.fail("twenty random games, and each is one that distilled_outcome may play")


def test_slips_lose_no_game() -> None:
    for seed in range(10):
        turns, _ = played("random", seed)
        assert not told(turns, OPPONENTS[1:], slip=0.01).is_lost


def test_the_observers_own_turns_change_nothing() -> None:
    turns, _ = played("queue", seed=12, plies=12)
    theirs = [turn for turn in turns if GAME.to_move(turn[0]) == 1]
    np.testing.assert_array_equal(
        told(turns, "queue").hands()[1], told([(turns[0][0], turns[0][1]), *theirs][-len(theirs) :], "queue").hands()[1]
    )


def test_wrong_input_is_refused() -> None:
    turns, state = played("heuristic", seed=1, plies=6)
    deal = turns[0][0]
    with pytest.raises(ValueError, match=r"^game: connect_four does not tell what hands"):
        Beliefs("connect_four", 1)
    with pytest.raises(ValueError, match=r"^slots: -1 given"):
        Beliefs("beasty_bar", -1)
    with pytest.raises(ValueError, match=r"^types: 0 given, expected an integer from 1 to 64"):
        Beliefs("beasty_bar", 1, 0)
    with pytest.raises(ValueError, match=r"^name: 'nobody' given, beasty_bar has no such opponent"):
        Belief("beasty_bar", deal, 0, "nobody")
    with pytest.raises(ValueError, match=r"^opponents: \[\] given, expected one name or several"):
        Belief("beasty_bar", deal, 0, [])
    with pytest.raises(ValueError, match=r"^opponents: .* none twice$"):
        Belief("beasty_bar", deal, 0, ["random", "random"])
    with pytest.raises(ValueError, match=r"^slip: 2 given, expected 0 to 1$"):
        Belief("beasty_bar", deal, 0, "random", 2)
    with pytest.raises(ValueError, match=r"^observer: 2 given, expected 0 or 1"):
        Belief("beasty_bar", deal, 2, "random")
    with pytest.raises(
        ValueError, match=r"^beliefs: of beasty_bar with room for 1 opponents, expected beasty_bar and 2$"
    ):
        Belief("beasty_bar", deal, 0, ("random", "skunk"), beliefs=Beliefs("beasty_bar", 1))
    with pytest.raises(ValueError, match=r"^slot: 1 given"):
        Belief("beasty_bar", deal, 0, "random", beliefs=Beliefs("beasty_bar", 1), slot=1)
    belief = Belief("beasty_bar", deal, 0, "random")
    with pytest.raises(ValueError, match=r"^state: ply 6 does not follow from the turns observed so far$"):
        belief.draw(state, 1)
    later = next(turn for turn in turns[3:] if GAME.to_move(turn[0]) == 1)
    with pytest.raises(ValueError, match=r"^state: ply \d does not follow"):
        belief.observe(*later)
    with pytest.raises(ValueError, match=r"^action: 99 given"):
        belief.observe(deal, 99)
    theirs = next(turn[0] for turn in turns if GAME.to_move(turn[0]) == 1)
    with pytest.raises(ValueError, match=r"^action: X=E \(id \d+\) is possible with no hand here$"):
        Belief("beasty_bar", theirs, 0, "random").observe(theirs, ACTIONS.index("X=E"))
