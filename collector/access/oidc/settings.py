"""What the provider is, with its secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from collector.errors import Malformed
from collector.settings import OidcSettings, is_loopback

# A secret of this size is somebody's log file.
_MOST_BYTES = 16_384
CALLBACK = "/sign-in/oidc/callback"


@dataclass(frozen=True, slots=True)
class Client:
    """
    We, as the provider knows us.

    Args:
        told: The settings.
        secret: Of `told.client_id`.
        redirect_uri: Where the provider sends people back.
    """

    told: OidcSettings
    secret: str
    redirect_uri: str

    @property
    def issuer(self) -> str:
        """The provider, as it calls itself."""
        return self.told.issuer


def client_of(told: OidcSettings, public_url: str | None, environ: Mapping[str, str]) -> Client:
    """
    Read the secret and check the addresses.

    Raises:
        Malformed: ``bad_setting``; the message names the setting and never quotes a secret.
    """
    if public_url is None:
        raise _bad(
            "public_url",
            f"[oidc] needs it: the provider sends people back to <public_url>{CALLBACK}, an address that has to be registered there",
        )
    check_address("oidc.issuer", told.issuer)
    return Client(told, _secret(told, environ), public_url.rstrip("/") + CALLBACK)


def check_address(what: str, address: str) -> None:
    """
    Let https pass, and http to this machine.

    Raises:
        Malformed: ``bad_setting``.
    """
    url = urlsplit(address)
    if not url.hostname or url.scheme not in ("https", "http"):
        raise _bad(what, f"{address!r} is no address: write https://…, as the provider's documents name it")
    if url.scheme == "http" and not is_loopback(url.hostname):
        raise _bad(
            what,
            f"{address!r}: tokens would travel unencrypted; https is required for any host but this machine",
        )


def _secret(told: OidcSettings, environ: Mapping[str, str]) -> str:
    given = told.client_secret.get_secret_value() if told.client_secret else ""
    if sum(map(bool, (given, told.client_secret_env, told.client_secret_file))) != 1:
        raise _bad(
            "oidc.client_secret", "give one of client_secret, client_secret_env and client_secret_file"
        )
    if told.client_secret_env:
        given = environ.get(told.client_secret_env, "").strip()
        if not given:
            raise _bad(
                "oidc.client_secret_env",
                f"the environment has no {told.client_secret_env!r}, or it is empty",
            )
    return _read(Path(told.client_secret_file)) if told.client_secret_file else given


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            held = file.read(_MOST_BYTES + 1)
        text = held.decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise _bad("oidc.client_secret_file", f"{str(path)!r} cannot be read: {why}") from error
    if not text or len(held) > _MOST_BYTES:
        raise _bad("oidc.client_secret_file", f"{str(path)!r} is empty or larger than {_MOST_BYTES} bytes")
    return text


def _bad(setting: str, why: str) -> Malformed:
    return Malformed("bad_setting", f"{setting}: {why}", setting)
