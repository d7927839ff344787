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
IPv4 inside IPv6 (mapped, compatible, 6to4, NAT64, Teredo, ISATAP) is judged as the IPv4 it reaches. Hosts written as numbers (decimal, octal, hex, full-width) are what
the system's resolver makes of them. The same door for webhooks and for mail.
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
# IPv6 networks whose last 32 bits are an IPv4 address: NAT64 (well known and local), IPv4-compatible, translated.
EMBEDDING: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96", "::ffff:0:0:0/96")
)
ISATAP = (0x00005EFE, 0x02005EFE)
PORTS = {"http": 80, "https": 443, "smtp": 587, "smtps": 465}


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


def check_url(url: str, schemes: Sequence[str] = ("http", "https")) -> SplitResult:
    """
    Check the form of a receiver's URL, without resolving anything.

    Raises:
        Malformed: Not of *schemes*, no host, a user or password in it, or a bad port (``bad_url``).
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
    if parts.scheme not in schemes or not parts.hostname or port == 0:
        examples = {
            "http": "http://host[:port]/path",
            "https": "https://…",
            "smtp": "smtp://host[:port]",
            "smtps": "smtps://…",
        }
        wanted = " or ".join(examples[scheme] for scheme in schemes)
        raise Malformed("bad_url", f"url = {url!r}: write {wanted}", "url")
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
            url: http, https, smtp or smtps.
            allow_private: The receiver's own permission for loopback and private addresses.

        Returns:
            The judged addresses; connect to these and to nothing else.

        Raises:
            Forbidden: An address or the host is not allowed (``egress_refused``).
            Unavailable: The host does not resolve (``dns_failed``).
            Malformed: *url* is not one (``bad_url``).
        """
        parts = check_url(url, tuple(PORTS))
        host = (parts.hostname or "").rstrip(".").lower()
        port = parts.port or PORTS[parts.scheme]
        texts = tuple(self._resolve(host, port))
        if not texts:
            raise Unavailable("dns_failed", f"{host!r} resolves to no address")
        for text in texts:
            self._judge(host, text, allow_private=allow_private)
        return Destination(url=url, scheme=parts.scheme, host=host, port=port, addresses=texts)

    def _judge(self, host: str, text: str, *, allow_private: bool) -> None:
        for address in _reached(ipaddress.ip_address(text.partition("%")[0])):
            self._judge_one(host, text, address, allow_private=allow_private)

    def _judge_one(self, host: str, text: str, address: Address, *, allow_private: bool) -> None:
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


def _reached(address: Address) -> tuple[Address, ...]:
    """Give what a connection to *address* may reach: the IPv4 addresses inside of an IPv6 one, else itself."""
    if not isinstance(address, ipaddress.IPv6Address):
        return (address,)
    if address in (ipaddress.IPv6Address("::"), ipaddress.IPv6Address("::1")):
        return (address,)
    low = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo:
        return (address, *address.teredo)
    if (int(address) >> 32) & 0xFFFFFFFF in ISATAP:
        return (address, low)
    found = address.ipv4_mapped or address.sixtofour
    if found is None and any(address in network for network in EMBEDDING):
        found = low
    return (found,) if found else (address,)


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
