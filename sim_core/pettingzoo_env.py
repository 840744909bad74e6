"""Offers Beasty Bar as a PettingZoo AEC environment. Only this module needs PettingZoo (extra ``pettingzoo``)."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pettingzoo import AECEnv
from pettingzoo.utils import wrappers

from sim_core.game import get_game
from sim_core.state import Action, State

AGENTS = ["player_0", "player_1"]
Observation = dict[str, NDArray[Any]]


class BeastyBarEnv(AECEnv):  # type: ignore[misc]  # PettingZoo has no types
    """Plays one game of Beasty Bar. The agents "player_0" and "player_1" take turns.

    An observation is ``{"observation": float32 [186], "action_mask": int8 [33]}``: what the player to move may know
    (`sim_core.OBSERVATION_LAYOUT`), and which actions are legal, by id. `observe` returns zeros for the agent who is
    not to move, because an observation is written from the mover's view. Rewards are 0 until the game ends, then +1
    and -1, or 0 for a draw.

    Args:
        game: Game to play: "beasty_bar" (scored by points) or "beasty_bar_animals".
        first_player: Player who begins, 0 or 1.
        render_mode: "ansi" makes `render` return the position in the project's notation. None: nothing is rendered.

    Raises:
        ValueError: Names the argument, the value and what would be right.
    """

    metadata = {"name": "beasty_bar_v1", "render_modes": ["ansi"], "is_parallelizable": False, "render_fps": 1}  # noqa: RUF012

    def __init__(self, game: str = "beasty_bar", first_player: int = 0, render_mode: str | None = None) -> None:
        super().__init__()
        if not isinstance(game, str) or not game.startswith("beasty_bar"):
            raise ValueError(f"game: {game!r} given, expected beasty_bar or beasty_bar_animals")
        if first_player not in (0, 1):
            raise ValueError(f"first_player: {first_player!r} given, expected 0 or 1")
        if render_mode not in (None, "ansi"):
            raise ValueError(f"render_mode: {render_mode!r} given, expected 'ansi' or None")
        rules = get_game(game)
        self.game = game
        self.first_player = first_player
        self.render_mode = render_mode
        self.possible_agents = AGENTS[:]
        self.agents: list[str] = []
        self.observation_spaces = {
            agent: spaces.Dict(
                {
                    # a lead is at most 36 points, in units of 12
                    "observation": spaces.Box(-3.0, 3.0, (rules.observation_size,), np.float32),
                    "action_mask": spaces.Box(0, 1, (rules.num_actions,), np.int8),
                }
            )
            for agent in AGENTS
        }
        self.action_spaces = {agent: spaces.Discrete(rules.num_actions) for agent in AGENTS}
        self._random = np.random.default_rng()

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Deals a new game.

        Args:
            seed: Seed of the deal, as in ``State.initial(seed)``. None: the next deal that follows from the last seed.
            options: Ignored. PettingZoo's interface has it.
        """
        deal = int(self._random.integers(2**63)) if seed is None else seed
        self._position = State.initial(deal, self.first_player, game=self.game)
        self._turns: list[tuple[State, Action]] = []
        if seed is not None:
            self._random = np.random.default_rng(seed)
        self.agents = AGENTS[:]
        self.rewards = dict.fromkeys(AGENTS, 0.0)
        self._cumulative_rewards = dict.fromkeys(AGENTS, 0.0)
        self.terminations = dict.fromkeys(AGENTS, False)
        self.truncations = dict.fromkeys(AGENTS, False)
        self.infos: dict[str, dict[str, Any]] = {agent: {} for agent in AGENTS}
        self.agent_selection = AGENTS[self._position.to_move]

    @property
    def history(self) -> tuple[tuple[State, Action], ...]:
        """Returns what was played so far, from the first turn on: each turn's position, and the action taken there.

        The positions hold both hands and both decks: an agent that is to play fair reads only what it could see, as
        `lit_trainer.load_agent`'s do.
        """
        return tuple(self._turns)

    @property
    def position(self) -> State:
        """Returns the position, with both hands and both decks."""
        return self._position

    def observe(self, agent: str) -> Observation:
        rules = get_game(self.game)
        mask = np.zeros(rules.num_actions, dtype=np.int8)
        if agent != AGENTS[self._position.to_move]:
            return {"observation": np.zeros(rules.observation_size, dtype=np.float32), "action_mask": mask}
        mask[[action.id for action in self._position.legal_actions()]] = 1
        return {"observation": self._position.observe(), "action_mask": mask}

    def step(self, action: int | None) -> None:
        """Plays an action for the agent whose turn it is.

        Args:
            action: Id of the action. None where the game is over for that agent.

        Raises:
            ValueError: The action is not legal.
        """
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        if action is None:
            raise ValueError(f"action: None given, but the game is not over for {agent}")
        taken = Action(action, self.game)
        following = self._position.step(taken)
        self._turns.append((self._position, taken))
        self._position = following
        self._cumulative_rewards[agent] = 0.0
        if self._position.is_terminal:
            winner = self._position.winner()
            for player, name in enumerate(AGENTS):
                self.rewards[name] = 0.0 if winner is None else 1.0 if winner == player else -1.0
                self.terminations[name] = True
        self.agent_selection = AGENTS[self._position.to_move]
        self._accumulate_rewards()

    def render(self) -> str | None:
        """Returns the position in the project's notation. None without a render mode."""
        return str(self._position) if self.render_mode == "ansi" else None

    def close(self) -> None:
        pass


def raw_env(**options: Any) -> BeastyBarEnv:
    """Returns the environment without wrappers, a `BeastyBarEnv` with these arguments."""
    return BeastyBarEnv(**options)


def env(**options: Any) -> Any:
    """Returns a `BeastyBarEnv` with these arguments, in PettingZoo's wrapper that checks the order of calls."""
    return wrappers.OrderEnforcingWrapper(BeastyBarEnv(**options))
