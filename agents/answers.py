"""
What a collector's answer means for the block that was sent.

| answer | becomes |
|---|---|
| 2xx | shipped; a duplicate when the collector says that it had the block |
| 401 | refused: the key is wrong, not the block; tried again slowly, with the key read from its file anew |
| 407, 4xx that is a web page (but 413) | refused: a proxy or a wrong server, not a collector, speaks |
| 408, 429, 3xx, 503 with ``Retry-After`` | refused: any collector may be asked next |
| other 4xx, 413 too | rejected: quarantine file, counted; a block is never cut again, it would be another block |
| other 5xx, a 2xx that is a web page | fate unknown: something between us and the collector may have given up after it took it |
| no connection | refused |
| no answer, or not in time | fate unknown: tried again on the same collector |

Only what a collector itself says is certain; a balancer between us may say 502, 503 or 504 of a block that was taken.
"""

from email.utils import parsedate_to_datetime

from agents.client import Answer

MAX_RETRY_AFTER_S = 300.0  # a collector that says more is mistaken: its operator would wait for us in vain


def judged(answer: Answer) -> str:
    """Say what an answer means for the block: taken, rejected, refused (not taken for sure) or unknown."""
    status = answer.status
    if 200 <= status < 300:
        return "unknown" if is_web_page(answer) else "taken"
    if (
        status in {401, 407, 408, 429}
        or 300 <= status < 400
        or (status == 503 and "retry-after" in answer.headers)
    ):
        return "refused"
    if 400 <= status < 500:
        return "refused" if is_web_page(answer) and status != 413 else "rejected"
    return "unknown"


def is_web_page(answer: Answer) -> bool:
    """Say whether something else than a collector has spoken."""
    return answer.headers.get("content-type", "").startswith("text/html")


def retry_after_s(text: str, now: float) -> float:
    """Read ``Retry-After``, seconds or an HTTP date (RFC 9110 §10.2.3), as seconds from *now* (epoch); 0 when it is neither."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), MAX_RETRY_AFTER_S)
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return 0.0
    return min(max(at.timestamp() - now, 0.0), MAX_RETRY_AFTER_S)


def is_second_frame(answer: Answer, sequence: int) -> bool:
    """Say whether the collector has the same request under another frame of ours than *sequence*."""
    first = answer.headers.get("fuseboard-sequence", "")
    return first.isascii() and first.isdigit() and int(first) != sequence


def is_duplicate(answer: Answer) -> bool:
    """Say whether the collector had the block already."""
    return answer.headers.get(
        "fuseboard-duplicate", ""
    ).lower() == "true" or b'"duplicate":true' in answer.body.replace(b" ", b"")
