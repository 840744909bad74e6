"""Provides positions and whole games for the tests of play."""

from __future__ import annotations

from lit_trainer.play import Session, Thinker
from sim_core import State


def random_state(game: str, seed: int, plies: int) -> State:
    state = State.initial(seed, game=game)
    for k in range(plies):
        legal = state.legal_actions()
        if not legal:
            break
        state = state.step(legal[(seed + 7 * k) % len(legal)])
    return state


def game_with(thinker: Thinker, seat: int | None) -> Session:
    """Returns a whole game in which the agent plays both seats, but one has the person's name."""
    session = Session.deal(4, ("a", "b"), seat)
    while not session.state.is_terminal:
        thought = thinker.think(session.state, 4)
        session.play(thought.action, thought)
    return session
