"""Agents in Python as models of the opponent, in beliefs and in search: as good as built-in ones, and no less safe."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from reference.search import scrambled
from support.agent_models import ANSWERS, Broken, Same, played, positions, raises
from support.runner_tools import GUMBEL, PLAIN

from sim_core import (
    Action,
    Belief,
    Beliefs,
    GameRunner,
    LeafBatch,
    RunnerSettings,
    Searcher,
    SearchSettings,
    State,
    Trees,
    search,
)
from sim_core.agent_models import AgentModels
from sim_core.game import get_game
from sim_core.tree_search.searcher import opponent_numbers

RULES = get_game("beasty_bar")
UNSOLVED = SearchSettings(exact_leaves=False)


def test_opponents_are_numbered() -> None:
    """Fails if one agent gets two numbers, or if two share one: what trees remember would be another's."""
    models, agent, other = AgentModels(RULES), Same("skunk"), Same("skunk")
    given = models.numbers(["heuristic", None, agent, other, agent]).tolist()
    assert given[:2] == [1, -1] and 1024 <= given[2] == given[4] < given[3]
    assert models.numbers([other, "random"]).tolist() == [given[3], 0]
    assert AgentModels(RULES).numbers([Same("skunk")]) > given[3]
    for wrong in ("tactical", 3, object()):
        with pytest.raises(ValueError, match=r"^opponents: .* given, beasty_bar has random, heuristic"):
            models.numbers([wrong])


@pytest.mark.parametrize("name", ["random", "noisy", "online"])
def test_beliefs_are_those_of_a_built_in_opponent_that_plays_alike(name: str) -> None:
    """Fails if an agent is asked with another hand or position, or about another action."""
    turns, agent = played(name, 4, 23), Same(name)
    given, known = (Belief("beasty_bar", turns[0][0], 0, opponent) for opponent in (agent, name))
    for turn in turns:
        given.observe(*turn)
        known.observe(*turn)
        assert np.abs(given.hands()[1] - known.hands()[1]).max() < 1e-6
    assert given.opponent_probabilities() == {agent: 1.0} and not given.is_lost
    last = State(turns[22][0]).step(Action(turns[22][1]))
    assert given.draw(last.data, 1)[1] is agent and known.draw(last.data, 1)[1] == name
    assert len(agent.seen) <= 7 * 165 + 1, "it was asked with hands that cannot play the action"
    assert all(state.to_move == 1 for state in agent.seen)


def test_an_action_that_an_agent_does_not_play_is_a_loss() -> None:
    turns = played("random", 4)
    belief = Belief("beasty_bar", turns[0][0], 0, Broken(lambda legal: {legal[0]: 1}, 0))
    for turn in turns[:-1]:
        belief.observe(*turn)
    assert belief.is_lost and belief.draw(turns[-1][0], 1)[1] is None


def test_agents_are_told_apart_from_built_in_opponents() -> None:
    """Fails if a number stands for another agent."""
    turns, agent = played("skunk", 3), Same("random")
    belief = Belief("beasty_bar", turns[0][0], 0, (agent, "skunk", None), 0.01)
    plain = Belief("beasty_bar", turns[0][0], 0, ("random", "skunk", None), 0.01)
    for turn in turns:
        belief.observe(*turn, 0.2)
        plain.observe(*turn, 0.2)
    assert list(belief.opponent_probabilities()) == [agent, "skunk", None]
    assert [*belief.opponent_probabilities().values()] == pytest.approx([*plain.opponent_probabilities().values()])


@pytest.mark.parametrize("settings", [UNSOLVED, SearchSettings(root_selection="gumbel", exact_leaves=False)])
@pytest.mark.parametrize("ply", [0, 7, 12])
@pytest.mark.parametrize("name", ["distilled_outcome", "random"])
def test_a_search_is_that_against_a_built_in_opponent_that_plays_alike(
    name: str, ply: int, settings: SearchSettings
) -> None:
    """Fails if the other side plays anything else in the tree, or if its draws take more of the tree's stream."""
    batch, agent = positions(ply), Same(name)
    known = search(batch, scrambled, 12, opponents=name, seed=3, settings=settings)
    for threads in (1, 3):
        found = search(batch, scrambled, 12, opponents=agent, seed=3, settings=settings, threads=threads)
        for mine, theirs in zip(found, known, strict=True):
            assert np.array_equal(mine, theirs)
    nobody = search(batch, scrambled, 12, seed=3, settings=settings)
    assert (nobody.visit_counts != known.visit_counts).any()


def test_a_search_draws_from_beliefs_about_agents() -> None:
    """Fails if the numbers of beliefs and search are those of different agents."""
    turns, agent, other = played("skunk", 3, 9), Same("skunk"), Same("random")
    batch = positions(8, 1)
    found = []
    for opponents, given in (((agent,), [other]), (("skunk",), None)):
        memory = Beliefs("beasty_bar", 1)
        belief = Belief("beasty_bar", turns[0][0], 0, opponents, beliefs=memory)
        for turn in played("noisy", 0, 8):
            belief.observe(*turn)
        found.append(search(batch, scrambled, 40, seed=3, settings=UNSOLVED, beliefs=memory, opponents=given))
    assert (found[0].visit_counts == found[1].visit_counts).all() and agent.seen and not other.seen


@pytest.mark.parametrize("ply", [15, 17, 18, 20])
def test_the_best_response_to_an_agent_is_exact(ply: int) -> None:
    """Fails if the last turns are searched, or solved for perfect play by both, which the agent's play is not."""
    batch, agent = positions(ply), Same("random")
    known = search(batch, scrambled, 20, opponents="random", seed=3)
    found = search(batch, scrambled, 20, opponents=agent, seed=3)
    assert (found.visit_counts == known.visit_counts).all() and found.value == pytest.approx(known.value, abs=1e-5)
    perfect = search(batch, scrambled, 20, seed=3)
    assert np.abs(perfect.value - found.value).max() > 0.1
    assert all(state.to_move != batch.to_move[0] or state.ply > ply for state in agent.seen)
    assert all(len(state.legal_actions()) > 1 for state in agent.seen), "it was asked where it has no choice"
    assert len(set(agent.seen)) == len(agent.seen), "an answer is remembered"


def test_values_that_a_tree_remembers_are_those_against_the_same_agent() -> None:
    """Fails if a searcher takes one agent's exact values for those against the next."""
    batch, searcher = positions(16), Searcher(20, 20)
    for name in ("random", "distilled_outcome", "random"):
        kept = searcher.search(batch, scrambled, seed=3, opponents=Same(name))
        fresh = search(batch, scrambled, 20, seed=3, opponents=Same(name))
        assert (kept.visit_counts == fresh.visit_counts).all() and (kept.value == fresh.value).all()


@pytest.mark.parametrize(("answer", "said"), ANSWERS)
def test_what_are_no_probabilities_is_refused(answer: Callable[[Any], Any], said: str) -> None:
    """Fails if a wrong answer is searched with, or if the engine reads beside an array."""
    turns = played("noisy", 0)
    belief = Belief("beasty_bar", turns[0][0], 0, agent := Broken(answer))
    left = iter(turns)
    calls: list[Callable[[], Any]] = [
        lambda: search(positions(3, 5), scrambled, 8, opponents=Broken(answer), threads=2),
        *2 * [lambda: [belief.observe(*turn) for turn in left]],  # from where it ended: it has seen no such action
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"^opponent mine: action_probabilities returned ") as error:
            call()
        assert said in str(error.value) and "\n" not in str(error.value)
        assert ", expected " in str(error.value) or ", legal are " in str(error.value)
    assert len(agent.seen) == 4, "it is asked no more"


def test_what_an_agent_raises_ends_the_search_that_asked() -> None:
    agent = Broken(raises)
    with pytest.raises(KeyError, match="no such opening"):
        search(positions(3), scrambled, 8, opponents=agent, threads=3)
    assert len(agent.seen) == 4
    agent.answer = lambda legal: {legal[0]: 1.0}
    assert search(positions(3), scrambled, 8, opponents=agent).visit_counts.sum() == 160


def test_agents_are_asked_one_question_at_a_time() -> None:
    class Careful(Same):
        inside = 0

        def __init__(self, name: str) -> None:
            super().__init__(name)
            self.threads: set[int] = set()

        def action_probabilities(self, state: State) -> Any:
            self.inside += 1
            time.sleep(0.0005)
            self.threads.add(threading.get_ident())
            answer = super().action_probabilities(state)
            assert self.inside == 1
            self.inside -= 1
            return answer

    agent = Careful("skunk")
    search(positions(3), scrambled, 8, opponents=agent, threads=4)
    assert len(agent.threads) > 1


def test_built_in_opponents_alone_are_told_where_nobody_asks_agents() -> None:
    with pytest.raises(ValueError, match=r"^opponents: an agent given, expected None or the names of built-in"):
        opponent_numbers(positions(0, 2), Same("skunk"))


# ---------------------------------------------------------------------- in a runner


def run(opponent: Any, model: str, *, threads: int = 1, **changes: Any) -> GameRunner:
    """Plays 6 games of a learner in seat 0 against an opponent that plays at random."""
    arguments: dict[str, Any] = {"simulations": 6, "search": UNSOLVED, "opponent_model": model, **changes}
    size = len(RULES.opponents) + RULES.hidden_size
    leaves, count = LeafBatch(Trees("beasty_bar", 6, 6), condition_size=size), 6
    runner = GameRunner(
        leaves, RunnerSettings(**arguments), temperature=1.0, seed=5, learner_seed=9, streams=np.arange(count),
        first_player=np.arange(count) % 2, controllers=np.tile([0, 1], (count, 1)), opponents=[(opponent, 3)],
        record=True,
    )  # fmt: skip

    def evaluate(rows: np.ndarray, legal_mask: np.ndarray) -> Any:
        return scrambled(np.ascontiguousarray(rows[:, : RULES.observation_size]), legal_mask)

    while not runner.is_done:
        rows = runner.advance(threads)
        slots, _ = runner.outside(0)
        if len(slots):
            runner.play(slots, runner.positions(slots).opponent_actions("random", 3))
        if rows:
            leaves.evaluate(evaluate, rows, threads)
    return runner


def test_a_runner_that_is_told_an_agent_plays_as_one_that_is_told_the_rule() -> None:
    """Fails if the agent is not expected, is expected from other hands, or depends on threads."""
    agent = Same("random")
    mine, again, known = run(agent, "told"), run(agent, "told", threads=3), run("random", "told")
    before = (mine.record.states == again.record.states).all()
    assert before and (mine.record.policies == again.record.policies).all()
    assert (mine.record.policies == known.record.policies).all()
    assert (mine.record.states == known.record.states).all()
    unknown = run(None, "told")
    assert (mine.record.policies != unknown.record.policies).any()


def test_a_runner_tells_its_network_nothing_of_an_agent() -> None:
    assert not run(Same("random"), "told").record.conditions.any()
    assert run("random", "told").record.conditions.any()


@pytest.mark.parametrize("model", ["none", "infer"])
def test_a_runner_that_is_not_told_asks_no_agent(model: str) -> None:
    """Fails if others know more of an agent because it can say how it plays."""
    agent = Same("random")
    mine = run(agent, model, value_target="endgame").record
    other = run(None, model, value_target="endgame").record
    assert not agent.seen
    assert (mine.policies == other.policies).all() and (mine.position_outcomes == other.position_outcomes).all()


def test_positions_learn_the_value_of_the_best_response_to_an_agent() -> None:
    """Fails if they learn that of perfect play by both, or the game's result."""
    mine, known = (run(who, "told", value_target="endgame").record for who in (Same("random"), "random"))
    assert mine.position_outcomes == pytest.approx(known.position_outcomes, abs=1e-5)
    assert len(set(mine.position_outcomes.tolist())) > 3


@pytest.mark.parametrize("after", [3, 400])
@pytest.mark.parametrize("settings", [PLAIN, GUMBEL])
def test_an_error_of_an_agent_ends_a_runners_games(after: int, settings: SearchSettings) -> None:
    """Fails if one that is raised while beliefs are drawn, or while trees grow, is lost."""
    agent = Broken(lambda legal: {legal[0]: 2.0}, after)
    with pytest.raises(ValueError, match=r"^opponent mine: action_probabilities returned 2\.0 for "):
        run(agent, "told", search=settings)
    assert len(agent.seen) == after + 1
