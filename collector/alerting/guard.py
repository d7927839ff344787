"""
Egress: may a webhook go there, and to which address exactly (design.md §10).

A URL in a settings page is a way into the network it is sent from. So the host is resolved here,
every address it has is judged, and the connection is made to the judged address, not to a name
that could resolve to another one a moment later (DNS rebinding).

Judged in this order:

1. Never, whatever is allowed: link-local, cloud metadata services, multicast, unspecified.
2. ``egress_allow`` not empty: the host must match a name, or the address lie in a network of it.
3. An address that is not public: in a network of ``egress_allow``, or ``allow_private`` on the
   receiver. A listed *name* alone does not open private addresses.

One refused address refuses the host: an answer that mixes public and private ones is an attack.
IPv4 inside IPv6 (mapped, 6to4, NAT64) is judged as the IPv4 it reaches.
Source: OWASP SSRF prevention cheat sheet; IANA special-purpose address registries.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from collector.errors import Forbidden, Malformed, Unavailable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Sequence[str]]

NEVER: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # "this host": connects to loopback on Linux
        "169.254.0.0/16",  # link-local; the metadata service of most clouds
        "100.100.100.200/32",  # Alibaba Cloud metadata
        "168.63.129.16/32",  # Azure's host agent
        "192.0.0.192/32",  # Oracle Cloud metadata
        "224.0.0.0/4",  # multicast
        "255.255.255.255/32",  # broadcast
        "::/128",  # unspecified
        "fe80::/10",  # link-local
        "fd00:ec2::254/128",  # AWS metadata
        "fd20:ce::254/128",  # Google Cloud metadata
        "ff00::/8",  # multicast
    )
)
LABEL = re.compile(r"[\w-]{1,63}")
NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True)
class Destination:
    """Where a delivery connects: *addresses* in the resolver's order, for *host* on *port*."""

    url: str
    scheme: str
    host: str
    port: int
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Allow:
    """``egress_allow``, read: exact and wildcard host names, and networks."""

    names: frozenset[str]
    suffixes: tuple[str, ...]
    networks: tuple[Network, ...]

    @property
    def empty(self) -> bool:
        """Whether nothing is listed: every public address is allowed."""
        return not (self.names or self.suffixes or self.networks)

    def matches_name(self, host: str) -> bool:
        """Whether *host* is listed by name."""
        return host in self.names or host.endswith(self.suffixes or ("\0",))

    def contains(self, address: Address) -> bool:
        """Whether *address* lies in a listed network."""
        return any(address in network for network in self.networks)


def check_url(url: str) -> SplitResult:
    """
    Check the form of a receiver's URL, without resolving anything.

    Raises:
        Malformed: Not http(s), no host, a user or password in it, or a bad port (``bad_url``).
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Malformed("bad_url", f"url = {url!r}: {error}", "url") from error
    if "@" in parts.netloc:
        raise Malformed(
            "bad_url", f"url: no user and password in {parts.hostname!r}'s URL, use the secret", "url"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise Malformed("bad_url", f"url = {url!r}: write http://host[:port]/path or https://…", "url")
    if any(character <= " " or character == "\x7f" for character in url):
        raise Malformed("bad_url", f"url = {url!r}: spaces and control characters must be %-encoded", "url")
    return parts


def parse_allow(items: Sequence[str]) -> Allow:
    """
    Read ``egress_allow``.

    Raises:
        Malformed: An entry is neither a host name, ``*.suffix``, an address nor a network.
    """
    names, suffixes, networks = set(), [], []
    for item in items:
        network = _network(item)
        if network is not None:
            networks.append(network)
        elif item.startswith("*.") and _is_name(item[2:]):
            suffixes.append(item[1:].lower())
        elif _is_name(item):
            names.add(item.lower())
        else:
            raise Malformed(
                "bad_setting",
                f"egress_allow entry {item!r}: write a host, *.suffix, an address or a network like 10.0.0.0/8",
                "egress_allow",
            )
    return Allow(frozenset(names), tuple(suffixes), tuple(networks))


def resolve_host(host: str, port: int) -> tuple[str, ...]:
    """
    Resolve through the system.

    Raises:
        Unavailable: The name does not resolve now (``dns_failed``).
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unavailable("dns_failed", f"{host!r} does not resolve: {error}") from error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


class Egress:
    """
    The one door webhooks leave by.

    Args:
        allow: ``egress_allow`` of the settings.
        resolve: Host and port to addresses; replaced in tests.
    """

    def __init__(self, allow: Sequence[str], resolve: Resolve = resolve_host) -> None:
        self._allow = parse_allow(allow)
        self._resolve = resolve

    def admit(self, url: str, *, allow_private: bool) -> Destination:
        """
        Resolve *url*'s host and judge every address.

        Args:
            url: http or https.
            allow_private: The receiver's own permission for loopback and private addresses.

        Returns:
            The judged addresses; connect to these and to nothing else.

        Raises:
            Forbidden: An address or the host is not allowed (``egress_refused``).
            Unavailable: The host does not resolve (``dns_failed``).
            Malformed: *url* is not one (``bad_url``).
        """
        parts = check_url(url)
        host = (parts.hostname or "").rstrip(".").lower()
        port = parts.port or (443 if parts.scheme == "https" else 80)
        texts = tuple(self._resolve(host, port))
        if not texts:
            raise Unavailable("dns_failed", f"{host!r} resolves to no address")
        for text in texts:
            self._judge(host, text, allow_private=allow_private)
        return Destination(url=url, scheme=parts.scheme, host=host, port=port, addresses=texts)

    def _judge(self, host: str, text: str, *, allow_private: bool) -> None:
        address = _reached(ipaddress.ip_address(text.partition("%")[0]))
        if any(address in network for network in NEVER):
            raise _refused(host, text, "link-local, metadata and multicast addresses are never allowed")
        if self._allow.contains(address):
            return
        if not self._allow.empty and not self._allow.matches_name(host):
            raise _refused(host, text, "neither is in egress_allow; list the host or its network there")
        if not (address.is_global or allow_private):
            raise _refused(
                host,
                text,
                "not a public address; list its network in egress_allow or set allow_private on the receiver",
            )


def _reached(address: Address) -> Address:
    """Give the IPv4 address an IPv6 one leads to, else the address itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _refused(host: str, address: str, why: str) -> Forbidden:
    return Forbidden("egress_refused", f"{host!r} at {address}: {why}", "url")


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


def _is_name(text: str) -> bool:
    labels = text.split(".")
    return all(LABEL.fullmatch(label) for label in labels) and not labels[-1].isdecimal()
