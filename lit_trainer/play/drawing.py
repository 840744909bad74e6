"""Draws a game's views as text for a terminal; without colours the text says just as much."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lit_trainer.play.views import ANIMALS, POINTS, STRENGTHS, View

STYLES = ("bold cyan", "bold red")  # player 0, player 1


def whose(player: int, view: View) -> str:
    """Returns what the person calls a player."""
    seat = view["seat"]
    return f"player {player}" if seat is None else "you" if player == seat else "agent"


def percent(share: float | None) -> str:
    """Returns a share as a percentage, or ``?`` for None."""
    return "?" if share is None else f"{100 * share:.0f} %"


def draw_position(view: View) -> RenderableType:
    """Returns the whole table: line, piles and hands."""
    return _FACES[view["position"]["kind"]](view)


def _line(view: View) -> RenderableType:
    waiting = view["position"]["line"]
    if not waiting:
        return Text("The line is empty.", style="italic")
    table = Table(box=box.ROUNDED)
    for place in range(len(waiting)):
        table.add_column(f"place {place}", justify="center")
    cells = []
    for card in waiting:
        animal, player = card["animal"], card["player"]
        about = f"{ANIMALS[animal]}\n{whose(player, view)}\nstrength {STRENGTHS[animal]}\npoints {POINTS[animal]}"
        cells.append(Text(about, style=STYLES[player], justify="center"))
    table.add_row(*cells)
    return Group(Text("The line, from the gate to the bounce:"), table)


def _cards(letters: list[str]) -> str:
    return ", ".join(ANIMALS[letter] for letter in letters) or "-"


def _draw_beasty(view: View) -> RenderableType:
    position = view["position"]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("", "score", "bar", "THAT'S IT", "hand", "deck"):
        table.add_column(head)
    for player in (0, 1):
        hand = position["hands"][player]
        table.add_row(
            Text(whose(player, view), style=STYLES[player]),
            str(position["scores"][player]),
            _cards(position["bar"][player]),
            _cards(position["thatsit"][player]),
            f"{position['hand_sizes'][player]} hidden" if hand is None else _cards(hand),
            str(position["deck_sizes"][player]),
        )
    return Group(_line(view), table)


def _draw_four(view: View) -> RenderableType:
    board = Text()
    for row in view["position"]["rows"]:
        for cell in row:
            board.append(" . " if cell is None else f" {'XO'[cell]} ", style="" if cell is None else STYLES[cell])
        board.append("\n")
    board.append("".join(f" {column} " for column in range(1, 8)))
    return board


_FACES = {"beasty_bar": _draw_beasty, "connect_four": _draw_four}


def draw_moves(view: View, numbered: bool) -> RenderableType:
    """Returns the list of legal moves with numbers and notation."""
    table = Table.grid(padding=(0, 2))
    for number, move in enumerate(view["position"]["legal"], 1):
        table.add_row(str(number) if numbered else "", Text(move["action"], style="bold"), move["words"])
    return Group(Text("Your moves:"), table)


def _piles(turn: View, view: View) -> str:
    said = []
    for pile, words in (("bar", "into the bar"), ("thatsit", "to THAT'S IT")):
        cards = [f"{ANIMALS[card['animal']]} ({whose(card['player'], view)})" for card in turn.get(pile, ())]
        if cards:
            said.append(f"{', '.join(cards)} {words}")
    return "; ".join(said)


def turn_text(turn: View, view: View) -> Text:
    """Returns one turn and its visible effects, in a line."""
    player = turn["player"]
    text = Text(whose(player, view), style=STYLES[player])
    text.append(f": {turn['words']} ({turn['action']})", style="default")
    if piles := _piles(turn, view):
        text.append(f"; {piles}", style="default")
    return text


def thought_text(thought: View, who: str) -> Text:
    """Returns an agent's reasons in a line: win chance, moves considered, and who it takes the other player for."""
    shares = ", ".join(f"{entry['action']} {percent(entry['share'])}" for entry in thought["shares"][:5])
    parts = []
    if thought["win_chance"] is not None:
        parts.append(f"{who} win chance {percent(thought['win_chance'])}")
    if shares:
        parts.append(f"considered {shares}")
    if "opponent" in thought:
        parts.append(thought["opponent"])
    return Text("  " + ("; ".join(parts) or "it gives no reasons"), style="dim")


def hand_text(thought: View) -> Text:
    """Returns what an agent believes of the other player's hand, in a line."""
    hand = thought["hand"]
    cards = (f"{ANIMALS[entry['card']]} ({entry['card']}) {percent(entry['share'])}" for entry in hand["cards"])
    return Text(f"  believes of {hand['whose']} hand: {', '.join(cards)}", style="dim")
