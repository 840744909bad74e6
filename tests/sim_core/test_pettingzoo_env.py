"""The PettingZoo environment: PettingZoo's own tests, and that it is the engine's game."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest

from sim_core import Action, State

pytest.importorskip("pettingzoo")

from pettingzoo.test import api_test, seed_test

from sim_core.pettingzoo_env import AGENTS, BeastyBarEnv, env, raw_env

GAMES = ("beasty_bar", "beasty_bar_animals")


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("first_player", [0, 1])
@pytest.mark.parametrize("make", [env, raw_env])
def test_pettingzoo_s_api_test(make, game: str, first_player: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # it says that only arrays of three dimensions are images, and that values are mostly 0 and 1
        warnings.filterwarnings("ignore", message=".*(image|Observation|observation).*")
        api_test(make(game=game, first_player=first_player), num_cycles=200)


def test_pettingzoo_s_seed_test() -> None:
    seed_test(env, num_cycles=100)


@pytest.mark.parametrize("game", GAMES)
def test_it_is_the_engine_s_game(game: str) -> None:
    """Fails if a turn or a reward differs from the engine's. All three outcomes occur in 60 games."""
    table = raw_env(game=game, render_mode="ansi")
    choose = np.random.default_rng(1)
    outcomes = set()
    for number in range(60):
        table.reset(seed=number)
        state = State.parse(table.render(), game=game)
        total = dict.fromkeys(AGENTS, 0.0)
        for agent in table.agent_iter():
            observation, reward, over, cut, _ = table.last()
            total[agent] += reward
            assert not cut and over == state.is_terminal
            if over:
                assert not observation["action_mask"].any()
                table.step(None)
                continue
            assert AGENTS.index(agent) == state.to_move
            assert (observation["observation"] == state.observe()).all()
            legal = [action.id for action in state.legal_actions()]
            assert np.flatnonzero(observation["action_mask"]).tolist() == legal
            waiting = table.observe(AGENTS[1 - state.to_move])
            assert not waiting["observation"].any() and not waiting["action_mask"].any()
            action = int(choose.choice(legal))
            table.step(action)
            state = state.step(Action(action, game))
            assert table.render() == str(state)
        winner = state.winner()
        expected = [0.0, 0.0] if winner is None else [1.0 - 2 * winner, 2.0 * winner - 1]
        assert list(total.values()) == expected
        outcomes.add(winner)
    assert outcomes >= {0, 1} and (game != "beasty_bar" or None in outcomes)


def test_its_history_leads_from_the_deal_to_the_position() -> None:
    """Fails if a turn is missing, or one that was refused or of the game before is in it."""
    table = env(render_mode="ansi")
    for seed in (1, 2):
        table.reset(seed=seed)
        game = table.unwrapped
        assert game.history == () and game.position == State.initial(seed)
        for turns in range(1, 25):
            mask = table.observe(table.agent_selection)["action_mask"]
            if seed == 1 and (mask == 0).any():
                with pytest.raises(ValueError, match=r"^action: "):
                    game.step(int(mask.argmin()))
            before = game.history
            table.step(int(mask.argmax()))
            state, action = game.history[-1]
            assert len(game.history) == turns and game.history[:-1] == before
            assert action == Action(int(mask.argmax())) and state.step(action) == game.position
        table.step(None)
        assert len(game.history) == 24 and str(game.position) == table.render()


def test_seeds_deal() -> None:
    table = raw_env(render_mode="ansi")
    deals = []
    for seed in (1, 1, 2, None, None, 1, None):
        table.reset(seed=seed)
        deals.append(table.render())
    assert deals[0] == deals[1] == deals[5] and len(set(deals)) == 5
    assert deals[2] == str(State.initial(2)) and raw_env().render_mode is None


def test_wrong_arguments_are_refused_by_name() -> None:
    for name, options in (
        ("game", {"game": "connect_four"}),
        ("game", {"game": None}),
        ("first_player", {"first_player": 2}),
        ("render_mode", {"render_mode": "human"}),
    ):
        with pytest.raises(ValueError, match=f"^{name}: "):
            BeastyBarEnv(**options)
    table = raw_env()
    table.reset(seed=1)
    illegal = next(k for k, legal in enumerate(table.observe("player_0")["action_mask"]) if not legal)
    for action in (illegal, 33, -1, None):
        with pytest.raises(ValueError, match=r"^(action|id): "):
            table.step(action)
    assert table.agent_selection == "player_0"


def test_sim_core_imports_neither_pettingzoo_nor_gymnasium() -> None:
    code = "import sys, sim_core; raise SystemExit(bool({'pettingzoo', 'gymnasium'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
