"""The contract of a game: what batches, search, replay and data rely on, for every registered game."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from lit_trainer.learning.replay import ReplayWindow
from lit_trainer.self_play.games import GeneratedGames
from sim_core import Action, GameBatch, State, games, get_game, search, select_random_action, solve_endgame

PLAYED = 30
SOLVED = WITH_POLICY = ("beasty_bar", "beasty_bar_animals", "connect_four")
"""Games whose ends are solved. In others `is_solvable` may always return False."""


@cache
def lines(game: str) -> tuple[tuple[State, ...], ...]:
    """Returns random games from beginning to end, half of them begun by player 1."""
    batch = GameBatch(PLAYED, 5, game=game, first_player=np.arange(PLAYED) % 2)
    found = [[batch.state(i)] for i in range(PLAYED)]
    while not (over := batch.is_terminal).all():
        batch.step([-1 if over[i] else select_random_action(batch, i) for i in range(PLAYED)])
        for i in np.flatnonzero(~over):
            found[i].append(batch.state(i))
    return tuple(map(tuple, found))


def positions(game: str) -> list[State]:
    return [state for line in lines(game) for state in line]


@pytest.fixture(params=games())
def game(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def scrambled(observations: np.ndarray, legal_mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns arbitrary logits and values of each row."""
    seeds = np.cos(observations @ np.arange(1, observations.shape[1] + 1, dtype=np.float32))
    return np.cos(seeds[:, None] * np.arange(7, 7 + legal_mask.shape[1])).astype(np.float32), seeds.astype(np.float32)


def test_there_are_two_kinds_of_games() -> None:
    assert {"beasty_bar", "connect_four"} <= set(games())
    assert list(games()) == sorted(games())


def test_facts_agree(game: str) -> None:
    rules = get_game(game)
    assert len(rules.actions) == len(set(rules.actions)) == rules.num_actions == GameBatch(0, game=game).num_actions
    assert [Action.parse(text, game).id for text in rules.actions] == list(range(rules.num_actions))
    assert 1 <= rules.max_legal <= rules.num_actions and rules.max_plies >= 1 and rules.state_size >= 1
    assert len(set(rules.opponents)) == len(rules.opponents) and "random" in rules.opponents
    names = [name for name, _ in rules.observation_layout]
    assert len(set(names)) == len(names), "two parts of the observation cannot be told apart"
    assert sum(size for _, size in rules.observation_layout) == rules.observation_size
    assert rules.version >= 1 and rules.observation_version >= 1
    assert eval(repr(Action(0, game))) == Action(0, game)


def test_every_turn_of_random_games(game: str) -> None:
    rules = get_game(game)
    for number, line in enumerate(lines(game)):
        assert line[0].to_move == number % 2, "first_player begins"
        assert len(line) <= rules.max_plies + 1
        for ply, state in enumerate(line):
            assert state.ply == ply
            assert state.to_move in (0, 1)
            ids = [action.id for action in state.legal_actions()]
            assert ids == sorted(set(ids))
            assert all(0 <= k < rules.num_actions for k in ids)
            assert len(ids) <= rules.max_legal
            assert state.is_terminal == (not ids) == (ply == len(line) - 1)
            for k in set(range(rules.num_actions)) - set(ids):
                with pytest.raises(ValueError, match="not legal"):
                    state.step(Action(k, game))


def test_outcomes_negate_and_say_who_wins(game: str) -> None:
    rules = get_game(game)
    ends = set()
    for state in positions(game):
        mine, theirs = (rules.outcome(state.data, player) for player in range(2))
        assert mine == -theirs and mine in (-1, 0, 1)
        assert state.winner() == {1: 0, 0: None, -1: 1}[mine]
        first, second = state.scores()
        if first != second and mine:
            assert (first > second) == (mine > 0)
        if state.is_terminal:
            ends.add(mine)
    assert {-1, 1} <= ends


def test_hidden_targets_ask_what_the_mover_cannot_tell(game: str) -> None:
    """Fails if the mover knows an answer, or resampling the hidden cards never changes it."""
    rules = get_game(game)
    given = positions(game)
    answers = GameBatch.from_states(given).hidden_targets()
    assert answers.shape == (len(given), rules.hidden_size) and answers.dtype == np.int8
    assert (answers == np.stack([rules.hidden_targets(state.data) for state in given])).all()
    assert np.isin(answers, (-1, 0, 1)).all()
    changed = np.zeros(rules.hidden_size, bool)
    for state, row in zip(given, answers, strict=True):
        resampled = rules.hidden_targets(rules.determinize(state.data, 3))
        assert ((resampled == -1) == (row == -1)).all()
        changed |= resampled != row
    assert changed.all()


def test_step_leaves_its_state_alone(game: str) -> None:
    for state in positions(game):
        before = (state.data[:] + b"", str(state))
        children = [state.step(action) for action in state.legal_actions()]
        assert (state.data, str(state)) == before
        assert children == [state.step(action) for action in state.legal_actions()]


def test_a_batch_is_its_states(game: str) -> None:
    given = positions(game)
    batch = GameBatch.from_states(given)
    assert [batch.state(i) for i in range(len(batch))] == given
    assert batch.to_move.tolist() == [state.to_move for state in given]
    assert batch.ply.tolist() == [state.ply for state in given]
    assert batch.is_terminal.tolist() == [state.is_terminal for state in given]
    assert batch.is_solvable.tolist() == [state.is_solvable for state in given]
    assert batch.scores().tolist() == [list(state.scores()) for state in given]
    assert batch.outcomes().tolist() == [{None: 0, 0: 1, 1: -1}[state.winner()] for state in given]
    assert (batch.observe() == np.stack([state.observe() for state in given])).all()
    mask = batch.legal_mask()
    assert [np.flatnonzero(row).tolist() for row in mask] == [[a.id for a in s.legal_actions()] for s in given]
    last = mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)
    batch.step(np.where(batch.is_terminal, -1, last))
    stepped = [s if s.is_terminal else s.step(s.legal_actions()[-1]) for s in given]
    assert [batch.state(i) for i in range(len(batch))] == stepped


@pytest.mark.parametrize("number", [np.int64, np.array, torch.tensor], ids=["int64", "array", "tensor"])
def test_numbers_of_numpy_and_torch_are_actions(game: str, number: Callable[[int], Any]) -> None:
    state, rules = positions(game)[0], get_game(game)
    action = state.legal_actions()[-1]
    assert Action(number(action.id), game) == action
    assert rules.step(state.data, number(action.id)) == state.step(action).data
    batch = GameBatch.from_states([state] * 2, seed=number(5))
    batch.step([number(action.id)] * 2)
    batch.take([number(1)]).state(number(0))
    assert batch.state(number(1)) == state.step(action)
    assert State.initial(number(3), number(1), game=game) == State.initial(3, 1, game=game)
    with pytest.raises(ValueError, match=rf"^action: .* given, expected an Action of {game}, such as Action\(0, "):
        state.step(number(action.id))
    with pytest.raises(ValueError, match=r"^id: .* given, expected an integer from 0 to "):
        Action(number(rules.num_actions), game)


@pytest.mark.parametrize(
    "wrong", [np.array(True), torch.tensor(True), torch.tensor([3]), np.array([3]), torch.tensor(3.0)]
)
def test_other_values_of_numpy_and_torch_are_no_actions(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"^id: "):
        Action(wrong)
    with pytest.raises(ValueError, match=r"^first_player: "):
        State.initial(1, wrong)


def test_it_says_whether_its_deal_draws_anything(game: str) -> None:
    """Where it says so, matches begin with random plies."""
    deals = {State.initial(seed, game=game) for seed in range(20)}
    assert get_game(game).deals_at_random == (len(deals) > 1)


def test_a_deal_belongs_to_seed_and_stream(game: str) -> None:
    batch = GameBatch(20, 9, game=game)
    for i in range(20):
        assert GameBatch(1, 9, game=game, streams=[i]).state(0) == batch.state(i)
    assert State.initial(9, game=game) == batch.state(0)
    one, many = GameBatch(20, 9, game=game), GameBatch(20, 9, game=game)
    one.play_random(threads=1)
    many.play_random(threads=2)
    assert (one.packed() == many.packed()).all()


def test_the_observation_is_written_whole(game: str) -> None:
    rules = get_game(game)
    batch = GameBatch.from_states(positions(game))
    out = np.full((len(batch), rules.observation_size), np.nan, dtype=np.float32)
    assert batch.observe(out=out) is out
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= 4, "a network reads numbers of about one"


def test_resampling_what_the_mover_cannot_see_changes_nothing_it_sees(game: str) -> None:
    for seed, state in enumerate(positions(game)):
        other = state.determinize(seed)
        assert (other.observe() == state.observe()).all()
        assert other.legal_actions() == state.legal_actions()
        assert (other.to_move, other.ply, other.is_terminal) == (state.to_move, state.ply, state.is_terminal)
        assert other == state.determinize(seed)


def test_text_and_bytes_round_trip(game: str) -> None:
    for state in positions(game):
        assert State.parse(str(state), game=game) == state
        assert State(state.data, game) == state == pickle.loads(pickle.dumps(state)) == eval(repr(state))
        assert len(str(state).splitlines()) == 1
    packed = GameBatch.from_states(positions(game)).packed()
    assert (GameBatch.from_packed(packed, game=game).packed() == packed).all()
    for text in ("", " ", "x", "- - - -/- -/- 0", "\N{SUPERSCRIPT TWO} 0 0", None, 3):
        with pytest.raises(ValueError, match=r"^\w+: "):
            State.parse(text, game=game)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^packed: "):
        GameBatch.from_packed(packed[:, 1:], game=game)


def test_random_play_ends(game: str) -> None:
    batch = GameBatch(500, 3, game=game)
    batch.play_random()
    assert batch.is_terminal.all()
    assert batch.ply.max() <= get_game(game).max_plies
    assert {-1, 1} <= set(batch.outcomes().tolist())


def test_opponents_choose_legal_actions(game: str) -> None:
    batch = GameBatch.from_states(positions(game))
    legal, over = batch.legal_mask(), batch.is_terminal
    for name in get_game(game).opponents:
        chosen = batch.opponent_actions(name, 4)
        assert (chosen[over] == -1).all()
        assert legal[np.flatnonzero(~over), chosen[~over]].all(), name
        some = np.arange(0, len(batch), 3)
        assert (batch.opponent_actions(name, 4, rows=some) == chosen[some]).all()
        assert (batch.take(some).opponent_actions(name, 4) == chosen[some]).all()
    assert (batch.packed() == GameBatch.from_states(positions(game)).packed()).all()


def test_opponents_play_what_their_policy_says(game: str) -> None:
    """Fails if a policy is no distribution over legal actions, or gives what is played no chance."""
    batch = GameBatch.from_states(positions(game))
    legal, over = batch.legal_mask(), batch.is_terminal
    if game not in WITH_POLICY:
        with pytest.raises(ValueError, match=f"^name: {game} does not say how likely"):
            get_game(game).opponent_policy("random", positions(game)[0].data)
        return
    for name in get_game(game).opponents:
        policy = np.stack([get_game(game).opponent_policy(name, state.data) for state in positions(game)])
        assert np.abs(policy.sum(axis=1) - ~over).max() < 1e-5 and not policy[~legal].any() and (policy >= 0).all()
        assert (policy[np.flatnonzero(~over), batch.opponent_actions(name, 4)[~over]] > 0).all(), name


@pytest.mark.parametrize("threads", [1, 2])
def test_search_visits_legal_actions_and_all_its_simulations(game: str, threads: int) -> None:
    batch = GameBatch.from_states(positions(game))
    legal, over = batch.legal_mask(), batch.is_terminal
    found = search(batch, scrambled, 24, seed=2, threads=threads, dirichlet_fraction=0.25)
    assert (found.visit_counts.sum(axis=1) == np.where(over, 0, 24)).all()
    assert not found.visit_counts[~legal].any() and not found.policy[~legal].any()
    assert np.abs(found.policy.sum(axis=1) - ~over).max() < 1e-5
    assert (np.abs(found.value) <= 1).all()
    assert (batch.packed() == GameBatch.from_states(positions(game)).packed()).all()
    again = search(batch, scrambled, 24, seed=2, dirichlet_fraction=0.25)
    assert all((a == b).all() for a, b in zip(found, again, strict=True))


def test_the_exact_solver_agrees_with_itself_a_turn_later(game: str) -> None:
    """Fails if the value has the wrong sign, or a best action does not keep it."""

    def value(state: State, player: int) -> int:
        if state.is_terminal:
            return get_game(game).outcome(state.data, player)
        exact = solve_endgame(state)[0]
        return exact if state.to_move == player else -exact

    for state in positions(game):
        if state.is_terminal or not state.is_solvable:
            with pytest.raises(ValueError, match=r"^state: "):
                solve_endgame(state)
    # the first solvable position of each of many games; there may be none, and search then plays to the end
    batch = GameBatch(3000, 6, game=game)
    while (going := ~batch.is_terminal & ~batch.is_solvable).any():
        batch.step(np.where(going, batch.opponent_actions("random", 3), -1))
    rows = np.flatnonzero(~batch.is_terminal)[:100]
    if not len(rows):
        assert game not in SOLVED
        return
    seen = set()
    for state in map(batch.state, rows):
        exact, best = solve_endgame(state)
        after = {action: value(state.step(action), state.to_move) for action in state.legal_actions()}
        assert exact == max(after.values()) == after[best], str(state)
        seen.add(exact)
    assert {-1, 1} <= seen


def test_replay_encodes_what_it_was_given(game: str) -> None:
    batch = GameBatch.from_states([state for state in positions(game) if not state.is_terminal])
    legal = batch.legal_mask()
    policies = (legal / legal.sum(axis=1, keepdims=True)).astype(np.float32)
    outcomes = np.where(batch.to_move == 0, 1, -1).astype(np.int8)
    window = ReplayWindow(len(batch), game)
    window.add(GeneratedGames(batch.packed(), policies, outcomes))
    sample = window.sample(256, np.random.default_rng(1))
    assert {key: tuple(value.shape) for key, value in sample.items()} == {
        "observations": (256, batch.observation_size),
        "legal_mask": (256, batch.num_actions),
        "policy": (256, batch.num_actions),
        "outcome": (256,),
        "search_value": (256,),
    }
    rows = {row.tobytes(): k for k, row in enumerate(batch.observe())}
    at = [rows[row.numpy().tobytes()] for row in sample["observations"]]
    assert (sample["legal_mask"].numpy() == legal[at]).all()
    assert np.abs(sample["policy"].numpy() - policies[at]).max() < 1e-4
    again = ReplayWindow(len(batch), game)
    again.load_state_dict(window.state_dict())
    assert (again.sample(256, np.random.default_rng(1))["observations"] == sample["observations"]).all()
