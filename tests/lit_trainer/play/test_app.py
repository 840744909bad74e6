"""The page's server over HTTP: whole games, what it refuses, and many at once."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from support.cli_tools import run

from lit_trainer.play import SavedGame, Thinker
from lit_trainer.play.app import Application
from lit_trainer.play.request_parts import LARGEST_BODY
from lit_trainer.play.server import offered
from lit_trainer.play.thinkers import Choice, _choice
from lit_trainer.play.views import ANIMALS, POINTS, STRENGTHS
from lit_trainer.players.python_player import PythonPlayer
from sim_core import Action, GameBatch, State

HERE = "http://127.0.0.1"


def test_the_pages_animals_are_those_of_the_rules() -> None:
    """Fails if names, strengths or points in the page's script, which cannot import the rules, differ from them."""
    script = Path(sys.modules[Application.__module__].__file__ or "").parent / "static" / "draw.js"
    table = script.read_text().split("ANIMALS = {")[1].split("};")[0]
    rows = re.findall(r'(\w): \["(\w+)", (\d+), (\d+)\]', table)
    found = {letter: (name, int(strength), int(points)) for letter, name, strength, points in rows}
    assert found == {letter: (name, STRENGTHS[letter], POINTS[letter]) for letter, name in ANIMALS.items()}


@pytest.fixture(scope="module")
def application(checkpoint_path: Path) -> Application:
    thinkers = offered([str(checkpoint_path), f"{checkpoint_path}+skunk"], simulations=4)
    return Application(thinkers, next(iter(thinkers)))


@pytest.fixture
def client(application: Application) -> Iterator[TestClient]:
    with TestClient(application.asgi, base_url=HERE) as made:
        yield made


def begin(client: TestClient, **body: Any) -> dict[str, Any]:
    answer = client.post("/api/games", json={"mode": "play"} | body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def to_the_end(client: TestClient, view: dict[str, Any]) -> dict[str, Any]:
    """Plays the first legal move whenever a person is asked, and lets agents move."""
    while view["awaits"] != "nobody":
        path, body = f"/api/games/{view['id']}", {"turn": len(view["turns"])}
        if view["awaits"] == "person":
            answer = client.post(f"{path}/move", json=body | {"action": view["position"]["legal"][0]["action"]})
        else:
            answer = client.post(f"{path}/step", json=body)
        assert answer.status_code == 200, answer.text
        view = answer.json()
    return view


@pytest.mark.parametrize("game", ["beasty_bar", "beasty_bar_animals", "connect_four"])
@pytest.mark.parametrize("seat", ["first", "second"])
def test_a_person_s_game_is_recorded_as_it_was(client: TestClient, game: str, seat: str) -> None:
    agent = "tactical" if game == "connect_four" else "skunk"
    view = begin(client, game=game, seat=seat, agent=agent, seed=3)
    assert view["awaits"] == ("person" if seat == "first" else "agent")
    assert client.get(f"/api/games/{view['id']}/record").status_code == 409  # it would reveal the hidden cards
    view = to_the_end(client, view)
    assert view["over"]
    record = SavedGame.parse(client.get(f"/api/games/{view['id']}/record").text)
    assert [str(move) for move in record.moves] == [turn["action"] for turn in view["turns"]]
    assert record.players == (("person", agent) if seat == "first" else (agent, "person"))
    assert record.start == State.initial(3, game=game)
    again = client.get(f"/api/games/{view['id']}").json()  # a reload
    assert again == view
    replay = begin(client, mode="replay", record=record.text())
    for turn in (0, 5, len(record.moves)):
        shown = client.get(f"/api/games/{replay['id']}?turn={turn}").json()
        assert shown["position"]["ply"] == turn
    thought = client.post(f"/api/games/{replay['id']}/hint", json={"turn": 5}).json()
    assert thought["shares"][0]["action"] == thought["action"] and 0 <= thought["win_chance"] <= 1


def test_two_agents_of_a_checkpoint_and_a_name_play(client: TestClient) -> None:
    options = client.get("/api/options").json()
    assert options["default"] == options["agents"][0]["name"] == "iter1, 4 simulations"
    view = to_the_end(client, begin(client, mode="watch", other="ismcts:1000", seed=1))
    assert view["players"] == ["iter1, 4 simulations", "ismcts:1000"]
    assert all(turn["thought"]["shares"] for turn in view["turns"])


def test_what_is_hidden_and_the_seed_stay_on_the_server(client: TestClient) -> None:
    view = begin(client, seed=987654321, seat="second")
    while not view["over"]:
        if view["awaits"] == "person" and len(view["turns"]) < 16:
            hint = client.post(f"/api/games/{view['id']}/hint", json={"turn": len(view["turns"])})
            assert {share["card"] for share in hint.json()["shares"]} <= set(view["position"]["hands"][1])
        assert view["position"]["hands"][0] is None
        assert "987654321" not in str(view)
        for turn in view["turns"]:
            if turn["player"] == 0:
                assert {share["card"] for share in turn["thought"]["shares"]} == {turn["card"]}
        path, body = f"/api/games/{view['id']}", {"turn": len(view["turns"])}
        if view["awaits"] == "agent":
            view = client.post(f"{path}/step", json=body).json()
        else:
            view = client.post(f"{path}/move", json=body | {"action": view["position"]["legal"][0]["action"]}).json()
        earlier = client.get(f"{path}?turn=0").json()
        assert view["over"] or earlier["position"]["hands"][0] is None


def test_what_an_agent_concludes_is_in_its_turns_and_found_again_in_a_saved_game(client: TestClient) -> None:
    """Also after moves were taken back; a saved game holds nothing of it."""
    agent = "iter1, 4 simulations, expects skunk"
    view = begin(client, agent=agent, seed=3)
    for turn in (0, 2, 4):
        path, body = f"/api/games/{view['id']}", {"turn": turn}
        client.post(f"{path}/move", json=body | {"action": view["position"]["legal"][-1]["action"]})
        view = client.post(f"{path}/step", json={"turn": turn + 1}).json()
        assert view["turns"][-1]["thought"]["hand"]["whose"] == "your"
    first = [turn.get("thought") for turn in view["turns"]]
    hint = client.post(f"{path}/hint", json={"turn": 6}).json()
    assert "skunk" in hint["opponent"] and hint["hand"]["whose"] == "the other player's"
    undone = client.post(f"{path}/undo", json={"turn": 6}).json()
    assert [turn.get("thought") for turn in undone["turns"]] == first[:4]
    view = to_the_end(client, undone)
    thoughts = {k: turn["thought"] for k, turn in enumerate(view["turns"]) if "thought" in turn}
    replay = begin(client, mode="replay", agent=agent, record=client.get(f"{path}/record").text)
    assert not any("thought" in turn for turn in replay["turns"])
    for turn, thought in thoughts.items():
        again = client.post(f"/api/games/{replay['id']}/hint", json={"turn": turn}).json()
        assert again["opponent"] == thought["opponent"]
        assert again.get("hand", {}).get("cards") == thought.get("hand", {}).get("cards")


REFUSED: list[tuple[str, str, Any, int, str]] = [
    ("POST", "move", {"turn": 0, "action": "L"}, 422, "move: 'L' is not legal here; legal are S E U K"),
    ("POST", "move", {"turn": 0, "action": 7}, 400, "action: missing or not a text"),
    ("POST", "move", {"turn": 0}, 400, "action: missing or not a text"),
    ("POST", "move", {"action": "S"}, 400, "turn: missing or not a whole number"),
    ("POST", "move", {"turn": True, "action": "S"}, 400, "turn: missing or not a whole number"),
    ("POST", "move", {"turn": 3, "action": "S"}, 409, "turn: 3 given, but 0 turns have been taken"),
    ("POST", "step", {"turn": 0}, 409, "step: no agent is to move"),
    ("POST", "undo", {"turn": 0}, 409, "undo: you have not moved yet"),
    ("POST", "hint", {"turn": 9}, 400, "turn: '9' given, expected a whole number from 0 to 0"),
    ("POST", "move", b"{", 400, "body: invalid JSON"),
    ("POST", "move", b"[" * 90_000, 400, "body: invalid JSON"),
    ("POST", "move", b"\xff\xfe", 400, "body: invalid JSON"),
    ("POST", "move", b"[]", 400, "body: list given, expected a JSON object"),
    ("POST", "move", b" " * (LARGEST_BODY + 1), 413, "body: more than 100,000 bytes given"),
    ("GET", "?turn=1", None, 400, "turn: '1' given, expected a whole number from 0 to 0"),
    ("GET", "?turn=x", None, 400, "turn: 'x' given, expected a whole number from 0 to 0"),
    ("GET", "move", None, 405, "Method Not Allowed"),
    ("DELETE", "", None, 405, "Method Not Allowed"),
]


@pytest.mark.parametrize(("method", "what", "body", "status", "says"), REFUSED)
def test_what_is_wrong_is_answered_in_a_line_and_changes_nothing(
    client: TestClient, method: str, what: str, body: Any, status: int, says: str
) -> None:
    view = begin(client, seed=5)
    path = f"/api/games/{view['id']}{'' if not what or what[0] == '?' else '/'}{what}"
    if isinstance(body, bytes):
        answer = client.request(method, path, content=body, headers={"Content-Type": "application/json"})
    else:
        answer = client.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"].startswith(says)
    assert client.get(f"/api/games/{view['id']}").json() == view


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({}, 400, "mode: 'None' given, expected one of play, watch, replay"),
        ({"mode": ["play"]}, 400, "mode: "),
        ({"mode": "play", "game": "chess"}, 400, "game: 'chess' given, expected one of beasty_bar"),
        ({"mode": "play", "seat": "third"}, 400, "seat: 'third' given, expected one of first, second, random"),
        ({"mode": "play", "agent": "/etc/passwd"}, 400, "agent: '/etc/passwd' given, expected one of iter1"),
        ({"mode": "play", "agent": "ismcts:1000000"}, 400, "agent: 'ismcts:1000000' given, expected one of"),
        (
            {"mode": "play", "agent": "skunk", "game": "connect_four"},
            400,
            "agent: skunk plays beasty_bar and beasty_bar_a",
        ),
        ({"mode": "play", "seed": -1}, 400, "seed: '-1' given, expected a whole number from 0"),
        ({"mode": "watch", "other": "nobody"}, 400, "other: 'nobody' given"),
        ({"mode": "replay"}, 400, "record: missing or not a text"),
        ({"mode": "replay", "record": "hello"}, 422, "record: line 1: 'hello' given, expected 'lit-alphazero game 1'"),
    ],
)
def test_no_game_begins_out_of_nonsense(client: TestClient, body: Any, status: int, says: str) -> None:
    answer = client.post("/api/games", json=body)
    assert (answer.status_code, answer.json()["error"][: len(says)]) == (status, says)


LONG = "é" * 4000
GAME = "lit-alphazero game 1\ngame: beasty_bar\nplayer 0: a\nplayer 1: b\n"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", {"mode": LONG}),
        ("", {"mode": {"a": LONG}}),
        ("", {"mode": "play", "seed": int("9" * 4000)}),
        ("/GAME/move", {"turn": int("9" * 4000), "action": "S"}),
        ("/GAME/move", {"turn": 0, "action": LONG}),
        ("/GAME/hint", {"turn": LONG}),
        *(
            ("", {"mode": "replay", "record": text})
            for text in (
                LONG,
                GAME.replace("beasty_bar", LONG),
                GAME.replace("b\n", f"{LONG}\n"),
                f"{GAME}deal: {LONG}",
                f"{GAME}deal: seed {LONG}",
                f"{GAME}deal: seed 1\n{LONG}",
                f"{GAME}deal: seed 1\n1: {LONG}",
                f"{GAME}deal: seed 1\n{LONG}: S",
            )
        ),
    ],
)
def test_little_of_what_is_wrong_is_repeated(client: TestClient, path: str, body: Any) -> None:
    if "GAME" in path:
        path = path.replace("GAME", begin(client)["id"])
    answer = client.post(f"/api/games{path}", json=body)
    assert 400 <= answer.status_code < 500
    assert len(answer.json()["error"]) < 300
    assert not re.search("[é9]{51}", answer.json()["error"])


def test_a_foreign_name_is_not_repeated_at_length(client: TestClient) -> None:
    answer = client.get("/api/options", headers={"Host": "evil." * 800})
    assert answer.status_code == 400 and len(answer.json()["error"]) < 120


@pytest.mark.parametrize(
    "path",
    [
        "/api/games/unknown",
        "/api/games/..%2f..%2fapp.py",
        "/../app.py",
        "/%2e%2e/app.py",
        "/static/page.js",
        "/etc/passwd",
    ],
)
def test_nothing_else_is_there(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert list(answer.json()) == ["error"]


def test_the_page_needs_nothing_from_elsewhere(client: TestClient) -> None:
    for path in ("/", "/page.js", "/draw.js", "/style.css", "/animals.svg"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert "//" not in answer.text.replace("http://www.w3.org/", "").replace("// ", "")


def test_requests_of_other_sites_are_refused(client: TestClient) -> None:
    """Fails if a form of another site, or another site's name that leads here, is answered."""
    form = client.post("/api/games", content=b'{"mode": "play"}', headers={"Content-Type": "text/plain"})
    assert (form.status_code, form.json()["error"]) == (415, "body: expected the content type application/json")
    assert client.get("/api/options", headers={"Host": "evil.example"}).status_code == 400


def slow_thinker(seconds: float) -> tuple[Thinker, list[int]]:
    """Returns a slow agent, and what it saw of others that asked it meanwhile."""
    inside, most = threading.Lock(), [0]

    class Slow:
        def select_action(self, state: State, legal_actions: Sequence[Action]) -> Action:
            assert inside.acquire(blocking=False), "two threads in one agent"
            time.sleep(seconds)
            inside.release()
            most[0] += 1
            return legal_actions[0]

    return Thinker("slow", ("beasty_bar",), *_choice(PythonPlayer("slow", Slow()))), most


def test_the_server_answers_while_an_agent_thinks_and_a_move_is_made_once(application: Application) -> None:
    slow, asked = slow_thinker(0.5)
    served = Application(application.thinkers | {"slow": slow}, "slow")
    with TestClient(served.asgi, base_url=HERE) as client, ThreadPoolExecutor(8) as pool:
        ids = [begin(client, agent="slow", seat="second")["id"] for _ in range(2)]
        steps = [pool.submit(client.post, f"/api/games/{key}/step", json={"turn": 0}) for key in ids * 2]
        time.sleep(0.1)
        answer = client.get("/api/options")
        assert answer.status_code == 200
        assert not all(step.done() for step in steps)
        statuses = [step.result().status_code for step in steps]
        assert sorted(statuses) == [200, 200, 409, 409]  # each game's step once, though it was asked for twice
        assert asked == [2]
        for key in ids:
            assert len(client.get(f"/api/games/{key}").json()["turns"]) == 1


def test_only_the_player_to_move_moves(client: TestClient) -> None:
    """A move of the person's in the agent's turn, legal for the agent's hand, would be played for the agent."""
    view = begin(client, seed=5, seat="second")
    assert view["awaits"] == "agent"
    path = f"/api/games/{view['id']}"
    for action in State.initial(5).legal_actions():
        answer = client.post(f"{path}/move", json={"turn": 0, "action": str(action)})
        assert (answer.status_code, answer.json()["error"]) == (409, "move: it is not your turn")
    assert client.get(path).json() == view
    watched = begin(client, mode="watch", seed=5)
    answer = client.post(f"/api/games/{watched['id']}/move", json={"turn": 0, "action": str(action)})
    assert (answer.status_code, answer.json()["error"]) == (409, "move: it is not your turn")


def test_many_games_at_once_do_not_mix(application: Application) -> None:
    with TestClient(application.asgi, base_url=HERE) as client:

        def play(seed: int) -> list[str]:
            return [turn["action"] for turn in to_the_end(client, begin(client, seed=seed))["turns"]]

        with ThreadPoolExecutor(6) as pool:
            together = list(pool.map(play, range(6)))
        assert together == [play(seed) for seed in range(6)]


def test_an_agent_that_fails_is_a_500_and_the_game_goes_on(application: Application) -> None:
    def choose(batch: GameBatch, history: object) -> Choice:
        raise RuntimeError("secret path")

    served = Application(application.thinkers | {"bad": Thinker("bad", ("beasty_bar",), choose)}, "bad")
    with TestClient(served.asgi, base_url=HERE, raise_server_exceptions=False) as client:
        view = begin(client, seat="second")
        answer = client.post(f"/api/games/{view['id']}/step", json={"turn": 0})
        assert answer.status_code == 500 and "secret" not in answer.text and answer.json()["error"]
        assert client.get(f"/api/games/{view['id']}").json() == view


@pytest.mark.parametrize(
    ("flags", "missing", "says"),
    [
        ([], "uvicorn", "pip install 'lit-alphazero[web]'"),
        (["--port", "0"], "", "port: 0 given, expected 1 to 65535"),
        (["--agent", "nobody"], "", "agent: 'nobody' is neither a known player nor a file"),
    ],
)
def test_the_command_refuses_in_a_line(
    flags: list[str],
    missing: str,
    says: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if missing:
        monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(SystemExit) as stopped:
        run("web", *flags)
    assert stopped.value.code == 2
    assert says in capsys.readouterr().err
