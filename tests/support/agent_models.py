"""Provides agents in Python that say how likely they play what: they do as a built-in opponent does, or wrongly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sim_core import Action, GameBatch, State, get_game


class Same:
    """Does as a built-in opponent does."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seen: list[State] = []

    def action_probabilities(self, state: State) -> Mapping[Action, float]:
        self.seen.append(state)
        policy = get_game(state.game).opponent_policy(self.name, state.data)
        return {action: policy[action.id] for action in state.legal_actions() if policy[action.id] > 0}

    def select_action(self, state: State, legal_actions: Any) -> Action:
        ids = GameBatch.from_states([state], streams=state.ply).opponent_actions(self.name, 3)
        return Action(int(ids[0]), state.game)


class Broken(Same):
    """Gives another answer from its `after`th one on.

    Args:
        answer: Makes the answer from the legal actions.
        after: Answers before it that are right.
    """

    def __init__(self, answer: Callable[[Any], Any], after: int = 3) -> None:
        super().__init__("heuristic")
        self.name, self.rule = "mine", self.name
        self.answer, self.after = answer, after

    def action_probabilities(self, state: State) -> Any:
        self.seen.append(state)
        if len(self.seen) > self.after:
            return self.answer(state.legal_actions())
        policy = get_game(state.game).opponent_policy(self.rule, state.data)
        return {action: policy[action.id] for action in state.legal_actions()}

    def select_action(self, state: State, legal_actions: Any) -> Action:
        action: Action = legal_actions[-1]
        return action


def raises(legal: Any) -> Any:
    raise KeyError("no such opening")


ANSWERS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda legal: {legal[0]: 1.5, legal[1]: -0.5}, "1.5 for"),
    (lambda legal: {legal[0]: 1.0, legal[1]: -0.001}, "-0.001 for"),
    (lambda legal: {legal[0]: float("nan")}, "nan for"),
    (lambda legal: {legal[0]: "much"}, "'much' for"),
    (lambda legal: {legal[0]: None}, "None for"),
    (lambda legal: {legal[0]: 0.5, legal[1]: 0.498}, "probabilities that sum to 0.998 at"),
    (lambda legal: {}, "probabilities that sum to 0 at"),
    (
        lambda legal: {next(Action(k) for k in range(99) if Action(k) not in legal): 1.0},
        "a probability of Action.parse",
    ),
    (lambda legal: {legal[0].id: 1.0}, "a probability of "),
    (lambda legal: {Action(legal[0].id, "beasty_bar_animals"): 1.0}, "a probability of Action.parse"),
    (lambda legal: [1.0], r"[1.0] of type list at"),
    (lambda legal: None, "None of type NoneType at"),
    (lambda legal: np.ones(4) / 4, "of type ndarray at"),
]
"""Wrong answers, and what the error says that they are."""


def played(name: str, seed: int, plies: int = 24) -> list[tuple[bytes, int]]:
    """Returns the turns of a game in which a built-in opponent plays seat 1 and another one seat 0."""
    state, turns = State.initial(seed), []
    while state.ply < plies:
        batch = GameBatch.from_states([state], streams=seed)
        action = int(batch.opponent_actions(name if state.to_move else "outcome_heuristic", seed)[0])
        turns.append((state.data, action))
        state = state.step(Action(action))
    return turns


def positions(ply: int, count: int = 20) -> GameBatch:
    """Returns positions of different games at one ply."""
    states = [State(played("noisy", seed, ply + 1)[ply][0]) for seed in range(count)]
    return GameBatch.from_states(states, streams=range(count))
