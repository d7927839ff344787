"""
The one shard of a cluster that a collector writes to (ADR 0021): asked for, remembered, compared.

A segment sent again to another shard would be stored twice. So before anything is written, and with each question whether the server lives, its
macro ``shard`` is read over a connection of its own, as a balancer would give it to any statement. Another one than the first, and the server counts as
away, with the reason: segments wait, nothing is doubled.

In: where ClickHouse listens. Out: a file in data_dir with the shard's name; an error that says what to do.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import httpx
import structlog

from collector.errors import FuseboardError, StoreUnavailable
from collector.store.target import Target

log = structlog.get_logger()

_ANSWER_S = 10.0
# Before the first segment: a balancer over several shards shows more than one of them in so many connections.
_FIRST_QUESTIONS = 8
_SHARD = "SELECT getMacro('shard')"


class OneShard:
    """
    The shard that *file* names.

    Args:
        file: Written once; deleted by whoever moves an emptied collector to another shard.
        ask: Where ClickHouse listens -> the shard that answers.
    """

    def __init__(self, file: Path, ask: Callable[[Target], str] | None = None) -> None:
        self._file = file
        self._ask = ask or shard_of

    def check(self, target: Target) -> None:
        """
        Compare the shard that answers with the first one.

        Raises:
            FuseboardError: ``wrong_shard``: another one answers.
            StoreUnavailable: None does, or it has no macro of that name.
        """
        if not self._file.exists():
            self._begin(target)
        known, found = self._file.read_text().strip(), self._ask(target)
        if found != known:
            raise FuseboardError(
                "wrong_shard",
                f"clickhouse: shard {found!r} answers and this collector writes to shard {known!r}; name replicas of one shard, "
                f"or, once nothing waits, move it by deleting {self._file.name} in data_dir",
            )

    def _begin(self, target: Target) -> None:
        found = {self._ask(target) for _ in range(_FIRST_QUESTIONS)}
        if len(found) > 1:
            raise FuseboardError(
                "wrong_shard",
                f"clickhouse: the shards {', '.join(map(repr, sorted(found)))} answer by turns; name replicas of one shard",
            )
        [shard] = found
        draft = self._file.with_suffix(".draft")
        with draft.open("w") as out:
            out.write(shard)
            out.flush()
            os.fsync(out.fileno())
        draft.rename(self._file)
        log.info("shard_chosen", shard=shard)


def shard_of(target: Target) -> str:
    """
    Return the macro ``shard`` of the node that answers a new connection.

    Raises:
        StoreUnavailable: None does, or it refuses: a cluster's nodes need the macros ``shard`` and ``replica``.
    """
    url = urlsplit(target.url)
    auth = (unquote(url.username or "default"), unquote(url.password or ""))
    verify = ssl.create_default_context(cafile=target.ca_file) if url.scheme == "https" else True
    bare = urlunsplit((url.scheme, url.netloc.rpartition("@")[2], "/", "", ""))
    try:
        answer = httpx.post(
            bare, content=_SHARD, auth=auth, verify=verify, timeout=_ANSWER_S, trust_env=False
        )
    except httpx.HTTPError as error:
        raise StoreUnavailable(f"ClickHouse does not say its shard: {error!r}"[:300]) from error
    if answer.status_code != httpx.codes.OK:
        raise StoreUnavailable(
            f"ClickHouse does not say its shard (each node of a cluster needs the macros shard and replica): {answer.text[:200]}"
        )
    return answer.text.strip()
