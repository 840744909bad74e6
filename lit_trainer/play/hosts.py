"""Decides by which host names a server that only this machine reaches may be addressed.

A foreign page can point its own host name at this machine (DNS rebinding); the browser then takes our answers for that
page's. Such requests carry the foreign name, so they can be refused.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection

# RFC 9110: a name or an address, an IPv6 address in brackets, and perhaps a port
_HOST = re.compile(r"(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<name>[^:\[\]]+))(?::[0-9]*)?")


def is_local(name: str) -> bool:
    """Returns whether the name is ``localhost`` or a loopback address such as ``::1``, which DNS cannot redirect."""
    if name.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def stays_here(host: str) -> bool:
    """Returns whether only this machine reaches a server that listens on that address or name.

    Raises:
        ValueError: It is neither an address nor a name that resolves to one.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ValueError(f"host: {host!r} given, expected an address or name of this machine: {error}") from None
    return all(is_local(str(address[0])) for *_, address in found)


def addresses(header: str, names: Collection[str]) -> bool:
    """Returns whether a request's ``Host`` header, with or without a port, is local or one of the lower-case names."""
    found = _HOST.fullmatch(header)
    if not found:
        return False
    name = (found["ipv6"] or found["name"]).lower()
    return is_local(name) or name in names


def url(host: str, port: int) -> str:
    """Returns the address at which a browser finds the page.

    >>> url("127.0.0.1", 8000), url("::1", 8000)
    ('http://127.0.0.1:8000/', 'http://[::1]:8000/')
    """
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
