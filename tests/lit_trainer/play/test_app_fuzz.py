"""No request makes the server fail, hang or give away a file: it answers, or refuses in a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from lit_trainer.play.app import Application
from lit_trainer.play.server import offered

HERE = "http://127.0.0.1"
FIELDS = ["mode", "agent", "other", "game", "seat", "seed", "record", "turn", "action"]
WORDS = [
    "play",
    "watch",
    "replay",
    "beasty_bar",
    "connect_four",
    "random",
    "skunk",
    "first",
    "second",
    "L",
    "X=K1",
    "P0",
]
PATHS = ["move", "step", "undo", "hint", "record", ""]

TEXT = st.text(max_size=40) | st.sampled_from(WORDS) | st.sampled_from(["\0", "\ud83e\udd81", "٣", "%00", "../" * 9])
NUMBERS = st.integers(-3, 30) | st.integers() | st.floats() | st.sampled_from([2**53, 2**64, -(2**63), 1e308])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))
BODIES = st.dictionaries(st.sampled_from(FIELDS), SCALARS, max_size=6) | VALUES
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    thinkers = offered(["random"], simulations=0)
    with TestClient(Application(thinkers, "random").asgi, base_url=HERE) as made:
        yield made


def answered(client: TestClient, method: str, path: str, content: bytes) -> None:
    """Asserts that the answer is what was asked for, or one line that says what was wrong."""
    answer = client.request(method, path, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        error = answer.json()["error"]
        assert "\n" not in error.strip() and "Traceback" not in error
        assert len(error) < 600


def encoded(body: Any) -> bytes:
    return json.dumps(body).encode()


@FUZZ
@given(body=BODIES)
def test_any_json_begins_a_game_or_is_refused(client: TestClient, body: Any) -> None:
    answered(client, "POST", "/api/games", encoded(body))


@FUZZ
@given(what=st.sampled_from(PATHS), method=st.sampled_from(["GET", "POST", "PUT"]), body=BODIES, turn=SCALARS)
def test_any_json_to_a_game_leaves_it_playable(
    client: TestClient, what: str, method: str, body: Any, turn: Any
) -> None:
    view = client.post("/api/games", json={"mode": "play", "agent": "random", "seed": 5}).json()
    path = f"/api/games/{view['id']}/{what}".rstrip("/")
    answered(client, method, path, encoded(body))
    params = {"turn": str(turn).encode("utf-8", "replace").decode()}
    assert client.get(f"/api/games/{view['id']}", params=params).status_code < 500
    view = client.get(f"/api/games/{view['id']}").json()
    while view["awaits"] == "agent":
        view = client.post(f"/api/games/{view['id']}/step", json={"turn": len(view["turns"])}).json()
    assert view["position"]["legal"]


@FUZZ
@given(content=st.binary(max_size=200))
def test_any_bytes_are_refused(client: TestClient, content: bytes) -> None:
    answered(client, "POST", "/api/games", content)


@FUZZ
@given(path=st.text(max_size=60) | st.lists(st.sampled_from(["..", "%2e%2e", "etc", "passwd", "api", "games", "\0"])))
def test_any_path_is_one_of_ours_or_nothing(client: TestClient, path: Any) -> None:
    path = path if isinstance(path, str) else "/".join(path)
    answer = client.get(HERE + "/" + quote(path.encode("utf-8", "replace"), safe="/%.:@"))
    assert answer.status_code < 500 and "root:" not in answer.text
    if answer.status_code == 200:
        assert answer.url.path in ("/", "/style.css", "/page.js", "/draw.js", "/animals.svg", "/api/options")


@FUZZ
@given(text=st.text(max_size=3000))
def test_any_text_is_no_saved_game(client: TestClient, text: str) -> None:
    answered(client, "POST", "/api/games", encoded({"mode": "replay", "record": text}))
    answered(client, "POST", "/api/games", encoded({"mode": "replay", "record": f"lit-alphazero game 1\n{text}"}))
