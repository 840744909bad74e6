"""Writes a report on a trained agent: the command `lit-trainer report`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lit_trainer.checkpoints.reader import Checkpoint
from lit_trainer.measuring.agent_analysis import annotated_game, calibration_errors, holding_worth, play_shares, think
from lit_trainer.networks.evaluators import make_evaluator
from lit_trainer.players.network_player import NetworkPlayer
from lit_trainer.players.roster import Roster
from lit_trainer.reporting.agent_report import animals_picture, by_animal, calibration_picture, game_as_markdown
from lit_trainer.utils.files import save_figure, write_json, write_text
from sim_core import get_game
from sim_core.runner_settings import check_opponent_model

ANIMALS, CALIBRATION, GAMES, FACTS = FILES = ("animals.png", "calibration.png", "games.md", "report.json")


def report(
    ckpt_path: str,
    out: str = "report",
    simulations: int = 64,
    games: int = 2000,
    opponents: Sequence[str] = ("outcome_heuristic", "ismcts:5000", "itself"),
    opponent_model: str = "none",
    seed: int = 1,
    threads: int = 2,
) -> None:
    """Writes calibration and animals as pictures, numbers as JSON, and one annotated game against each opponent.

    Args:
        ckpt_path: Checkpoint of the agent.
        out: Folder to write to.
        simulations: Simulations per move. The judge of the annotated games searches 16 times as many.
        games: Games of the agent against itself, for the pictures.
        opponents: Opponents of the annotated games: itself, a built-in opponent, ismcts:N, FILE.ckpt@SIMULATIONS, a
            run's folder, or package.module.Agent(argument=value).
        opponent_model: What the agent expects of the other side in the annotated games: none, told (it knows which
            built-in opponent it plays), infer, or a built-in opponent. The games then show what it believes.
        seed: Random seed. The same seed gives the same report.
        threads: Threads in all.

    Raises:
        FileExistsError: The folder holds a report already.
        FileNotFoundError: There is no such checkpoint.
        ValueError: The checkpoint is damaged, or an opponent or what to expect of it is unknown.
    """
    folder = Path(out)
    for file_name in FILES:
        if (folder / file_name).exists():
            raise FileExistsError(f"out: {str(folder / file_name)!r} exists already; expected a folder without it")
    checkpoint = Checkpoint.read(ckpt_path)
    network = checkpoint.network
    check_opponent_model(opponent_model, get_game(network.game))
    others = Roster()
    names_of = {name: others.enlist([name], "opponents", network.game)[0] for name in opponents if name != "itself"}
    folder.mkdir(parents=True, exist_ok=True)

    def player(searches: int, expects: str = "none") -> NetworkPlayer:
        return NetworkPlayer(
            make_evaluator(network, "torch"),
            simulations=searches,
            temperature=0.0,
            seed=seed,
            threads=threads,
            opponent_model=expects,
        )

    # at temperature 0 a deal is always played in the same way, but each game has another deal
    thoughts = think(player(simulations), games, seed, network.game)
    save_figure(folder / ANIMALS, animals_picture(thoughts))
    save_figure(folder / CALIBRATION, calibration_picture(thoughts))
    facts: dict[str, Any] = {
        "iteration": checkpoint.iteration,
        "simulations": simulations,
        "games": games,
        "calibration": calibration_errors(thoughts),
        "played_when_held": by_animal(play_shares(thoughts)),
        "worth_of_holding": by_animal(holding_worth(thoughts)),
        "first_player_score": float((thoughts.outcomes[:games] * 0.5 + 0.5).mean()),
    }
    text = []
    for number, name in enumerate(opponents):
        expects = opponent_model
        if opponent_model == "told":
            expects = name if name in get_game(network.game).opponents else "none"
        agent = player(simulations, expects)
        other = agent if name == "itself" else others[names_of[name]].player(seed, threads)
        sides, names = [agent, other], ["agent", name if name != "itself" else "agent, second seat"]
        judges = [player(16 * simulations, expects), player(16 * simulations)]
        if number % 2:
            sides, names, judges = sides[::-1], names[::-1], judges[::-1]
        turns = annotated_game(sides, names, judges, seed + number, network.game)
        text.append(f"## Against {name}\n\n{game_as_markdown(turns)}")
    write_text(folder / GAMES, "\n".join(text))
    write_json(folder / FACTS, facts)
