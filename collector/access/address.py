"""
Where a sign-in comes from, past the proxies before us.

``X-Forwarded-For`` is what anybody may write. It is believed of this machine (the pages in this process, a proxy beside us) and of the networks in the setting
`trusted_proxies`; read from its end, the first address that is none of these is the client's.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# What one customer of a network has of IPv6.
_IPV6_PREFIX = 64
# Beyond this many hops it is no chain of proxies.
_MOST_HOPS = 20


def client_of(peer: str, forwarded: str, trusted: Sequence[Network]) -> str:
    """
    Give the client's address; of IPv6 its /64.

    Args:
        peer: Who is connected.
        forwarded: ``X-Forwarded-For``, "" if there is none.
        trusted: Whose word is taken.

    Returns:
        "" for a program of this machine, and where nobody can tell.
    """
    hops = [peer, *reversed([each.strip() for each in forwarded.split(",")][-_MOST_HOPS:])]
    for hop in hops:
        try:
            address = ipaddress.ip_address(hop)
        except ValueError:
            return ""
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        if address.is_loopback or any(address in network for network in trusted):
            continue
        if address.version == 6:
            return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
        return str(address)
    return ""
