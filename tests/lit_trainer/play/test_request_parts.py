"""Parts of a request: what is taken, and the status and line that refuse the rest."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from lit_trainer.play.request_parts import LARGEST_BODY, one_of, read_object, text_of, whole_of

JSON = {"content-type": "application/json"}


async def echo(request: Request) -> JSONResponse:
    return JSONResponse(await read_object(request, 5.0))


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=[Route("/", echo, methods=["POST"])]))


def test_an_object_is_read(client: TestClient) -> None:
    assert client.post("/", json={"a": [1, None]}).json() == {"a": [1, None]}


@pytest.mark.parametrize(
    ("content", "headers", "status", "says"),
    [
        (b"{}", {"content-type": "text/plain"}, 415, "body: expected the content type application/json"),
        (b"{", JSON, 400, "body: invalid JSON"),
        (b"[1]", JSON, 400, "body: list given, expected a JSON object"),
        (b" " * (LARGEST_BODY + 1), JSON, 413, "body: more than 100,000 bytes given"),
    ],
)
def test_another_body_is_refused(
    client: TestClient, content: bytes, headers: dict[str, str], status: int, says: str
) -> None:
    answer = client.post("/", content=content, headers=headers)
    assert (answer.status_code, answer.text) == (status, says)


def test_fields_are_taken_or_refused_by_name() -> None:
    body: dict[str, Any] = {"mode": "play", "text": "", "number": 3}
    assert one_of(body, "mode", ("watch", "play")) == "play" and one_of(body, "seat", ("first",), "first") == "first"
    assert text_of(body, "text") == "" and whole_of(3, "number", 3) == 3
    for refused, says in (
        (lambda: one_of(body, "mode", ("watch",)), "mode: 'play' given, expected one of watch"),
        (lambda: one_of(body, "seat", ("first",)), "seat: 'None' given, expected one of first"),
        (lambda: text_of(body, "number"), "number: missing or not a text"),
        (lambda: text_of(body, "nothing"), "nothing: missing or not a text"),
        (lambda: whole_of(4, "turn", 3), "turn: '4' given, expected a whole number from 0 to 3"),
        (lambda: whole_of(True, "turn", 3), "turn: 'True' given, expected a whole number from 0 to 3"),
    ):
        with pytest.raises(HTTPException) as error:
            refused()
        assert (error.value.status_code, error.value.detail) == (400, says)
