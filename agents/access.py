"""How collectors are reached: the key we show, whom we trust, the proxy on the way. Replaced whole at a reload."""

import threading
from pathlib import Path
from typing import Any

from agents.errors import WrongSetting
from agents.settings_values import Settings, TlsSettings


class Key:
    """The ingest key; read again from its file when a collector does not know it."""

    def __init__(self, text: str | None, file: Path | None) -> None:
        self.text = text
        self._file = file

    def reread(self) -> bool:
        """Look into the file again; True when it holds another key now."""
        if self._file is None:
            return False
        try:
            found = self._file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return False
        if not found or found == self.text or not (found.isascii() and found.isprintable()):
            return False
        self.text = found
        return True


class Access:
    """What every connection to a collector needs; may be shared by threads."""

    def __init__(self, settings: Settings) -> None:
        self.key = Key(settings.key, settings.key_file)
        self.proxy = settings.proxy
        self._tls = settings.tls
        self._lock = threading.Lock()
        self._context: Any = None

    def context(self) -> Any:
        """
        Give the TLS context, made at the first use: without https nothing of it is resident.

        Raises:
            OSError: A file of ``[tls]`` has gone or cannot be used any more.
        """
        with self._lock:
            if self._context is None:
                self._context = tls_context(self._tls)
            return self._context


def tls_context(settings: TlsSettings) -> Any:
    """
    Make an ``ssl.SSLContext`` that checks certificates and names; ``ca_file`` replaces the system's authorities.

    Raises:
        OSError: A file cannot be read, or holds no certificate or no fitting key (``ssl.SSLError``).
    """
    import ssl

    context = ssl.create_default_context(cafile=settings.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.cert_file is not None:
        context.load_cert_chain(settings.cert_file, settings.key_file, password=_no_password)
    return context


def check_tls(settings: TlsSettings, prefix: str = "tls") -> None:
    """
    Try the files of ``[tls]``.

    Raises:
        WrongSetting: One is missing, unreadable, or does not fit the others; the sentence names it.
    """
    if settings.key_file is not None and settings.cert_file is None:
        raise WrongSetting(f"{prefix}.key_file", "is given without cert_file: name the certificate as well")
    if settings.cert_file is not None and settings.key_file is None:
        raise WrongSetting(
            f"{prefix}.cert_file", "is given without key_file: name the certificate's key as well"
        )
    for name in ("ca_file", "cert_file", "key_file"):
        file = getattr(settings, name)
        if file is not None:
            check_readable(f"{prefix}.{name}", file)
    if settings.ca_file is not None or settings.cert_file is not None:
        _try_context(settings, prefix)


def check_readable(name: str, file: Path) -> None:
    """
    Open *file* and close it again.

    Raises:
        WrongSetting: It cannot be read.
    """
    try:
        file.open("rb").close()
    except OSError as error:
        raise WrongSetting(name, f"{str(file)!r} cannot be read: {error}") from error


def _try_context(settings: TlsSettings, prefix: str) -> None:
    try:
        tls_context(TlsSettings(settings.ca_file, None, None))
    except OSError as error:
        raise WrongSetting(
            f"{prefix}.ca_file", f"{str(settings.ca_file)!r} holds no certificates in PEM: {error}"
        ) from error
    try:
        tls_context(settings)
    except OSError as error:
        pair = f"{str(settings.cert_file)!r} and {str(settings.key_file)!r}"
        raise WrongSetting(
            f"{prefix}.cert_file", f"{pair} are not a certificate and its unencrypted key in PEM: {error}"
        ) from error


def _no_password() -> str:
    """Refuse to ask on the terminal for an encrypted key's password."""
    return ""
