"""Writes what pages show of the engine's tables: `python docs/generate.py`.

That is docs/observation.md, and the table of opponents in docs/opponents.md.
"""

from __future__ import annotations

from pathlib import Path

from sim_core import games, get_game
from sim_core.beasty_bar.opponents import TABLE

PAGE = Path(__file__).with_name("observation.md")
OPPONENTS_PAGE = Path(__file__).with_name("opponents.md")
OPPONENTS_HEAD = "| name | score of an action |\n|---|---|\n"
HEAD = """# Observations

What the player to move may know, as float32 numbers: `batch.observe()` is an array [n, size], `state.observe()` one row
of it. It is written from the mover's point of view: "own" is the mover's, "other" the opponent's. What the mover cannot
see changes none of it, and neither does exchanging the two players.

`docs/generate.py` writes this page from the tables by which the games write their observations,
`get_game(name).observation_layout`. An "x / 36" is x divided by 36, so that a network reads numbers of about one. Cards
and stones are 0 or 1; a place of the line, a hand, a deck or a bar has twelve numbers a player, an animal each, the
strongest first.
"""


def observation_page() -> str:
    """The page: a section for each layout, naming the games that share it."""
    sharing: dict[tuple[tuple[str, int], ...], list[str]] = {}
    for name in games():
        sharing.setdefault(get_game(name).observation_layout, []).append(name)
    parts = [HEAD]
    for layout, names in sharing.items():
        rules = get_game(names[0])
        parts.append(f"## {', '.join(f'`{name}`' for name in names)}\n")
        parts.append(f"{rules.observation_size} numbers, version {rules.observation_version} of the layout.\n")
        rows = ["| offset | size | meaning |", "|---:|---:|---|"]
        offset = 0
        for meaning, size in layout:
            rows.append(f"| {offset} | {size} | {meaning} |")
            offset += size
        parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


def opponents_page() -> str:
    """Returns docs/opponents.md with its table of opponents written anew; all else stays as it is."""
    before, head, rest = OPPONENTS_PAGE.read_text().partition(OPPONENTS_HEAD)
    _, blank, after = rest.partition("\n\n")
    rows = [f"| `{row.name}` | {row.scoring} |" for row in TABLE]
    return before + head + "\n".join(rows) + blank + after


if __name__ == "__main__":
    PAGE.write_text(observation_page())
    OPPONENTS_PAGE.write_text(opponents_page())
