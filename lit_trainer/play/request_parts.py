"""Reads and checks the parts of a request; what is wrong is refused with a status and a line that says why."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from lit_trainer.play.saved_game import shown

LARGEST_BODY = 100_000  # bytes; the largest body is a saved game
BODY_S = 10.0  # seconds in which a request's body must arrive


def refuse(status: int, message: str) -> HTTPException:
    """Returns the error that answers a request with that status and message."""
    return HTTPException(status, message)


async def _received(request: Request) -> bytes:
    """Returns the request's body, and refuses one that is too large."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > LARGEST_BODY:
            raise refuse(413, f"body: more than {LARGEST_BODY:,} bytes given")
    return bytes(received)


async def read_object(request: Request, seconds: float) -> dict[str, Any]:
    """Returns the request's JSON object, and refuses anything else or one that arrives too slowly."""
    # the browser lets no form of another site send this type
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise refuse(415, "body: expected the content type application/json")
    try:
        with anyio.fail_after(seconds):
            received = await _received(request)
    except TimeoutError:
        raise HTTPException(408, f"body: incomplete after {seconds:g} seconds", {"Connection": "close"}) from None
    except ClientDisconnect:
        raise refuse(400, "body: the connection closed before it was complete") from None
    try:
        body = json.loads(received)
    except (ValueError, RecursionError):
        raise refuse(400, "body: invalid JSON") from None
    if not isinstance(body, dict):
        raise refuse(400, f"body: {type(body).__name__} given, expected a JSON object")
    return body


def one_of(body: Mapping[str, Any], field: str, known: Sequence[str], default: str | None = None) -> str:
    """Returns a field that must be one of the known texts."""
    value = body.get(field, default)
    if not isinstance(value, str) or value not in known:
        raise refuse(400, f"{field}: {shown(value)} given, expected one of {', '.join(known)}")
    return value


def text_of(body: Mapping[str, Any], field: str) -> str:
    """Returns a field that must be a text."""
    value = body.get(field)
    if not isinstance(value, str):
        raise refuse(400, f"{field}: missing or not a text")
    return value


def whole_of(value: object, field: str, highest: int) -> int:
    """Returns a value that must be a whole number from 0 to `highest`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= highest:
        raise refuse(400, f"{field}: {shown(value)} given, expected a whole number from 0 to {highest}")
    return value
