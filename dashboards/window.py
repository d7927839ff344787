"""The time range and environment of a page: three URL parameters, understood once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import quote, urlencode

from dashboards.timestamps import parse_moment, rfc3339

DEFAULT_START = "-1h"
DEFAULT_END = "now"

QUICK_RANGES = (
    ("-15m", "15 min"),
    ("-1h", "1 hour"),
    ("-6h", "6 hours"),
    ("-1d", "1 day"),
    ("-7d", "7 days"),
)
"""Offered beside the two input boxes: (start, label), each ending now."""


class BadParameterError(ValueError):
    """A parameter of a page's URL that means nothing; shown to the reader as status 400."""

    def __init__(self, param: str, value: str, advice: str) -> None:
        super().__init__(f"{param}={value!r}: {advice}")
        self.param = param
        self.value = value
        self.advice = advice


@dataclass(frozen=True)
class Window:
    """
    What ``start``, ``end`` and ``env`` of a page's URL mean.

    The texts are kept as they were typed, so that ``-1h … now`` stays relative in every link;
    the moments are what the API is asked for, so that all parts of a page show the same range.
    """

    start_text: str
    end_text: str
    env: str
    start: datetime
    end: datetime

    @property
    def live(self) -> bool:
        """True if the range ends now: such a page is worth refreshing."""
        return self.end_text == "now"

    @property
    def question(self) -> dict[str, str]:
        """The window as parameters of an API call."""
        asked = {"start": rfc3339(self.start), "end": rfc3339(self.end)}
        return asked | ({"env": self.env} if self.env else {})

    def fixed(self) -> Window:
        """The same range with absolute ends: what a shared or paged link must carry."""
        return self.between(self.start, self.end)

    def between(self, start: datetime, end: datetime) -> Window:
        """Another range in the same environment."""
        return replace(self, start_text=rfc3339(start), end_text=rfc3339(end), start=start, end=end)

    def around(self, at: datetime, minutes: float = 1) -> Window:
        """The range *minutes* before and after *at*."""
        reach = timedelta(minutes=minutes)
        return self.between(at - reach, at + reach)

    def url(self, *segments: str, **parameters: object) -> str:
        """
        Link to a page of this site in this window.

        Args:
            segments: Path parts, quoted here (a service may be called ``a/b``).
            parameters: Further query parameters; None and "" are left out.
        """
        path = "/" + "/".join(quote(segment, safe="") for segment in segments)
        asked = {"start": self.start_text, "end": self.end_text, "env": self.env}
        asked |= {name: str(value) for name, value in parameters.items() if value not in (None, "")}
        return f"{path}?{urlencode(asked, quote_via=quote)}"

    def trace_url(self, trace_id: str, span_id: str = "") -> str:
        """Link to a trace, opened at one of its spans; "" without a trace."""
        if not trace_id:
            return ""
        fragment = f"#span-{quote(span_id)}" if span_id else ""
        return self.url("traces", trace_id, span=span_id) + fragment


def read_window(query: Mapping[str, str], now: datetime) -> Window:
    """
    Understand the window of a page's URL.

    Raises:
        BadParameterError: A time that cannot be read, or an end that is not after the start.
    """
    start_text = query.get("start", "").strip() or DEFAULT_START
    end_text = query.get("end", "").strip() or DEFAULT_END
    start = _moment("start", start_text, now)
    end = _moment("end", end_text, now)
    if end <= start:
        raise BadParameterError("end", end_text, f"the end must be later than the start ({start_text})")
    return Window(start_text, end_text, query.get("env", "").strip(), start, end)


def _moment(param: str, text: str, now: datetime) -> datetime:
    try:
        return parse_moment(text, now)
    except ValueError as error:
        advice = "write now, -15m, -6h, -2d or a time such as 2026-11-22T03:15:00Z"
        raise BadParameterError(param, text, advice) from error
