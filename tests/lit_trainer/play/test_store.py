"""The store: games are bounded in number and age."""

from __future__ import annotations

from lit_trainer.play import SavedGame, Session, make_thinker
from lit_trainer.play.store import Hosted, Store
from sim_core import State


def test_games_are_bounded_in_number_and_age() -> None:
    now = [0.0]
    store = Store(most=3, idle_s=100.0, clock=lambda: now[0])
    adviser = make_thinker("ismcts:1")

    def add() -> str:
        session = Session(SavedGame(State.initial(1), ("a", "b")))
        return store.add(Hosted("watch", session, (adviser, adviser), adviser, 0))

    first, second, third = add(), add(), add()
    assert store.get(first)
    fourth = add()
    assert store.get(second) is None and store.get(first) and store.get(third) and store.get(fourth)
    assert len(store) == 3
    now[0] = 60.0
    assert store.get(first)
    now[0] = 150.0
    assert store.get(third) is None and store.get(first) and len(store) == 1
