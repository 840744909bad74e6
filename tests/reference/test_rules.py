"""Checks the plain-Python reference by the worked turns, and by what must hold in every game."""

from __future__ import annotations

import random
import re
from dataclasses import astuple
from pathlib import Path

import pytest
from reference import rules as reference
from reference.opponents import OUTCOME

TESTS = Path(__file__).parents[1]
DOCS = TESTS.parent / "docs"
VECTORS = [
    line.split("\t")
    for line in (TESTS / "data" / "rules_vectors.tsv").read_text().splitlines()
    if not line.startswith("#")
]


def test_there_are_62_worked_turns() -> None:
    assert len(VECTORS) == 62


@pytest.mark.parametrize(("name", "before", "action", "after"), VECTORS, ids=[row[0] for row in VECTORS])
def test_worked_turn(name: str, before: str, action: str, after: str) -> None:
    position = reference.parse(before)
    assert reference.format(position) == before
    assert action in reference.legal_actions(position)
    assert reference.format(reference.step(position, action)) == after


def test_random_games_keep_24_cards_and_take_24_turns() -> None:
    rng = random.Random(1)
    for _ in range(40):
        first = rng.randrange(2)
        position = reference.random_deal(rng, first)
        for ply in range(24):
            assert (position.ply, position.to_move) == (ply, (first + ply) % 2)
            assert reference.parse(reference.format(position)) == position
            position = reference.step(position, rng.choice(reference.legal_actions(position)))
            zones = [position.queue, position.bar, position.thatsit, *position.hands, *position.decks]
            assert sorted(card for zone in zones for card in zone) == sorted(reference.CARDS)
        assert reference.is_terminal(position)
        assert reference.legal_actions(position) == []


def test_winner_by_points_and_by_animals() -> None:
    # 4 + 2 points against 2 + 3 + 2; two animals against three.
    position = reference.parse("- UHlcs - -/- -/- 0 24")
    assert reference.scores(position) == (6, 7)
    assert reference.scores(position, "animals") == (2, 3)
    assert reference.winner(position) == 1
    assert reference.winner(position, "animals") == 1
    # As many animals: the lower sum of strengths wins, 1 + 11 against 12 + 9.
    assert reference.winner(reference.parse("- UHls - -/- -/- 0 24"), "animals") == 0
    # Equal in animals and strength (11 + 1 against 10 + 2), not in points (6 against 7).
    even = reference.parse("- HUcp - -/- -/- 0 24")
    assert reference.winner(even, "animals") is None
    assert reference.winner(even) == 1
    with pytest.raises(ValueError, match="scoring"):
        reference.scores(even, "strength")


def test_minimax_endgame_on_positions_read_by_hand() -> None:
    # Nothing more can enter the bar, so the bar decides.
    assert reference.minimax_endgame(reference.parse("- U l K/- -/- 0 23")) == 1
    assert reference.minimax_endgame(reference.parse("- U l -/k -/- 1 23")) == -1
    # The fifth animal: over two it enters the bar at once (4 + 2 against 3 + 2), over one it does not.
    position = reference.parse("CHlm - - -/k -/- 1 23")
    assert {a: reference.format(reference.step(position, a)) for a in reference.legal_actions(position)} == {
        "K1": "lk HC m -/- -/- 0 24",
        "K2": "kl HC m -/- -/- 0 24",
    }
    position = reference.parse("HlmP - - K/- -/- 0 23")  # H and l enter: 2 against 2
    assert reference.minimax_endgame(position) == 0
    with pytest.raises(ValueError, match="decks"):
        reference.minimax_endgame(reference.parse("- - - L/- H/- 0 0"))


def test_action_table() -> None:
    assert len(reference.ALL_ACTIONS) == len(set(reference.ALL_ACTIONS)) == 33
    assert {"K", "K1", "P", "P3", "X", "X=L", "X=K2", "X=P3"} < set(reference.ALL_ACTIONS)
    assert {"X=X", "X=K", "X=P", "P4", "K3"}.isdisjoint(reference.ALL_ACTIONS)


WORKED_IN_DOCS = [
    (page.name, *match)
    for page in sorted(DOCS.glob("*.md"))
    for match in re.findall(
        r"^\|[^|`]*`([^`|]+ [01] \d+)`[^|]*\|[^|`]*`([^`|]+)`[^|]*\|[^|`]*`([^`|]+ [01] \d+)`",
        page.read_text(),
        re.MULTILINE,
    )
    if match[0].count(" ") == 6  # other games' positions have other fields; test_connect_four.py steps those
]


@pytest.mark.parametrize(("page", "before", "action", "after"), WORKED_IN_DOCS)
def test_worked_turn_in_the_docs(page: str, before: str, action: str, after: str) -> None:
    assert reference.format(reference.step(reference.parse(before), action)) == after


def test_the_docs_hold_worked_turns_and_the_table_of_animals() -> None:
    assert {"rules.md", "notation.md"} <= {row[0] for row in WORKED_IN_DOCS}
    rows = re.findall(r"\| `([A-Z])` \| [a-z]+ \| (\d+) \| (\d+) \|", (DOCS / "notation.md").read_text())
    table = {letter: (int(strength), int(points)) for letter, strength, points in rows}
    assert table == {s: (reference.STRENGTH[s], reference.POINTS[s]) for s in reference.SPECIES}


def test_the_opponents_page_gives_the_weights_of_the_reference() -> None:
    page = (DOCS / "opponents.md").read_text().replace("\N{MINUS SIGN}", "-")
    for name in OUTCOME:
        row = re.search(rf"^\| `{name}` \|((?: -?[\d.]+ \|){{12}})$", page, re.MULTILINE)
        assert row is not None, name
        assert tuple(map(float, row[1].split("|")[:-1])) == astuple(OUTCOME[name])
