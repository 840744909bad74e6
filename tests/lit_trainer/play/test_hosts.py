"""Host names: which are local, and which addresses only this machine reaches."""

from __future__ import annotations

import re

import pytest

from lit_trainer.play import make_thinker
from lit_trainer.play.hosts import addresses, stays_here
from lit_trainer.play.server import page_server

THINKERS = {name: make_thinker(name) for name in ("random", "ismcts:1000")}


@pytest.mark.parametrize(
    ("header", "local"),
    [
        ("127.9.9.9:80", True),
        ("[0:0:0:0:0:0:0:1]", True),
        ("[::ffff:127.0.0.1]:1", True),
        ("Mine:1", True),
        ("[::ffff:10.0.0.1]", False),
        ("::1", False),
        ("127.0.0.1.evil.example", False),
        ("127.0.0.1:80:80", False),
        ("localhost@evil.example", False),
        ("0.0.0.0", False),
        ("localhost:x", False),
        ("localhost\n", False),
        ("[]", False),
        ("", False),
    ],
)
def test_what_counts_as_a_local_name(header: str, local: bool) -> None:
    assert addresses(header, {"mine"}) is local


def test_addresses_that_only_this_machine_reaches() -> None:
    assert [stays_here(host) for host in ("127.1", "127.0.0.2", "::1", "localhost")] == [True] * 4
    assert not stays_here("0.0.0.0") and not stays_here("::") and not stays_here("192.0.2.1")


@pytest.mark.parametrize("host", ["", "[::1]", "a" * 70])
def test_what_is_no_address_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match=rf"^host: {re.escape(repr(host))} given, expected an address"):
        page_server(THINKERS, host, 0)
