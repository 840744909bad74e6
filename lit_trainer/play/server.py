"""Runs `lit-trainer web`: serves the page on a port of this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from lit_trainer.play.hosts import stays_here, url
from lit_trainer.play.thinkers import ADVISER, Thinker, default_agent, make_thinker
from lit_trainer.play.views import playable
from sim_core import get_game

if TYPE_CHECKING:
    import uvicorn

GRACE_S = 3  # seconds that open requests get to finish after the server was told to stop
NEEDS = "the page needs starlette and uvicorn: pip install 'lit-alphazero[web]'"


def offered(agents: Sequence[str], simulations: int) -> dict[str, Thinker]:
    """Returns the given agents, then the adviser and the built-in ones, by the name to show.

    Args:
        agents: Names of players; `lit_trainer.players.specs` lists the kinds.
        simulations: Simulations per move of a checkpoint whose name has no ``@N``. 0 plays its raw policy.

    Raises:
        ValueError: Nothing is known by such a name, or a checkpoint is damaged.
    """
    builtin = [name for game in playable() for name in get_game(game).opponents]
    thinkers: dict[str, Thinker] = {}
    for agent in dict.fromkeys([*agents, ADVISER, *builtin]):
        thinker = make_thinker(agent, simulations=simulations)
        name, number = thinker.name, 2
        while thinker.name in thinkers:
            thinker.name = f"{name} ({number})"
            number += 1
        thinkers[thinker.name] = thinker
    return thinkers


def page_server(thinkers: Mapping[str, Thinker], host: str, port: int) -> uvicorn.Server:
    """Returns a server of the page, which does not run yet. The first agent is the page's default.

    Args:
        thinkers: Agents to offer, by name.
        host: Address to listen on. If only this machine reaches it, the server answers only to local names and its own.
        port: Port to listen on. 0 takes a free one.

    Raises:
        ValueError: `host` is no address.
        ModuleNotFoundError: The packages of the extra ``web`` are missing.
    """
    hosts = (host,) if stays_here(host) else None
    try:
        import uvicorn

        from lit_trainer.play.app import Application
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{error}; {NEEDS}") from None
    application = Application(thinkers, next(iter(thinkers)), hosts=hosts)
    config = uvicorn.Config(
        application.asgi,
        host=host,
        port=port,
        log_level="warning",
        limit_concurrency=100,  # further requests get the answer "busy"
        timeout_graceful_shutdown=GRACE_S,
    )
    return uvicorn.Server(config)


def web(
    agent: str | list[str] | None = None,
    simulations: int = 64,
    port: int = 8000,
    host: str = "127.0.0.1",
) -> None:
    """Serves a page on which a person plays agents or watches them.

    Args:
        agent: Agent to offer, or a list of agents, of which the first is the page's default: FILE.ckpt,
            FILE.ckpt@SIMULATIONS, a run's folder, ismcts:N, or package.module.Agent(argument=value). By default the
            best checkpoint it finds. The built-in opponents are always offered.
        simulations: Simulations per move of a checkpoint given without @SIMULATIONS. 0 plays its raw policy.
        port: Port to listen on.
        host: Address to listen on. Everyone who can reach another address than the default can play and use this
            machine's computing time.

    Raises:
        ValueError: Names the wrong argument.
        ModuleNotFoundError: The packages of the extra ``web`` are missing.
    """
    if not 0 < port < 65_536:
        raise ValueError(f"port: {port} given, expected 1 to 65535")
    agents = [agent] if isinstance(agent, str) else agent or [default_agent(playable()[0])]
    if not agent:
        print(f"No --agent given: the page offers {agents[0]} first.")
    server = page_server(offered(agents, simulations), host, port)
    print(f"Play on {url(host, port)} ; Ctrl-C stops the server.", flush=True)
    with suppress(KeyboardInterrupt):
        server.run()
