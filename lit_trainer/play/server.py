"""`lit-trainer web`: the page on a port of this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from lit_trainer.play.hosts import stays_here, url
from lit_trainer.play.thinkers import ADVISER, Thinker, builtin_names, default_agent, make_thinker
from lit_trainer.play.views import playable

if TYPE_CHECKING:
    import uvicorn

GRACE_S = 3  # seconds that requests under way have to end in, once the server was told to
NEEDS = "the page needs starlette and uvicorn: pip install 'lit-alphazero[web]'"


def offered(agents: Sequence[str], simulations: int) -> dict[str, Thinker]:
    """The agents given, then the built-in ones and one that searches without a network, by the name that is shown.

    Raises:
        ValueError: nothing is known of such a name, or a checkpoint is damaged.
    """
    builtin = [name for game in playable() for name in builtin_names(game)]
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
    """A server of the page, not yet running; the first of the agents is offered first.

    Args:
        thinkers: the agents on offer by name.
        host: address to listen on; one of this machine alone answers only to local names and its own.
        port: to listen on; 0 takes one that is free.

    Raises:
        ValueError: `host` is no address.
        ModuleNotFoundError: without the packages of the extra ``web``.
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
        limit_concurrency=100,  # more requests at once are told to come back
        timeout_graceful_shutdown=GRACE_S,
    )
    return uvicorn.Server(config)


def web(
    agent: str | list[str] | None = None,
    simulations: int = 64,
    port: int = 8000,
    host: str = "127.0.0.1",
) -> None:
    """Play and watch agents on a page that this command serves.

    Args:
        agent: path of a checkpoint, or ismcts:N, or a list of such; the first is offered first. By default a checkpoint
            that lies about. The built-in opponents are offered in any case.
        simulations: search simulations a move, of checkpoints; 0 plays their policy.
        port: to listen on.
        host: address to listen on; anyone who reaches another than the default can play, and use this machine's time.

    Raises:
        ValueError: names the argument that is wrong.
        ModuleNotFoundError: without the packages of the extra ``web``.
    """
    if not 0 < port < 65_536:
        raise ValueError(f"port: {port} given, expected 1 to 65535")
    agents = [agent] if isinstance(agent, str) else agent or [default_agent(playable()[0])]
    if not agent:
        print(f"No --agent given: the first on offer is {agents[0]}.")
    server = page_server(offered(agents, simulations), host, port)
    print(f"Play on {url(host, port)} ; Ctrl-C ends it.", flush=True)
    with suppress(KeyboardInterrupt):
        server.run()
