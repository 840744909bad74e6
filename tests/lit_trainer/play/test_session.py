"""A game under way: undo, reasons, and nothing shown to a person that the person cannot know."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lit_trainer.play import PERSON, Record, Session, Thinker, make_thinker
from lit_trainer.play.thinkers import default_agent
from lit_trainer.play.views import playable, position_view
from sim_core import OPPONENTS, State, get_game


def random_state(game: str, seed: int, plies: int) -> State:
    state = State.initial(seed, game=game)
    for k in range(plies):
        legal = state.legal_actions()
        if not legal:
            break
        state = state.step(legal[(seed + 7 * k) % len(legal)])
    return state


def seen_by(state: State, player: int) -> State:
    """The position with that player to move, so that `determinize` keeps what that player sees."""
    *fields, _, ply = str(state).split(" ")
    return State.parse(" ".join([*fields, str(player), ply]), game=state.game)


beasty = st.builds(
    random_state, st.sampled_from(["beasty_bar", "beasty_bar_animals"]), st.integers(0, 2**32), st.integers(0, 23)
)


@settings(max_examples=150, deadline=None)
@given(beasty, st.integers(0, 1), st.integers(0, 2**32))
def test_a_person_s_view_is_the_same_whatever_the_hidden_cards_are(state: State, seat: int, seed: int) -> None:
    """A hand of the other, an order of a deck, or anything made of them that reached the JSON."""
    dealt_anew = seen_by(seen_by(state, seat).determinize(seed), state.to_move)
    names = (PERSON, "agent") if seat == 0 else ("agent", PERSON)
    views = [json.dumps(Session(Record(each, names), seat).view()) for each in (state, dealt_anew)]
    assert views[0] == views[1]
    if state.ply < 16:
        assert position_view(state, seat)["hands"][1 - seat] is None
        assert position_view(state, None)["hands"][1 - seat] is not None


def test_that_test_would_notice_an_open_hand() -> None:
    state = State.initial(1)
    assert json.dumps(position_view(state, None)) != json.dumps(position_view(state.determinize(1), None))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(playable()), st.integers(0, 2**32), st.sampled_from([0, 1, None]), st.integers(1, 24))
def test_undo_restores_what_was_before_the_person_s_move(game: str, seed: int, seat: int | None, turns: int) -> None:
    session = Session.deal(seed, ("a", "b"), seat, game)
    before = []
    for k in range(turns):
        if session.state.is_terminal:
            break
        if seat is None or session.awaits_person:
            before.append((session.view(), session.record()))
        legal = session.state.legal_actions()
        session.play(legal[(seed + k) % len(legal)])
    for view, record in reversed(before):
        session.undo()
        assert (session.view(), session.record()) == (view, record)
    assert not session.can_undo
    with pytest.raises(ValueError, match="undo: "):
        session.undo()


def game_with(thinker: Thinker, seat: int | None) -> Session:
    """A whole game in which the agent plays every seat, but the person's name stands on one."""
    session = Session.deal(4, ("a", "b"), seat)
    while not session.state.is_terminal:
        thought = thinker.think(session.state, 4)
        session.play(thought.action, thought)
    return session


def test_reasons_tell_no_card_until_the_game_is_over() -> None:
    session = game_with(make_thinker("ismcts:60"), 0)
    assert {len({share["card"] for share in turn["thought"]["shares"]}) for turn in session.view()["turns"]} > {1}
    while session.can_undo:
        session.undo()
        for turn in session.view()["turns"]:
            cards = {share["card"] for share in turn["thought"]["shares"]}
            assert turn["player"] == 0 or cards == {turn["card"]}
    open_to_all = game_with(make_thinker("ismcts:60"), None)
    open_to_all.undo()
    assert len(open_to_all.view()["turns"][0]["thought"]["shares"]) >= 4


@pytest.mark.parametrize("agent", ["checkpoint", "policy", "ismcts:50", "noisy"])
def test_agents_think_the_same_whatever_the_hidden_cards_are(agent: str, checkpoint_path: Path) -> None:
    simulations = 0 if agent == "policy" else 8
    thinker = make_thinker(
        str(checkpoint_path) if agent in ("checkpoint", "policy") else agent, simulations=simulations
    )
    for seed in range(12):
        state = random_state("beasty_bar", seed, 2 * seed)
        thought = thinker.think(state, seed)
        assert thought == thinker.think(state.determinize(99), seed)
        assert thought.action in state.legal_actions()
        if thinker.has_reasons:
            assert thought.shares[0][0] == thought.action
            assert sum(share for _, share in thought.shares) == pytest.approx(1.0)
            assert {action for action, _ in thought.shares} == set(state.legal_actions())
            assert thought.win_chance is not None and 0.0 <= thought.win_chance <= 1.0
        else:
            assert thought.shares == () and thought.win_chance is None


def test_a_decided_game_has_the_chance_of_its_outcome() -> None:
    """The value's sign is that of the player to move."""
    session = game_with(make_thinker("ismcts:60"), None)
    last = session.view()["turns"][-1]
    winner = session.state.winner()
    assert last["thought"]["win_chance"] == (0.5 if winner is None else float(winner == last["player"]))


def test_words_name_what_a_move_does_and_its_outcome_where_cards_went() -> None:
    session = Session(Record(State.parse("hKx - - SP/mu G/l 0 3"), (PERSON, "agent")), 0)
    words = {move["action"]: move["words"] for move in session.view()["position"]["legal"]}
    assert words["P0"] == "parrot, throws out the opponent's hippo at place 0"
    assert words["P1"] == "parrot, throws out your kangaroo at place 1"
    session.play(session.parse_move("p1"))
    assert session.view()["turns"][0]["thatsit"] == [{"animal": "K", "player": 0}]
    jumps = Session(Record(State.parse("Mlku - - X/s -/- 0 22"), ("a", "b")))
    words = {move["action"]: move["words"] for move in jumps.view()["position"]["legal"]}
    assert words["X=K2"] == "chameleon as kangaroo, over 2 animals"
    jumps.play(jumps.parse_move("X=K2"))
    outcome = jumps.view()["turns"][0]
    assert outcome["bar"] == [{"animal": "M", "player": 0}, {"animal": "L", "player": 1}]
    assert outcome["thatsit"] == [{"animal": "U", "player": 1}]


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    session = Session.deal(5, (PERSON, "b"), 0)
    with pytest.raises(ValueError, match="move: 'L' is not legal here; legal are S E U K"):
        session.parse_move("L")
    with pytest.raises(ValueError, match="turn: 1 given, expected 0 to 0"):
        session.view(1)
    with pytest.raises(
        ValueError, match=r"agent: 'nobody' is neither a known player nor a file; known are random, .* ismcts:N, "
    ):
        make_thinker("nobody")
    with pytest.raises(ValueError, match="simulations: -1 given"):
        make_thinker("random", simulations=-1)
    with pytest.raises(ValueError, match=r"simulations: 1000001 given, expected 0 \(the raw policy\) to 1,000,000"):
        make_thinker("random", simulations=1_000_001)
    with pytest.raises(ValueError, match="game: connect_four given, but skunk plays beasty_bar and beasty_bar_animals"):
        make_thinker("skunk").think(State.initial(0, game="connect_four"))
    (tmp_path / "torn.ckpt").write_bytes(b"PK")
    with pytest.raises(ValueError, match="truncated, damaged or no checkpoint"):
        make_thinker(str(tmp_path / "torn.ckpt"))


@pytest.mark.parametrize("name", [*OPPONENTS, *get_game("connect_four").opponents])
def test_every_built_in_opponent_can_be_played(name: str) -> None:
    thinker = make_thinker(name)
    for game in thinker.games:
        state = State.initial(3, game=game)
        assert thinker.think(state).action in state.legal_actions()


def test_the_default_agent_is_the_best_that_lies_about(tmp_path: Path, checkpoint_path: Path) -> None:
    assert default_agent("beasty_bar", tmp_path) == "outcome_heuristic"
    assert default_agent("connect_four", tmp_path) == "tactical"
    for name in ("runs/a/version_0/checkpoints/last.ckpt", "checkpoints/iter600.ckpt", "checkpoints/iter1000.ckpt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(checkpoint_path.read_bytes())
        assert default_agent("beasty_bar", tmp_path) == str(tmp_path / name)
    assert default_agent("connect_four", tmp_path) == "tactical"
    (tmp_path / "checkpoints/iter1000.ckpt").write_bytes(b"PK")
    assert default_agent("beasty_bar", tmp_path) == str(tmp_path / "checkpoints/iter600.ckpt")
