"""Games in C: rules, batches of games, observations, search, exact endgames and built-in opponents.

Needs numpy alone. `State` and `Action` are values for reading and testing, `GameBatch` is for speed; both call the
one engine. Names without a game's name stand for Beasty Bar for two players.
"""

import sim_core.connect_four  # noqa: F401  registers the game
from sim_core.batch import GameBatch, c_state_to_python, select_random_action
from sim_core.beasty_bar.game import OBSERVATION_LAYOUT
from sim_core.beasty_bar.opponents import DEFAULT_OPPONENTS, OPPONENTS
from sim_core.beasty_bar.rules import ACTIONS, SPECIES
from sim_core.beliefs import Belief, Beliefs
from sim_core.game import games, get_game
from sim_core.game_record import GameRecord
from sim_core.protocols import AgentModel
from sim_core.runner import GameRunner
from sim_core.runner_settings import RunnerSettings
from sim_core.state import Action, State, solve_endgame
from sim_core.tree_search.ismcts import IsmctsResult, ismcts
from sim_core.tree_search.leaves import LeafBatch
from sim_core.tree_search.searcher import Searcher, SearchResult, search
from sim_core.tree_search.settings import SearchSettings
from sim_core.tree_search.trees import Trees

OBSERVATION_SIZE: int = get_game("beasty_bar").observation_size

__all__ = [
    "ACTIONS",
    "DEFAULT_OPPONENTS",
    "OBSERVATION_LAYOUT",
    "OBSERVATION_SIZE",
    "OPPONENTS",
    "SPECIES",
    "Action",
    "AgentModel",
    "Belief",
    "Beliefs",
    "GameBatch",
    "GameRecord",
    "GameRunner",
    "IsmctsResult",
    "LeafBatch",
    "RunnerSettings",
    "SearchResult",
    "SearchSettings",
    "Searcher",
    "State",
    "Trees",
    "c_state_to_python",
    "games",
    "get_game",
    "ismcts",
    "search",
    "select_random_action",
    "solve_endgame",
]
