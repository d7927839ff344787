"""
Every error the collector answers with, as one tree.

::

    FuseboardError(code, message, param)
      Rejected            permanent: the same request will never be taken
        Unauthenticated   401
        Forbidden         403
        NotFound          404
        MethodNotAllowed  405
        Conflict          409
        TooLarge          413
        Unsupported       415
        Malformed         400
        Gone              499, nobody reads it: the client went away
      Refused             retryable, carries retry_after_s
        NoRoom            429
        Unavailable       503
      JournalError        the journal could not keep its promise (503)
        JournalFull       no space left to append
      StoreError          ClickHouse
        StoreUnavailable  no answer: the fate of a write is unknown (503)
        StoreRejected     an answer that says no; carries ClickHouse's error code
      QueryError          a question that cannot be asked
        QuerySyntax       400, carries the position
        QueryTooExpensive 422
        QueryUnanswerable 422, well formed, but there is no answer to it

``code`` is the bounded slug that stands in the answer, in the log field and in the metric label.
Source: style.md, "Errors" (after mozilla-services/antenna's slugs).
"""

from __future__ import annotations

# The ``type`` of the error body, by status: what the caller can do about it.
KINDS = {
    400: "invalid_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported",
    422: "too_expensive",
    429: "no_room",
    500: "internal",
    503: "unavailable",
}


class FuseboardError(Exception):
    """Something the caller is told about: a slug, a sentence, and the parameter it is about."""

    status = 500

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


class Rejected(FuseboardError):
    """The request is wrong and stays wrong: do not retry."""

    status = 400


class Malformed(Rejected):
    """The bytes are not what they claim to be."""


class Unauthenticated(Rejected):
    """No key, or one nobody issued."""

    status = 401


class Forbidden(Rejected):
    """A known caller that may not do this."""

    status = 403


class NotFound(Rejected):
    """Nothing lives there."""

    status = 404


class MethodNotAllowed(Rejected):
    """The path exists, the method does not."""

    status = 405


class Conflict(Rejected):
    """The same identity was used for something else."""

    status = 409


class TooLarge(Rejected):
    """Over a limit that is a setting."""

    status = 413


class Unsupported(Rejected):
    """A content type or encoding nobody here reads."""

    status = 415


class Gone(Rejected):
    """The asker went away while the answer was made; 499 as web servers log it."""

    status = 499


class Refused(FuseboardError):
    """Not now: the same request may succeed after *retry_after_s* seconds."""

    status = 503

    def __init__(
        self, code: str, message: str, param: str | None = None, *, retry_after_s: float = 1.0
    ) -> None:
        super().__init__(code, message, param)
        self.retry_after_s = retry_after_s


class NoRoom(Refused):
    """The journal is at its bound."""

    status = 429


class Unavailable(Refused):
    """A part the request needs is away."""


class JournalError(Refused):
    """The journal could not make the bytes durable; nothing was acknowledged."""


class JournalFull(JournalError):
    """The disk has no space left."""

    status = 429


class StoreError(FuseboardError):
    """ClickHouse, seen from the collector; *clickhouse_code* is its error number, 0 where it gave none."""

    status = 503
    clickhouse_code = 0


class StoreUnavailable(StoreError):
    """No answer came: a write's fate is unknown, a read may be repeated."""

    def __init__(self, message: str, clickhouse_code: int = 0) -> None:
        super().__init__("engine_unavailable", message)
        self.clickhouse_code = clickhouse_code


class StoreRejected(StoreError):
    """
    ClickHouse answered no.

    Args:
        message: Its own words, shortened.
        clickhouse_code: Its error number (60 UNKNOWN_TABLE, …), 0 if it gave none.
    """

    status = 500

    def __init__(self, message: str, clickhouse_code: int = 0) -> None:
        super().__init__("store_rejected", message)
        self.clickhouse_code = clickhouse_code


class QueryError(FuseboardError):
    """A question that cannot be asked as it stands; *position* is the offset of what is wrong in its text, where that is known."""

    status = 400
    position: int | None = None


class QuerySyntax(QueryError):
    """The text does not parse; *position* is the offset of the first character that does not fit."""

    def __init__(self, message: str, position: int, param: str = "query") -> None:
        super().__init__("query_syntax", message, param)
        self.position = position


class QueryTooExpensive(QueryError):
    """Over the time, memory or row limit; the message says what to narrow."""

    status = 422

    def __init__(self, message: str) -> None:
        super().__init__("query_too_expensive", message)


class QueryUnanswerable(QueryError):
    """It parses, and still it has no answer: a function nobody built, series that cannot be told apart."""

    status = 422
