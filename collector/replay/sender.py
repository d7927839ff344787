"""One request until it is answered: what is refused for now is sent again, what is rejected is said."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector.replay.parcel import Parcel
from collector.terminal.address import Address
from collector.terminal.output import TerminalError
from collector.terminal.plain import safe

if TYPE_CHECKING:
    import httpx

_CONNECT_S, _ANSWER_S = 5.0, 120.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
# What no other parcel would be answered otherwise.
_FOR_ALL = frozenset({401, 403, 404, 405})


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What became of a parcel.

    Attributes:
        duplicate: It was there already.
        rejected: Why the collector will never take it; "" = it took it.
    """

    duplicate: bool = False
    rejected: str = ""


class Sender:
    """
    The way to one collector.

    Args:
        where: It.
        patience_s: Seconds without any answer after which the replay ends.
    """

    def __init__(self, where: Address, patience_s: float) -> None:
        import httpx

        headers = {"authorization": f"Bearer {where.key}"} if where.key else {}
        self._where = where
        self._patience_s = patience_s
        self._http = httpx.Client(
            base_url=where.url,
            headers={"user-agent": "fuseboard-replay", "content-encoding": "zstd", **headers},
            timeout=httpx.Timeout(_ANSWER_S, connect=_CONNECT_S),
        )

    def send(self, parcel: Parcel, key: str, pause: Callable[[float], None] = time.sleep) -> Answer:
        """
        Send *parcel* under *key* until it is answered.

        Raises:
            TerminalError: The key may not write, this is no collector, or it has not answered for `patience_s`.
        """
        from backports import zstd

        body = zstd.compress(parcel.body, 1)
        headers = {"content-type": parcel.content_type, "idempotency-key": key, **parcel.headers}
        deadline = time.monotonic() + self._patience_s
        wait_s = _FIRST_PAUSE_S
        while True:
            said, after_s = self._once(parcel.path, body, headers)
            if isinstance(said, Answer):
                return said
            if time.monotonic() + after_s > deadline:
                raise TerminalError(f"{said}; the same command goes on where it ended")
            pause(max(after_s, wait_s))
            wait_s = min(wait_s * 2, _LONGEST_PAUSE_S)

    def _once(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[Answer | str, float]:
        import httpx

        try:
            answer = self._http.post(path, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            said = safe(str(error) or type(error).__name__)
            return f"no collector answers at {safe(self._where.url)} ({said})", 0.0
        if answer.status_code in _AGAIN:
            after = answer.headers.get("retry-after", "")
            return f"the collector refuses for now: {_reason(answer)}", float(
                after
            ) if after.isdigit() else 0.0
        if answer.status_code in _FOR_ALL or answer.is_redirect:
            raise TerminalError(f"{safe(self._where.url)}: {_reason(answer)} (--url, --key)")
        if not answer.is_success:
            return Answer(rejected=_reason(answer)), 0.0
        return Answer(duplicate=answer.headers.get("fuseboard-duplicate") == "true"), 0.0

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _reason(answer: httpx.Response) -> str:
    try:
        error = answer.json()["error"]
        return safe(f"{answer.status_code} {error['code']}: {error['message']}")[:400]
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {safe(answer.text)[:200]}".strip()
