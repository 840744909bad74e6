"""What was played so far, told to agents: used where it says something, checked by turn, and with nothing leaked."""

from __future__ import annotations

import copy
import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from support.agent_models import Broken, Same
from torch import nn

from lit_trainer import IsmctsAgent, NetworkAgent, ResidualMLP, load_agent
from lit_trainer.measuring.matches import play_match
from lit_trainer.networks.evaluators import TorchEvaluator
from lit_trainer.players.engine_players import BuiltinPlayer
from lit_trainer.players.histories import beliefs_of
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.self_play.lanes import runner_settings
from sim_core import Action, Belief, GameBatch, State, get_game

GAME = get_game("beasty_bar")
Turns = list[tuple[State, Action]]


def taught(condition: Literal["none", "opponent", "belief"]) -> ResidualMLP:
    """Returns a network of random weights, those of the condition among them."""
    torch.manual_seed(1)
    network = ResidualMLP(width=32, blocks=1, condition=condition)
    if network.condition_layer is not None:
        nn.init.normal_(network.condition_layer.weight, std=3.0)
    return network


def played(name: str, seed: int, plies: int, game: str = "beasty_bar") -> tuple[State, Turns]:
    """Plays with `name` against a random player, who is to move in the last position."""
    rules, rng = get_game(game), random.Random(seed)
    state = State.initial(seed, plies % 2, game=game)
    turns: Turns = []
    while len(turns) < plies:
        policy = rules.opponent_policy(name if state.to_move else "random", state.data)
        turns.append((state, Action(rng.choices(range(len(policy)), policy.tolist())[0], game)))
        state = state.step(turns[-1][1])
    assert state.to_move == 0
    return state, turns


@cache
def games(name: str = "skunk") -> tuple[list[State], list[Turns]]:
    """Returns positions of plies 1 to 22, and what was played before each."""
    states, histories = zip(*(played(name, seed, 1 + seed % 22) for seed in range(66)), strict=True)
    return list(states), list(histories)


def redealt(state: State, seed: int) -> State:
    """Returns a position with what player 0 cannot see of it dealt anew."""
    hands = GAME.hidden_hands(state.data, 1)
    return State(GAME.deal_hand(state.data, 1, int(hands[(7 * seed + state.ply) % len(hands)]), seed))


AGENTS = [
    ("belief", 0, "skunk"),
    ("belief", 8, "skunk"),
    ("none", 8, "skunk"),
    ("belief", 0, "infer"),
    ("belief", 8, "infer"),
]


@pytest.mark.parametrize(("condition", "simulations", "opponent"), AGENTS)
def test_what_was_played_changes_choices_but_hidden_cards_do_not(
    condition: Any, simulations: int, opponent: str
) -> None:
    states, histories = games()
    agent = NetworkAgent(taught(condition), simulations, 3, opponent=opponent)
    chosen = agent.select_actions(states, histories)
    assert chosen != agent.select_actions(states)
    for seed in (1, 2):
        others = [redealt(state, seed) for state in states]
        told = [[(redealt(state, seed + 1), action) for state, action in turns] for turns in histories]
        assert sum(a != b for a, b in zip(others, states, strict=True)) > 30
        assert agent.select_actions(others, told) == chosen


def test_an_agent_in_python_is_expected_as_the_built_in_one_that_it_copies() -> None:
    """Fails if histories say nothing of it, if the network is told of it, or if its rule is not searched with."""
    states, histories = (part[::6] for part in games("random"))
    for condition, simulations in (("none", 8), ("belief", 0)):
        network = taught(condition)
        mine = NetworkAgent(network, simulations, 3, opponent=Same("random")).select_actions(states, histories)
        name = "random" if simulations else None
        assert mine == NetworkAgent(network, simulations, 3, opponent=name).select_actions(states, histories)
        assert mine != NetworkAgent(network, simulations, 3, opponent="skunk").select_actions(states, histories)
    agent = NetworkAgent(taught("belief"), 4, opponent=Broken(lambda legal: None, 0))
    with pytest.raises(ValueError, match=r"^opponent mine: action_probabilities returned None of type NoneType at '"):
        agent.select_actions(states, histories)
    with pytest.raises(ValueError, match=r"^opponent_model: .* given, expected a name; 'told' expects such an agent"):
        runner_settings(agent._player)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize(("condition", "simulations", "opponent"), AGENTS)
def test_many_histories_at_once_are_the_same_as_one_by_one(
    condition: Any, simulations: int, opponent: str, temperature: float
) -> None:
    """Fails if a belief is another game's; for copies and threads, too."""
    states, histories = games()
    agent = NetworkAgent(taught(condition), simulations, 3, temperature, opponent=opponent)
    copies = [copy.deepcopy(agent), pickle.loads(pickle.dumps(agent))]
    chosen = agent.select_actions(states, histories)
    for other in copies:
        one_by_one = [other.select_action(s, s.legal_actions(), h) for s, h in zip(states, histories, strict=True)]
        assert one_by_one == chosen
    if temperature == 0.0:
        with ThreadPoolExecutor(8) as pool:
            turns = zip(states, histories, strict=True)
            assert list(pool.map(lambda turn: agent.select_actions([turn[0]], [turn[1]])[0], turns)) == chosen
        assert agent.select_actions(states[:9], [*histories[:4], (), *histories[5:9]])[:4] == chosen[:4]


def test_the_network_is_told_what_a_run_of_games_tells_it() -> None:
    """Fails if a condition or a belief is not the runner's: its games and the agent's end alike."""
    network, name, count = taught("belief"), "online", 24
    player = NetworkPlayer(TorchEvaluator(network), simulations=0, temperature=0, seed=1, opponent_model=name)
    expected = play_match(player, BuiltinPlayer(name, 7), count, game="beasty_bar", seed=5)
    agent = NetworkAgent(network, opponent=name)
    numbers, seats = np.arange(count) // 2, np.arange(count) % 2
    states = [State(GAME.initial(5, int(k % 2), int(k))) for k in numbers]
    turns: list[Turns] = [[] for _ in states]
    for _ in range(24):
        theirs = GameBatch.from_states(states, streams=numbers).opponent_actions(name, 7)
        for k, state in enumerate(states):
            mine = state.to_move == seats[k]
            turns[k].append(
                (state, agent.select_action(state, state.legal_actions(), turns[k]) if mine else Action(theirs[k]))
            )
            states[k] = state.step(turns[k][-1][1])
    scores = [state.scores() for state in states]
    margins = [score[seat] - score[1 - seat] for score, seat in zip(scores, seats, strict=True)]
    assert margins == expected.margins.tolist()


def test_where_the_opponent_would_not_have_played_so_it_is_expected_no_longer() -> None:
    states, histories = games("random")
    told = beliefs_of("distilled_outcome", states, histories)
    assert told is not None
    lost = [k for k, belief in enumerate(told.games) if belief.is_lost]
    assert 20 < len(lost) < len(states)
    network = taught("opponent")
    untold = NetworkAgent(network).select_actions(states)
    chosen = NetworkAgent(network, opponent="distilled_outcome").select_actions(states, histories)
    assert [chosen[k] for k in lost] == [untold[k] for k in lost]
    assert chosen != untold
    searching = NetworkAgent(network, 8, opponent="distilled_outcome")
    assert all(a in s.legal_actions() for a, s in zip(searching.select_actions(states, histories), states, strict=True))


def test_who_infers_takes_nobody_known_for_one_that_plays_as_its_network_does() -> None:
    """Fails if the opinion is another turn's or another action's."""
    states, histories = games("online")
    player = NetworkPlayer(TorchEvaluator(taught("none")), simulations=0, temperature=0, seed=1, opponent_model="infer")
    found = player.believe(states, histories)
    assert found is not None
    named = [belief.opponent_probabilities()["online"] for belief in found.games]
    turns = [sum(before.to_move for before, _ in history) for history in histories]
    assert np.mean([p for p, k in zip(named, turns, strict=True) if k > 8]) > 0.3
    assert np.max([p for p, k in zip(named, turns, strict=True) if k < 2]) < 0.2
    # by hand, for those with few turns left
    compared = 0
    for state, history, belief in zip(states, histories, found.games, strict=True):
        own = Belief("beasty_bar", history[0][0].data, 0, (*GAME.opponents, None), 0.01)
        for turn, (before, action) in enumerate(history):
            other = None
            if before.to_move:
                imagined = [State(data) for data in own.imagine(before.data, action.id, turn)]
                shares = player.policy(GameBatch.from_states(imagined))[:, action.id]
                other = np.mean(
                    [0.9 * share + 0.1 / len(one.legal_actions()) for share, one in zip(shares, imagined, strict=True)]
                )
            own.observe(before.data, action.id, other)
        assert own.opponent_probabilities() == pytest.approx(belief.opponent_probabilities(), abs=1e-6)
        compared += state.ply > 4
    assert compared > 40


def inferring(known: Any, condition: Any = "belief") -> NetworkPlayer:
    """Returns a player that tells some opponents apart."""
    return NetworkPlayer(
        TorchEvaluator(taught(condition)), simulations=4, temperature=0, seed=1, opponent_model="infer",
        known_opponents=known,
    )  # fmt: skip


def test_only_known_opponents_are_believed_in() -> None:
    states, histories = games("online")
    found = inferring(("skunk", "online")).believe(states, histories)
    assert found is not None
    # in the game's order, whatever the names' order is
    assert list(found.games[0].opponent_probabilities()) == ["skunk", "online", None]
    batch, chosen = GameBatch.from_states(states), []
    for known in (("skunk", "online"), ["online", "skunk"], None, GAME.opponents[::-1], ("random",)):
        chosen.append(inferring(known).act_after(batch, histories).actions.tolist())
    assert chosen[0] == chosen[1] != chosen[2] == chosen[3] != chosen[4]


def test_where_nobody_is_known_nothing_is_concluded() -> None:
    states, histories = games("online")
    batch, player = GameBatch.from_states(states), inferring(())
    assert player.believe(states, histories) is None
    plain = NetworkPlayer(TorchEvaluator(taught("belief")), simulations=4, temperature=0, seed=1)
    expected = plain.act(batch)
    for found in (player.act_after(batch, histories), player.act(batch)):
        assert np.array_equal(found.actions, expected.actions) and np.array_equal(found.policy, expected.policy)  # type: ignore[arg-type]


def test_an_unknown_known_opponent_is_named() -> None:
    states, histories = games()
    with pytest.raises(ValueError, match=r"^known_opponents: 'tactical' given, expected a list of some of random, "):
        inferring(("skunk", "tactical")).believe(states, histories)


def test_in_a_match_the_same_opponents_are_told_apart() -> None:
    """Fails if the engine's lanes know others than the player itself."""
    plain = NetworkPlayer(TorchEvaluator(taught("belief")), simulations=4, temperature=0, seed=1)
    players = [plain, inferring(()), inferring(None), inferring(GAME.opponents), inferring(("skunk", "online"))]
    keys = [play_match(p, BuiltinPlayer("online", 7), 24, game="beasty_bar", seed=5).keys.tolist() for p in players]
    assert keys[0] == keys[1] != keys[2] == keys[3] != keys[4]


def test_from_either_side_of_a_match_a_player_infers_alike() -> None:
    """Fails if a player that is not the learner is not told what was played, so that it believes nothing."""
    network, count = taught("belief"), 24
    asked: list[tuple[int, int]] = []

    class Noting(NetworkPlayer):
        def believe(self, states: Any, histories: Any = None, field: str = "histories") -> Any:
            asked.extend((state.ply, len(history)) for state, history in zip(states, histories, strict=True))
            return super().believe(states, histories, field)

    outside = Noting(TorchEvaluator(network), simulations=4, temperature=0, seed=1, opponent_model="infer")
    other = NetworkPlayer(TorchEvaluator(taught("none")), simulations=0, temperature=0, seed=2)
    play_match(other, outside, count, game="beasty_bar", seed=5)
    assert len(asked) > 12 * count - count and all(ply == turns for ply, turns in asked)
    asked.clear()
    play_match(other, outside, count, game="beasty_bar", seed=5, opening_plies=2)
    assert asked and not any(turns for _, turns in asked)


def test_without_a_history_every_hand_is_as_likely() -> None:
    states, histories = games()
    for told in (beliefs_of("skunk", states, None), beliefs_of("skunk", states, [()] * len(states))):
        assert told is not None
        for belief in told.games:
            assert np.ptp(belief.hands()[1]) == 0 and not belief.is_lost
    told = beliefs_of("skunk", states, histories)
    assert told is not None and max(np.ptp(belief.hands()[1]) for belief in told.games) > 0.1


def wrong_histories() -> dict[str, tuple[Turns, str]]:
    _, turns = played("skunk", 3, 9)
    _, others = played("skunk", 25, 9)
    mine = GAME.determinize(others[1][0].data, 1)
    illegal = next(k for k in range(33) if k not in GAME.legal_actions(turns[1][0].data))
    gone = next(k for k in range(33) if not GAME.hand_likelihoods("random", turns[8][0].data, k).any())
    swapped = [*turns[:4], (turns[4][0], turns[6][1]), *turns[5:]]
    return {
        "a gap": (turns[:3] + turns[4:], r"turn 4: missing, what follows is turn 5"),
        "no deal": (turns[1:], r"turn 1: missing, what follows is turn 2"),
        "an early end": (turns[:-2], r"turn 8: missing, the position asked about is that of turn 10"),
        "a late end": (
            [*turns, *played("skunk", 3, 11)[1][9:]],
            r"turn 10: given, but it was not played yet, the position",
        ),
        "twice": ([*turns[:3], turns[2], *turns[4:]], r"turn 4: missing, what follows is turn 3"),
        "another action": (swapped, rf"turn 5: {turns[6][1]} does not lead to the position of turn 6"),
        "another game": ([*turns[:5], *others[5:]], r"turn 5: \S+ does not lead to the position of turn 6"),
        "another deal": ([others[0], *turns[1:]], r"turn 1: \S+ does not lead to the position of turn 2"),
        "another own hand": ([turns[0], (State(mine), turns[1][1]), *turns[2:]], r"turn 1: \S+ does not lead to the"),
        "a card not in hand": ([turns[0], (turns[1][0], Action(illegal)), *turns[2:]], r"turn 2: \S+ does not lead"),
        "a card that is gone": ([*turns[:8], (turns[8][0], Action(gone))], r"turn 9: \S+ does not lead to"),
        "ids": ([(turns[0][0], turns[0][1].id), *turns[1:]], r"turn 1: \(.*\) given, expected a State and an Action"),  # type: ignore[list-item]
        "alone": ([turns[0][0], *turns[1:]], r"turn 1: State.* given, expected a State and an Action"),  # type: ignore[list-item]
        "of animals": (
            [(State.initial(1, game="beasty_bar_animals"), turns[0][1]), *turns[1:]],
            r"turn 1: State\.parse.* given, expected beasty_bar",
        ),
    }


@pytest.mark.parametrize("wrong", wrong_histories())
def test_a_gap_or_a_contradiction_names_the_turn(wrong: str) -> None:
    turns, says = wrong_histories()[wrong]
    state, right = played("skunk", 3, 9)
    agent = NetworkAgent(taught("none"), opponent="skunk")
    with pytest.raises(ValueError, match=rf"^history: {says}"):
        agent.select_action(state, state.legal_actions(), turns)
    with pytest.raises(ValueError, match=rf"^histories\[1\]: {says}"):
        agent.select_actions([state, state], [right, turns])


def test_there_is_one_history_for_each_position() -> None:
    state, turns = played("skunk", 3, 9)
    with pytest.raises(ValueError, match=r"^histories: 1 given, expected 2, one for each position$"):
        NetworkAgent(taught("none"), opponent="skunk").select_actions([state, state], [turns])


def test_games_without_hidden_cards_are_followed_openly() -> None:
    game = "connect_four"
    torch.manual_seed(1)
    network = ResidualMLP(game, 16, 0)
    state, turns = played("tactical", 3, 9, game)
    assert beliefs_of("tactical", [state], [turns]) is None
    agent = NetworkAgent(network, 16, opponent="tactical")
    assert agent.select_action(state, state.legal_actions(), turns) == agent.select_actions([state])[0]
    other = next(action for action in turns[3][0].legal_actions() if action != turns[3][1])
    with pytest.raises(ValueError, match=rf"^history: turn 4: {other} does not lead to the position of turn 5$"):
        agent.select_action(state, state.legal_actions(), [*turns[:3], (turns[3][0], other), *turns[4:]])


@pytest.mark.parametrize("opponent", ["told", "none", "tactical", "", 3])
def test_opponents_that_nobody_knows_are_refused(opponent: Any, checkpoint_path: Path) -> None:
    makers = [lambda: load_agent(checkpoint_path, opponent=opponent)]
    if opponent != "tactical":
        makers.append(lambda: IsmctsAgent(5, opponent=opponent))  # type: ignore[arg-type, return-value]
    for make in makers:
        with pytest.raises(
            ValueError, match=rf"^opponent: {opponent!r} given, expected None or one of random, heuristic"
        ):
            make()


def test_tree_search_without_a_network_expects_an_opponent() -> None:
    states = games()[0]
    agents = [IsmctsAgent(60, 3), IsmctsAgent(60, 3, "skunk"), IsmctsAgent(60, 3, opponent="random")]
    chosen = [[agent.select_action(state, state.legal_actions()) for state in states] for agent in agents]
    assert len(set(map(tuple, chosen))) == 3


@pytest.mark.slow
def test_who_knows_its_opponent_scores_higher() -> None:
    """Fails if the model does not reach the search: over many deals that is worth about 4 percent."""
    path = Path(__file__).parents[3] / "checkpoints" / "iter600.ckpt"
    name, count = "distilled_outcome", 300
    seats = np.arange(count) % 2

    def score(agent: NetworkAgent) -> float:
        states = [State.initial(9000 + k // 2) for k in range(count)]
        turns: list[Turns] = [[] for _ in states]
        for _ in range(24):
            theirs = GameBatch.from_states(states, streams=range(count)).opponent_actions(name, 7)
            actions = [Action(int(k)) for k in theirs]
            mine = [k for k in range(count) if states[k].to_move == seats[k]]
            chosen = agent.select_actions([states[k] for k in mine], [turns[k] for k in mine])
            for k, action in zip(mine, chosen, strict=True):
                actions[k] = action
            for k, action in enumerate(actions):
                turns[k].append((states[k], action))
                states[k] = states[k].step(action)
        winners = [state.winner() for state in states]
        return float(np.mean([0.5 if w is None else float(w == s) for w, s in zip(winners, seats, strict=True)]))

    assert score(load_agent(path, 16, opponent=name)) > score(load_agent(path, 16)) + 0.02
