"""What a request of ``/api`` is, for the keys: reading, changing what people keep, or managing the collector."""

from __future__ import annotations

# Whatever is done there: who has keys, who may sign in, how the collector is set.
_MANAGED = ("/v1/keys", "/v1/users", "/v1/settings")
# Only looking at them is for everybody: a test goes out into the world.
_SENT = ("/v1/receivers",)
# A statement is a question, though it is sent.
_ASKED = ("/v1/sql",)
# What a pipeline tells: it holds an ingest key.
_TOLD = ("/v1/deploys",)
_SESSION = "/v1/session"
_PROVIDER = "/v1/session/oidc"


def action_of(method: str, path: str) -> str | None:
    """
    Say what a key has to be allowed to.

    Returns:
        ``read``, ``tell``, ``change``, ``manage``; ``None`` = nothing: signing in is for those who have nothing yet.
    """
    path = path.removeprefix("/api")
    if (path == _SESSION and method == "POST") or _is_at(path, (_PROVIDER,)):
        return None
    if _is_at(path, _MANAGED):
        return "manage"
    if method in {"GET", "HEAD"} or path in _ASKED or _is_at(path, (_SESSION,)):
        return "read"
    if _is_at(path, _SENT):
        return "manage"
    return "tell" if path in _TOLD else "change"


def _is_at(path: str, places: tuple[str, ...]) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in places)
