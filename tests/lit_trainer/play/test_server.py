"""The page's server as it is started: on what it listens, to which names it answers, and that it ends."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
import uvicorn
from starlette.testclient import TestClient
from support.process_tools import listens_on, needs_proc, wait_for
from support.web_server import free_port, started

from lit_trainer.play import make_thinker
from lit_trainer.play.app import Application
from lit_trainer.play.hosts import url
from lit_trainer.play.server import page_server

THINKERS = {name: make_thinker(name) for name in ("random", "ismcts:1000")}
HALF_SENT = b"POST /api/games HTTP/1.1\r\nHost: %b\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"


def status(port: int, asked_for: str, host: str = "127.0.0.1") -> int:
    """Returns the status of the answer to a request with a Host header."""
    connection = http.client.HTTPConnection(host, port, timeout=30)
    try:
        connection.request("GET", "/api/options", headers={"Host": asked_for})
        return connection.getresponse().status
    finally:
        connection.close()


class Life(NamedTuple):
    """Holds what the command showed, from its start with a port and an agent to Ctrl-C."""

    port: int
    listens: list[tuple[str, int]]
    local: int
    foreign: int
    seconds: float
    code: int | None
    log: str


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    folder, port = tmp_path_factory.mktemp("web"), free_port()
    server = started(folder, port, "--agent", "random")
    try:
        listens = listens_on(server.pid)
        local, foreign = status(port, f"localhost:{port}"), status(port, "evil.example")
        with socket.create_connection(("127.0.0.1", port), 30) as stalled:
            stalled.sendall(HALF_SENT % b"localhost")
            time.sleep(0.3)  # until it has begun to read the rest
            os.killpg(server.pid, signal.SIGINT)
            told = time.monotonic()
            try:
                code = server.wait(25)
            except subprocess.TimeoutExpired:
                code = None
        seconds = time.monotonic() - told
    finally:
        server.kill()
        server.wait(30)
    return Life(port, listens, local, foreign, seconds, code, (folder / "web.log").read_text())


@needs_proc
@pytest.mark.slow
def test_unless_told_otherwise_only_this_machine_reaches_it(life: Life) -> None:
    assert life.listens == [("127.0.0.1", life.port)]


@needs_proc
@pytest.mark.slow
def test_unless_told_otherwise_a_foreign_name_is_refused(life: Life) -> None:
    assert (life.local, life.foreign) == (200, 400)
    assert f"Play on http://127.0.0.1:{life.port}/ ;" in life.log


@needs_proc
@pytest.mark.slow
def test_ctrl_c_ends_it_though_a_request_is_stalled(life: Life) -> None:
    assert life.code == 0 and life.seconds < 10, life.log


@contextmanager
def running(server: uvicorn.Server) -> Iterator[int]:
    """Runs a server in a thread, and yields its port."""
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started, 30, "the server starts")
        yield int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(30)


def has(host: str) -> bool:
    """Returns whether this machine has an address to listen on."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_no_loopback_address_answers_to_a_foreign_name(host: str) -> None:
    if not has(host):
        pytest.skip(f"no {host} here")
    with running(page_server(THINKERS, host, 0)) as port:
        own = url(host, port).removeprefix("http://").removesuffix("/")
        for name in (own, own.rpartition(":")[0], "localhost", f"LOCALHOST:{port}", f"[::1]:{port}"):
            assert status(port, name, host) == 200, name
        for name in ("evil.example", f"evil.example:{port}", "localhost.evil.example", "[::1]evil.example", "10.0.0.1"):
            assert status(port, name, host) == 400, name


def test_an_address_that_others_reach_answers_to_any_name() -> None:
    server = page_server(THINKERS, "0.0.0.0", 0)
    with TestClient(server.config.app, base_url="http://my-machine.example") as client:
        assert client.get("/api/options").status_code == 200


@pytest.mark.parametrize("trickles", [False, True])
def test_a_body_that_does_not_come_is_not_waited_for(trickles: bool) -> None:
    """Fails if the server waits for a body that does not come, or keeps the connection for it."""
    server = page_server(THINKERS, "127.0.0.1", 0)
    server.config.app = Application(THINKERS, "random", body_s=0.2).asgi
    with running(server) as port, socket.create_connection(("127.0.0.1", port), 30) as stalled:
        stalled.sendall(HALF_SENT % b"localhost")
        for _ in range(6 if trickles else 0):
            time.sleep(0.02)
            stalled.sendall(b" ")
        answer = b""
        while received := stalled.recv(4096):  # until it is closed
            answer += received
    assert answer.startswith(b"HTTP/1.1 408 ") and b"connection: close" in answer.lower()
    assert b'"body: incomplete after 0.2 seconds"' in answer


def test_a_body_that_breaks_off_is_no_failure(capfd: pytest.CaptureFixture[str]) -> None:
    with running(page_server(THINKERS, "127.0.0.1", 0)) as port:
        with socket.create_connection(("127.0.0.1", port), 30) as broken:
            broken.sendall(HALF_SENT % b"localhost")
            time.sleep(0.1)
        time.sleep(0.1)
        assert status(port, "localhost") == 200
    assert capfd.readouterr().err == ""  # the server's log
