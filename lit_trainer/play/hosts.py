"""By which names a server of this machine alone may be addressed.

A page from elsewhere can let a name of its own lead here (DNS rebinding), and the browser takes our answers for its
own; but such requests carry that name.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection

# RFC 9110: a name or an address, an IPv6 address in brackets, and perhaps a port
_HOST = re.compile(r"(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<name>[^:\[\]]+))(?::[0-9]*)?")


def is_local(name: str) -> bool:
    """Whether it is ``localhost`` or a loopback address (``127.0.0.2``, ``::1``), which no name server can redirect."""
    if name.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def stays_here(host: str) -> bool:
    """Whether only this machine reaches a server that listens on that address, or on all that the name stands for.

    Raises:
        ValueError: it is neither an address nor a name that stands for one.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ValueError(f"host: {host!r} given, expected an address or name of this machine: {error}") from None
    return all(is_local(str(address[0])) for *_, address in found)


def addresses(header: str, names: Collection[str]) -> bool:
    """Whether a request's ``Host`` header, with or without a port, is local or one of some names (in small letters)."""
    found = _HOST.fullmatch(header)
    if not found:
        return False
    name = (found["ipv6"] or found["name"]).lower()
    return is_local(name) or name in names


def url(host: str, port: int) -> str:
    """Where a browser finds the page.

    >>> url("127.0.0.1", 8000), url("::1", 8000)
    ('http://127.0.0.1:8000/', 'http://[::1]:8000/')
    """
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
