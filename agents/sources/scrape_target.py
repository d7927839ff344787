"""
What ``[[scrape]]`` names, asked once: credentials, TLS, bounds, and whether the answer is an exposition at all.

Passwords and tokens are read from their files at each scrape, certificates when their files change, so that rotated ones are
used without a restart.
"""

import base64
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from agents.settings_values import ScrapeSettings
from agents.sources.http_get import HttpError, get, plain
from agents.sources.numbered import PLAIN

if TYPE_CHECKING:
    import ssl

# OpenMetrics first: it alone carries exemplars, which lead from a number to its trace.
ACCEPT = (
    "application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.7,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
END = b"# EOF"
_SAMPLE = re.compile(rb"^[ \t]*[^\s#]", re.MULTILINE)  # a line that is neither blank nor a comment
_FIRST = re.compile(rb'\s*(?:#|[a-zA-Z_:][a-zA-Z0-9_:]*[ \t{]|\{\s*")')


class Exposition(NamedTuple):
    """What a target said: *samples* are the lines of *body* that are neither blank nor comments."""

    content_type: str
    body: bytes
    samples: int


class Target:
    """One endpoint."""

    def __init__(self, settings: ScrapeSettings) -> None:
        self._settings = settings
        self._context: ssl.SSLContext | None = None
        self._made_of: tuple[float, ...] = ()

    def fetch(self) -> Exposition:
        """
        Ask once.

        Raises:
            HttpError: No answer (codes of ``http_get.get``), or one that is not an exposition within bounds: ``status``,
                ``empty``, ``too_large``, ``too_many_samples``, ``not_exposition``, ``bad_encoding``, ``credentials``.
        """
        settings = self._settings
        headers = {"Accept": ACCEPT, "Accept-Encoding": "gzip", "User-Agent": "fuseboard-agent"}
        answer = get(
            settings.url,
            timeout_s=settings.timeout_s,
            max_bytes=settings.max_bytes,
            headers=headers | authorization(settings),
            context=self._tls() if settings.url.startswith("https:") else None,
        )
        if answer.status != 200:
            raise HttpError("status", f"{settings.url} answered {answer.status}")
        content_type, body = answer.headers.get("content-type", PLAIN), plain(answer, settings.max_bytes)
        if content_type.startswith("text/event-stream"):
            from agents.sources.hystrix_stream import exposition  # few services have one

            content_type, body = PLAIN, exposition(body)
        return judged(content_type, body, settings)

    def _tls(self) -> "ssl.SSLContext":
        """Make the context of the files as they are now; the one before while they have not changed."""
        import ssl

        settings = self._settings
        files = [file for file in (settings.ca_file, settings.cert_file, settings.key_file) if file]
        try:
            made_of = tuple(file.stat().st_mtime for file in files)
            if self._context is None or made_of != self._made_of:
                self._context = ssl.create_default_context(cafile=settings.ca_file)
                if settings.cert_file:
                    self._context.load_cert_chain(settings.cert_file, settings.key_file)
                self._made_of = made_of
        except OSError as error:  # ssl.SSLError is one
            raise HttpError("credentials", f"certificates for {settings.url}: {error}") from error
        return self._context


def authorization(settings: ScrapeSettings) -> dict[str, str]:
    """
    Give the header that says who asks; none where nothing is set.

    Raises:
        HttpError: ``credentials``: a file cannot be read, or holds what no header can carry.
    """
    token = _secret(settings.bearer_token, settings.bearer_token_file)
    if token is not None:
        return {"Authorization": f"Bearer {token}"}
    if settings.username is None:
        return {}
    pair = f"{settings.username}:{_secret(settings.password, settings.password_file) or ''}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def judged(content_type: str, body: bytes, settings: ScrapeSettings) -> Exposition:
    """
    Count the samples of an answer in one pass, or refuse it.

    Raises:
        HttpError: It is not an exposition, or beyond a bound.
    """
    if not body.strip():
        raise HttpError("empty", f"{settings.url} sent an empty body")
    if len(body) > settings.max_bytes:
        raise HttpError("too_large", f"{settings.url} sent more than {settings.max_bytes} bytes")
    if _FIRST.match(body) is None:
        raise HttpError("not_exposition", f"{settings.url} sent no exposition; it begins with {body[:40]!r}")
    if "openmetrics" in content_type and not body.rstrip().endswith(END):
        raise HttpError("cut", f"{settings.url} sent OpenMetrics without its last line, # EOF")
    samples = len(_SAMPLE.findall(body))
    if 0 < settings.max_samples < samples:
        raise HttpError(
            "too_many_samples", f"{settings.url} sent {samples} samples; {settings.max_samples} are taken"
        )
    return Exposition(content_type, body, samples)


def _secret(given: str | None, file: Path | None) -> str | None:
    if file is None:
        return given
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise HttpError("credentials", f"{str(file)!r} cannot be read: {error}") from error
    if not (text.isascii() and text.isprintable()):
        raise HttpError("credentials", f"{str(file)!r} holds what no header can carry; give printable ASCII")
    return text
