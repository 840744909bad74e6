"""Writes whole games as text, ply by ply: ``python -m tests.support.make_playthroughs`` renews tests/playthroughs/.

A test plays each game again from its seed and compares. So a change of the rules, the streams, the opponents or the
notation shows as a readable difference. Run it only after such a change on purpose.
"""

from __future__ import annotations

from pathlib import Path

from sim_core import GameBatch, State

FOLDER = Path(__file__).parents[1] / "playthroughs"
# name of the file: seed, who begins, player 0, player 1; the seeds are chosen so that every action occurs
GAMES: dict[str, tuple[int, int, str, str]] = {
    "random_random": (799, 0, "random", "random"),
    "heuristic_random": (374, 1, "heuristic", "random"),
    "skunk_queue": (342, 0, "skunk", "queue"),
    "aggressive_defensive": (5, 1, "aggressive", "defensive"),
    "noisy_online": (0, 0, "noisy", "online"),
    "outcome_heuristic_random": (124, 1, "outcome_heuristic", "random"),
    "random_distilled_outcome": (26, 0, "random", "distilled_outcome"),
    "online_random": (0, 1, "online", "random"),
}


def play(name: str) -> str:
    """Returns the text of a game."""
    seed, first_player, *players = GAMES[name]
    batch = GameBatch(1, seed, first_player=first_player)
    lines = [f"# seed {seed}, player {first_player} begins; player 0 is {players[0]}, player 1 is {players[1]}"]
    while not batch.is_terminal[0]:
        state = batch.state(0)
        chosen = int(batch.opponent_actions(players[state.to_move], seed)[0])
        legal = state.legal_actions()
        action = next(action for action in legal if action.id == chosen)
        lines += [
            "",
            str(state),
            f"  legal: {' '.join(map(str, legal))}",
            f"  player {state.to_move} ({players[state.to_move]}): {action}",
        ]
        batch.step([chosen])
        lines.append("  points {} : {}, animals {} : {}".format(*_scores(batch.state(0))))
    end = batch.state(0)
    lines += ["", str(end), "  legal: none, the game is over"]
    for scoring in ("points", "animals"):
        winner = end.winner(scoring)
        result = "draw" if winner is None else f"player {winner} wins"
        lines.append("  by {}: {} : {}, {}".format(scoring, *end.scores(scoring), result))
    return "\n".join(lines) + "\n"


def _scores(state: State) -> tuple[int, ...]:
    return *state.scores("points"), *state.scores("animals")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.txt"):
        path.unlink()
    for name in GAMES:
        (FOLDER / f"{name}.txt").write_text(play(name))


if __name__ == "__main__":
    main()
