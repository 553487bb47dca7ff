"""Whether a server's address is this machine's own."""

import asyncio
import ipaddress
import socket
from typing import Final

_ADD_ONS: Final = ipaddress.ip_network("172.30.32.0/23")
"""The network inside Home Assistant OS that add-ons live in."""


async def is_this_machine(host: str) -> bool:
    """True when the host runs here, also when nobody can tell: then it counts as no other machine.

    Add-ons of Home Assistant OS run here too.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except OSError, UnicodeError:
        return True
    return any(_is_own(family, address[0]) for family, _, _, _, address in found)


def _is_own(family: int, text: str | int) -> bool:
    address = ipaddress.ip_address(str(text).partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback or address.is_unspecified or address in _ADD_ONS:
        return True
    try:  # nothing is sent: the system only says which of its addresses it would send from
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(text), 9))
            own = probe.getsockname()[0]
    except OSError:
        return False
    return bool(own == text)
