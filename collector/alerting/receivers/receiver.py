"""One receiver's settings: what each kind needs and takes, checked on construction, secrets out of every repr."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import getaddresses
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from collector.alerting.guard import check_url
from collector.alerting.signature import decode_secret
from collector.errors import Malformed

ALERT_TYPES = ("alert.firing", "alert.resolved")
EVENT_TYPES = (
    *ALERT_TYPES,
    "breaker.opened",
    "breaker.closed",
    "incident.opened",
    "incident.updated",
    "incident.resolved",
)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
ADDRESS = re.compile(r"[!-;=?A-~]+@[A-Za-z0-9.\[\]:-]+")
# Ours to write: they frame the request, or say who signed it.
OWN_HEADERS = frozenset(
    [
        "host",
        "content-length",
        "content-type",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "upgrade",
        "te",
        "trailer",
        "expect",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    ]
)


@dataclass(frozen=True)
class Kind:
    """
    What a kind of receiver is told.

    Attributes:
        needs: Fields that must be set.
        takes: Fields that may be set, beside those of every kind.
        url: Where to, unless set.
        schemes: What its URL may begin with.
        hides_path: The URL's path is itself a secret.
    """

    needs: frozenset[str]
    takes: frozenset[str] = frozenset()
    url: str = ""
    schemes: tuple[str, ...] = ("http", "https")
    hides_path: bool = False


_AUTHORIZED = frozenset({"token", "username", "password", "headers"})
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "webhook": Kind(frozenset({"url", "secret"}), _AUTHORIZED | {"body", "content_type"}),
        "alertmanager": Kind(frozenset({"url"}), _AUTHORIZED | {"secret"}),
        "slack": Kind(frozenset({"url"}), hides_path=True),
        "msteams": Kind(frozenset({"url"}), hides_path=True),
        "pagerduty": Kind(
            frozenset({"routing_key"}), frozenset({"url"}), url="https://events.pagerduty.com/v2/enqueue"
        ),
        "opsgenie": Kind(frozenset({"api_key"}), frozenset({"url"}), url="https://api.opsgenie.com"),
        "email": Kind(
            frozenset({"url", "sender", "to"}),
            frozenset({"username", "password", "starttls"}),
            schemes=("smtp", "smtps"),
        ),
    }
)
_OF_KINDS = frozenset().union(*(kind.needs | kind.takes for kind in KINDS.values()))


@dataclass(frozen=True)
class Receiver:
    """
    One place events are sent to.

    Raises:
        Malformed: A field is wrong; the message names it and quotes the value (not a secret).
    """

    name: str
    """Letters, digits, ``_ . -``; unique; the key of everything remembered about it."""
    url: str = field(default="", repr=False)
    """Without user and password; of email: ``smtp://host:587`` or ``smtps://host:465``."""
    secret: str = field(default="", repr=False)
    """``whsec_`` and 24 to 64 random bytes in base64; signs every delivery. Several, separated by
    white space, sign side by side."""
    kind: str = "webhook"
    """One of :data:`KINDS`."""
    types: tuple[str, ...] = ALERT_TYPES
    """Which events it gets, of :data:`EVENT_TYPES`."""
    allow_private: bool = False
    """Whether its address may be loopback or private (never link-local or a metadata service)."""
    timeout_s: float = 10.0
    """The whole attempt: connect, send, answer."""
    rate_per_minute: int = 0
    """Attempts in any 60 s, 0 = as many as there are; what is more waits."""
    token: str = field(default="", repr=False)
    """Sent as ``Authorization: Bearer …``."""
    username: str = ""
    """For Basic, or the mail server."""
    password: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Further request headers."""
    body: str = ""
    """Jinja template of the body, "" = the event as it is."""
    content_type: str = "application/json"
    """Of what *body* makes."""
    routing_key: str = field(default="", repr=False)
    """PagerDuty's, of an Events API v2 integration."""
    api_key: str = field(default="", repr=False)
    """Opsgenie's, of an API integration."""
    sender: str = ""
    """Address mails come from."""
    to: tuple[str, ...] = ()
    """Addresses mails go to."""
    starttls: bool = True
    """``smtp://`` asks for TLS and ends without it."""
    secret_path: bool = False
    """The URL came from where secrets come from: its path is not shown either."""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise _bad("name", self.name, "use letters, digits, '_', '.', '-', at most 64")
        if self.kind not in KINDS:
            raise _bad("kind", self.kind, f"known: {', '.join(KINDS)}")
        self._check_fields(KINDS[self.kind])
        self._check_url(KINDS[self.kind])
        self._check_events()
        self._check_credentials()
        self._check_addresses()

    @property
    def shown_url(self) -> str:
        """Scheme, host and path; a query may hold a token, and so may some kinds' path."""
        parts = urlsplit(self.url)
        path = "/…" if KINDS[self.kind].hides_path or self.secret_path else parts.path
        return parts._replace(path=path, query="", fragment="").geturl()

    def _check_fields(self, kind: Kind) -> None:
        if not self.url and kind.url:
            object.__setattr__(self, "url", kind.url)
        for name in sorted(kind.needs):
            if not getattr(self, name):
                raise Malformed(
                    "bad_setting", f"receiver {self.name!r} of kind {self.kind!r} needs {name!r}", name
                )
        for name in sorted(_OF_KINDS - kind.needs - kind.takes - {"url"}):
            if getattr(self, name) != self._default(name):
                raise Malformed(
                    "bad_setting",
                    f"receiver {self.name!r} of kind {self.kind!r} does not take {name!r}",
                    name,
                )

    def _default(self, name: str) -> Any:
        return {} if name == "headers" else type(self).__dataclass_fields__[name].default

    def _check_url(self, kind: Kind) -> None:
        check_url(self.url, kind.schemes)
        if self.kind == "email" and urlsplit(self.url).path not in ("", "/"):
            raise Malformed(
                "bad_url",
                f"url of receiver {self.name!r}: a mail server has no path: smtp://host[:587]",
                "url",
            )

    def _check_events(self) -> None:
        for event_type in self.types:
            if event_type not in EVENT_TYPES:
                raise _bad("types", event_type, f"known: {', '.join(EVENT_TYPES)}")
        if not self.types:
            raise _bad("types", self.types, "name at least one, or leave it out")
        if not 0 < self.timeout_s <= 60:
            raise _bad("timeout_s", self.timeout_s, "give seconds, more than 0, at most 60")
        if not 0 <= self.rate_per_minute <= 100_000:
            raise _bad(
                "rate_per_minute", self.rate_per_minute, "give attempts a minute, 0 (no limit) to 100000"
            )

    def _check_credentials(self) -> None:
        for secret in self.secret.split():
            decode_secret(secret)
        if self.secret and not self.secret.split():
            raise Malformed("bad_secret", f"receiver {self.name!r}: the secret is blank", "secret")
        if bool(self.username) != bool(self.password):
            raise Malformed(
                "bad_setting", f"receiver {self.name!r}: username and password come together", "username"
            )
        if self.token and self.username:
            raise Malformed(
                "bad_setting", f"receiver {self.name!r}: either token or username, not both", "token"
            )
        for name in ("token", "username", "password", "routing_key", "api_key", "content_type"):
            if not _is_one_line(getattr(self, name)):
                raise Malformed(
                    "bad_setting", f"receiver {self.name!r}: {name} holds a control character", name
                )
        self._check_headers()

    def _check_headers(self) -> None:
        for name, value in self.headers.items():
            if not HEADER_NAME.fullmatch(name):
                raise _bad("headers", name, "is no name of a header")
            if name.lower() in OWN_HEADERS:
                raise _bad("headers", name, "is written by Fuseboard")
            if name.lower() == "authorization" and (self.token or self.username):
                raise _bad("headers", name, "is made from token or username")
            if not _is_one_line(value) or not value.isascii():
                raise Malformed(
                    "bad_setting", f"headers: the value of {name!r} is not one line of ASCII", "headers"
                )

    def _check_addresses(self) -> None:
        for name, addresses in (("sender", (self.sender,) if self.sender else ()), ("to", self.to)):
            for address in addresses:
                if len(getaddresses([address])) != 1 or not ADDRESS.fullmatch(mailbox(address)):
                    raise _bad(
                        name,
                        address,
                        "write name@host or 'Name <name@host>', in ASCII before and after the @",
                    )
                if not _is_one_line(address):
                    raise _bad(name, address, "write name@host or 'Name <name@host>'")
        loopback = urlsplit(self.url).hostname in ("localhost", "127.0.0.1", "::1")
        if self.password and self.url.startswith("smtp:") and not self.starttls and not loopback:
            raise _bad("starttls", self.starttls, "a password is not sent without TLS, but to loopback")


def mailbox(address: str) -> str:
    """Give ``name@host`` of ``Name <name@host>``."""
    return getaddresses([address])[0][1]


def _is_one_line(text: str) -> bool:
    return not any(character < " " or character in "\x7f\x85\u2028\u2029" for character in text)


def _bad(setting: str, value: object, advice: str) -> Malformed:
    return Malformed("bad_setting", f"{setting} = {value!r}: {advice}", setting)
