"""Answers the page's requests: its files, and games as JSON (docs/playing.md).

Handlers change games only on the event loop, under the game's lock. Agents think in a few separate threads.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping
from importlib.resources import files
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from lit_trainer.play.hosts import addresses
from lit_trainer.play.request_parts import BODY_S, one_of, read_object, refuse, text_of, whole_of
from lit_trainer.play.saved_game import PERSON, SHOWN, SavedGame, shown
from lit_trainer.play.session import Session
from lit_trainer.play.store import Hosted, Store
from lit_trainer.play.thinkers import ADVISER, Thinker, Thought
from lit_trainer.play.views import View, playable
from lit_trainer.players.specs import check_plays

THINKING = 4  # number of threads in which agents think

_STATIC = {
    "/": ("index.html", "text/html"),
    "/style.css": ("style.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/draw.js": ("draw.js", "text/javascript"),
    "/animals.svg": ("animals.svg", "image/svg+xml"),
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Application:
    """Serves games of persons and agents over HTTP.

    Args:
        thinkers: Agents on offer by name; requests can name no others.
        default: Name of the agent that the page selects first.
        store: Store of the games. None: a new one.
        hosts: Host names to answer to, beside ``localhost`` and loopback addresses, so that no foreign page can use a
            name that it points at this machine. None: any name.
        body_s: Seconds in which a request's body must arrive.
    """

    def __init__(
        self,
        thinkers: Mapping[str, Thinker],
        default: str,
        store: Store | None = None,
        hosts: Collection[str] | None = (),
        body_s: float = BODY_S,
    ) -> None:
        self.thinkers = dict(thinkers)
        self.default = default
        self.store = Store() if store is None else store
        self.body_s = body_s
        self._threads = anyio.CapacityLimiter(THINKING)
        middleware = [] if hosts is None else [Middleware(_HostCheck, names=hosts)]
        self.asgi = Starlette(
            routes=self._routes(),
            middleware=middleware,
            exception_handlers={HTTPException: _failed, Exception: _broken},
        )

    def _routes(self) -> list[BaseRoute]:
        folder = files("lit_trainer.play") / "static"
        routes: list[BaseRoute] = [
            Route(path, _constant((folder / name).read_bytes(), kind)) for path, (name, kind) in _STATIC.items()
        ]
        api: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
            ("GET", "/api/options", self.options),
            ("POST", "/api/games", self.create),
            ("GET", "/api/games/{key}", self.show),
            ("GET", "/api/games/{key}/record", self.record),
            ("POST", "/api/games/{key}/move", self.move),
            ("POST", "/api/games/{key}/step", self.step),
            ("POST", "/api/games/{key}/undo", self.undo),
            ("POST", "/api/games/{key}/hint", self.hint),
        ]
        return routes + [Route(path, endpoint, methods=[method]) for method, path, endpoint in api]

    async def options(self, request: Request) -> Response:
        """Returns the games and agents on offer."""
        agents = [{"name": name, "games": list(thinker.games)} for name, thinker in self.thinkers.items()]
        return _json({"games": list(playable()), "agents": agents, "default": self.default})

    async def create(self, request: Request) -> Response:
        """Makes a game and returns its view: with a person, of two agents, or from a saved game's text."""
        body = await read_object(request, self.body_s)
        mode = one_of(body, "mode", ("play", "watch", "replay"))
        first = self.thinkers[one_of(body, "agent", tuple(self.thinkers), self.default)]
        hosted = self._replay(body, first) if mode == "replay" else self._deal(body, mode == "watch", first)
        return _json(self._view(self.store.add(hosted), hosted), 201)

    def _replay(self, body: Mapping[str, Any], adviser: Thinker) -> Hosted:
        try:
            session = Session(SavedGame.parse(text_of(body, "record")))
        except ValueError as error:
            raise refuse(422, f"record: {error}") from None
        return Hosted("replay", session, (None, None), self._adviser(adviser, session.state.game), session.seed or 0)

    def _deal(self, body: Mapping[str, Any], watched: bool, agent: Thinker) -> Hosted:
        game = one_of(body, "game", playable(), playable()[0])
        other = self.thinkers[one_of(body, "other", tuple(self.thinkers), agent.name)] if watched else agent
        try:
            check_plays(agent, game, "agent")
            check_plays(other, game, "other")
        except ValueError as error:
            raise refuse(400, str(error)) from None
        seed = secrets.randbits(32) if body.get("seed") is None else whole_of(body["seed"], "seed", 2**53)
        if watched:
            session = Session.deal(seed, (agent.name, other.name), None, game)
            return Hosted("watch", session, (agent, other), self._adviser(agent, game), seed)
        person = {"first": 0, "second": 1, "random": secrets.randbelow(2)}[
            one_of(body, "seat", ("first", "second", "random"), "first")
        ]
        names = (PERSON, agent.name) if person == 0 else (agent.name, PERSON)
        thinkers = (None, agent) if person == 0 else (agent, None)
        return Hosted("play", Session.deal(seed, names, person, game), thinkers, self._adviser(agent, game), seed)

    def _adviser(self, wanted: Thinker, game: str) -> Thinker:
        """Returns the wanted agent if it gives reasons, otherwise one that does."""
        return wanted if wanted.has_reasons and game in wanted.games else self.thinkers[ADVISER]

    async def show(self, request: Request) -> Response:
        """Returns the view of the game, at its latest turn or at an earlier one."""
        hosted = self._hosted(request)
        asked = request.query_params.get("turn")
        turn = None
        if asked is not None:
            turn = whole_of(int(asked) if asked.isdecimal() and len(asked) < 6 else asked, "turn", hosted.session.turns)
        return _json(self._view(request.path_params["key"], hosted, turn))

    async def record(self, request: Request) -> Response:
        """Returns the game's text, once nothing is hidden any more."""
        session = self._hosted(request).session
        if session.viewer is not None:
            raise refuse(409, "record: the game is not over, and its text would reveal hidden cards")
        name = {"Content-Disposition": 'attachment; filename="game.txt"'}
        return PlainTextResponse(session.saved_game().text(), headers=_HEADERS | name)

    async def move(self, request: Request) -> Response:
        """Plays the person's move."""
        body = await read_object(request, self.body_s)
        hosted = self._hosted(request)
        async with hosted.lock:
            self._check_turn(hosted, body)
            if not hosted.session.awaits_person:
                raise refuse(409, "move: it is not your turn")
            try:
                hosted.session.play(hosted.session.parse_move(text_of(body, "action")))
            except ValueError as error:
                raise refuse(422, str(error)) from None
        return _json(self._view(request.path_params["key"], hosted))

    async def step(self, request: Request) -> Response:
        """Plays the move of the agent whose turn it is."""
        body = await read_object(request, self.body_s)
        hosted = self._hosted(request)
        async with hosted.lock:
            self._check_turn(hosted, body)
            state = hosted.session.state
            thinker = None if state.is_terminal else hosted.thinkers[state.to_move]
            if thinker is None:
                raise refuse(409, "step: no agent is to move")
            thought = await self._think(thinker, hosted, hosted.session.turns)
            hosted.session.play(thought.action, thought)
        return _json(self._view(request.path_params["key"], hosted))

    async def undo(self, request: Request) -> Response:
        """Takes back the person's last move, or the last move of two agents."""
        body = await read_object(request, self.body_s)
        hosted = self._hosted(request)
        async with hosted.lock:
            self._check_turn(hosted, body)
            if hosted.mode == "replay":
                raise refuse(409, "undo: a saved game cannot be changed")
            try:
                hosted.session.undo()
            except ValueError as error:
                raise refuse(409, str(error)) from None
        return _json(self._view(request.path_params["key"], hosted))

    async def hint(self, request: Request) -> Response:
        """Returns what the adviser thinks of a position that the viewer may see as the player to move sees it."""
        body = await read_object(request, self.body_s)
        hosted = self._hosted(request)
        async with hosted.lock:
            session = hosted.session
            turn = whole_of(body.get("turn"), "turn", session.turns)
            if session.viewer is not None and not (turn == session.turns and session.awaits_person):
                raise refuse(409, "hint: during a game you get one only for your own move")
            if session.state_at(turn).is_terminal:
                raise refuse(409, "hint: the game is over at this turn")
            thought = await self._think(hosted.adviser, hosted, turn)
            return _json({"turn": turn, "name": hosted.adviser.name} | session.thought_view(turn, thought))

    async def _think(self, thinker: Thinker, hosted: Hosted, turn: int) -> Thought:
        session = hosted.session
        return await anyio.to_thread.run_sync(
            thinker.think, session.state_at(turn), hosted.seed, session.history_at(turn), limiter=self._threads
        )

    def _hosted(self, request: Request) -> Hosted:
        hosted = self.store.get(request.path_params["key"])
        if hosted is None:
            raise refuse(404, "game: unknown; the server dropped it or was restarted")
        return hosted

    def _check_turn(self, hosted: Hosted, body: Mapping[str, Any]) -> None:
        """Refuses a request about another position than the latest: one that was sent twice, or came too late."""
        turn = body.get("turn")
        if isinstance(turn, bool) or not isinstance(turn, int):
            raise refuse(400, "turn: missing or not a whole number; expected the number of turns so far")
        if turn != hosted.session.turns:
            raise refuse(409, f"turn: {str(turn)[:SHOWN]} given, but {hosted.session.turns} turns have been taken")

    def _view(self, key: str, hosted: Hosted, turn: int | None = None) -> View:
        state = hosted.session.state
        to_move = None if state.is_terminal else hosted.thinkers[state.to_move]
        awaits = "person" if hosted.session.awaits_person else "nobody" if to_move is None else "agent"
        return {"id": key, "mode": hosted.mode, "awaits": awaits, "adviser": hosted.adviser.name} | hosted.session.view(
            turn
        )


class _HostCheck:
    """Passes on requests that are addressed to this machine, or to one of the given names."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self.app = app
        self.names = frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = Headers(scope=scope).get("host", "") if scope["type"] == "http" else None
        if host is None or addresses(host, self.names):
            await self.app(scope, receive, send)
        else:
            error = f"Host: {shown(host)} given, but this server answers to local names only"
            await _json({"error": error}, 400)(scope, receive, send)


def _constant(content: bytes, kind: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return Response(content, media_type=kind, headers=_HEADERS)

    return answer


def _json(value: View, status: int = 200) -> Response:
    return JSONResponse(value, status, headers=_HEADERS | {"Cache-Control": "no-store"})


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = _json({"error": error.detail}, error.status_code)
    answer.headers.update(error.headers or {})
    return answer


async def _broken(request: Request, error: Exception) -> Response:
    return _json({"error": "the server failed; its log says more"}, 500)
