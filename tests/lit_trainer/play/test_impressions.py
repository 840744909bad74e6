"""What an agent concludes about the other player: from open moves alone, and in words that a person understands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from support.play_tools import random_state

from lit_trainer import ResidualMLP
from lit_trainer.checkpoints.description import ENTRY, Description
from lit_trainer.networks.evaluators import TorchEvaluator
from lit_trainer.play import PERSON, SavedGame, Session, Thinker, make_thinker
from lit_trainer.play.impressions import Impression, impression, opponent_words
from lit_trainer.players.network_player import NetworkPlayer
from sim_core import OPPONENTS, Action, Belief, State
from sim_core.beasty_bar.notation import parse_fields


@pytest.fixture
def thinker(checkpoint_path: Path) -> Thinker:
    """Returns an agent that expects `skunk`."""
    return make_thinker(f"{checkpoint_path}@4+skunk")


def against(thinker: Thinker, person: str, turns: int, seed: int = 4) -> Session:
    """Returns a game in which a built-in opponent sits in the person's seat, after some turns."""
    session, moves = Session.deal(seed, (PERSON, thinker.name), 0), make_thinker(person)
    while session.turns < turns:
        if session.awaits_person:
            session.play(moves.think(session.state).action)
        else:
            thought = thinker.think(session.state, seed, session.history_at(session.turns))
            session.play(thought.action, thought)
    return session


def believed(session: Session, observer: int, opponents: str | tuple[str, ...], slip: float = 0.0) -> Belief:
    belief = Belief("beasty_bar", session.state_at(0).data, observer, opponents, slip)
    for state, action in session.history_at(session.turns):
        belief.observe(state.data, action.id)
    return belief


def test_it_is_what_the_rules_of_probability_say(thinker: Thinker) -> None:
    session = against(thinker, "skunk", 7)
    found = thinker.think(session.state, 4, session.history_at(7)).impression
    belief = believed(session, 1, "skunk")
    assert (found.opponents, found.is_lost) == ({"skunk": 1.0}, False)
    assert found.hand == pytest.approx(belief.card_probabilities().tolist()) and sum(found.hand) == pytest.approx(4.0)
    unaware = thinker.think(session.state, 4).impression
    assert unaware.hand != found.hand and sum(unaware.hand) == pytest.approx(4.0)


def other_cards(session: Session) -> Session:
    """Returns the same moves after a deal in which both players hold other cards now, as far as nobody saw them."""
    fields = parse_fields(str(session.state_at(0)))
    left = parse_fields(str(session.state))
    hands, decks = [], []
    for hand, deck, held, waiting in zip(fields.hands, fields.decks, left.hands, left.decks, strict=True):
        out, back = next(card for card in held if card in hand), waiting[0]
        swapped = str.maketrans({out: back, back: out})
        hands.append(hand.translate(swapped))
        decks.append(deck.translate(swapped))
    start = State.parse(f"- - - {'/'.join(hands)} {'/'.join(decks)} 0 0")
    return Session(SavedGame(start, session.players, session.saved_game().moves), session.seat)


def test_what_a_person_is_told_during_the_game_follows_from_open_moves(thinker: Thinker) -> None:
    """Fails if it depends on the agent's hidden cards, which the person could guess then, or on the person's."""
    session = against(thinker, "skunk", 9)
    anew = other_cards(session)
    assert parse_fields(str(anew.state)).hands[0] != parse_fields(str(session.state)).hands[0]
    assert parse_fields(str(anew.state)).hands[1] != parse_fields(str(session.state)).hands[1]
    first, second = (each.thought_view(9, thinker.think(each.state, 4, each.history_at(9))) for each in (session, anew))
    assert first["opponent"] == second["opponent"] == "expects skunk"
    assert first["hand"] == second["hand"] and first["hand"]["whose"] == "your"
    assert len({entry["share"] for entry in first["hand"]["cards"]}) > 1


def test_an_opponent_that_would_not_have_played_so_is_given_up_until_the_move_is_taken_back(thinker: Thinker) -> None:
    session = against(thinker, "skunk", 10)
    said = []
    for action in session.state.legal_actions():
        session.play(action)
        explained = not believed(session, 1, "skunk").is_lost
        thought = thinker.think(session.state, 4, session.history_at(session.turns))
        session.play(thought.action, thought)
        said.append(session.view()["turns"][-1]["thought"]["opponent"])
        assert said[-1] == ("expects skunk" if explained else "expected skunk, but it would not have played so")
        session.undo()
    assert len(set(said)) == 2


def test_nothing_is_believed_of_a_hand_that_is_empty_and_every_card_of_a_last_hand_is_known(thinker: Thinker) -> None:
    session = against(thinker, "skunk", 24)
    views = [turn["thought"] for turn in session.view()["turns"] if turn["player"] == 1]
    assert ["hand" in view for view in views] == [True] * 11 + [False]
    held = parse_fields(str(session.state_at(21))).hands[0]
    assert views[-2]["hand"]["cards"] == [{"card": card, "share": 1.0} for card in held]


def test_several_opponents_are_named_with_the_likeliest_first(thinker: Thinker) -> None:
    """By beliefs over all ten: the five likeliest by name, the others counted together."""
    session = against(thinker, "online", 7)
    belief = believed(session, 1, OPPONENTS, slip=0.01)
    found = impression(_player("none"), belief)
    shares = dict(belief.opponent_probabilities())
    assert found.opponents == shares
    said = opponent_words(found, "you")
    assert said.startswith("takes you for: ")
    listed = re.findall(r"(\w+) (\d+) %", said)
    assert [name for name, _ in listed[:-1]] == sorted(shares, key=lambda name: -shares[name])[:5]
    assert len(listed) == 6 and listed[-1][0] == "others"
    assert sum(int(share) for _, share in listed) == pytest.approx(100, abs=3)


@pytest.mark.parametrize(
    ("opponents", "lost", "says"),
    [
        ({}, False, ""),
        ({"skunk": 0.996, "noisy": 0.004, None: 0.0}, False, "takes the agent for: skunk 100 %"),
        (
            {None: 0.12, "outcome_heuristic": 0.38, "distilled_outcome": 0.41, "a": 0.02, "b": 0.04, "c": 0.03},
            False,
            "takes the agent for: distilled_outcome 41 %, outcome_heuristic 38 %, none of the known 12 %, b 4 %, "
            "c 3 %, others 2 %",
        ),
        ({"skunk": 0.5, "noisy": 0.5}, True, "expected skunk or noisy, but it would not have played so"),
    ],
)  # fmt: skip
def test_it_is_said_in_few_words(opponents: dict[str | None, float], lost: bool, says: str) -> None:
    assert opponent_words(Impression(opponents, lost), "the agent") == says


def _player(opponent_model: str) -> NetworkPlayer:
    torch.manual_seed(1)
    evaluator = TorchEvaluator(ResidualMLP(game="connect_four", width=16, blocks=1).eval())
    return NetworkPlayer(evaluator, simulations=4, temperature=0.0, seed=1, opponent_model=opponent_model)


def test_where_no_hand_is_hidden_an_agent_still_says_whom_it_expects(tmp_path: Path) -> None:
    network = ResidualMLP(game="connect_four", width=16, blocks=1)
    weights = {f"network.{name}": weight for name, weight in network.state_dict().items()}
    torch.save({"state_dict": weights, ENTRY: Description.of(network).entry()}, tmp_path / "four.ckpt")
    for name, expected in (("@4+tactical", {"tactical": 1.0}), ("@4", {}), ("@4+told", {})):
        state = random_state("connect_four", 1, 3)
        assert make_thinker(f"{tmp_path / 'four.ckpt'}{name}").think(state).impression == Impression(expected)
    for name, expected in (("ismcts:20+skunk", {"skunk": 1.0}), ("ismcts:20", {}), ("skunk", {})):
        assert make_thinker(name).think(State.initial(1)).impression == Impression(expected)


def test_two_agents_are_called_neither_you_nor_agent(thinker: Thinker) -> None:
    session = against(thinker, "skunk", 6)
    watched = Session(session.saved_game())
    belief = believed(session, 0, ("skunk", "noisy"))
    found = Impression(dict(belief.opponent_probabilities()), False, tuple(belief.card_probabilities().tolist()))
    thought = thinker.think(session.state)._replace(impression=found, action=Action.parse("L", "beasty_bar"))
    assert watched.thought_view(6, thought)["opponent"].startswith("takes the other player for: ")
    assert watched.thought_view(6, thought)["hand"]["whose"] == "the other player's"
    assert session.thought_view(6, thought)["hand"]["whose"] == "the other player's"  # a hint about the agent
