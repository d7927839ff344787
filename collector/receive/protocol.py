"""What a protocol declares about itself: the seam between ``receive/`` and ``formats/``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from collector.errors import FuseboardError


@dataclass(frozen=True, slots=True)
class Judged:
    """
    What a protocol says of a well-formed body.

    Attributes:
        records: Counted in the body; 0 = nothing to store, answer success at once.
        timed: The records carry the client's own time, so that a byte-identical body is a retry.
        told: What the answer says of this body besides; kept with it.
        hurries: Something acts upon the records: they wait for no reader.
        claims: The body -> the services it says it is of, where the answer tells a client that its key may not write as one of them.
        kept: What is journalled in place of the body, where not all of it is taken or its framing is not one that SQL can split.
        lacks: Tables of the protocol for which the body holds nothing for certain: a segment of such bodies is not read for them.
    """

    records: int
    timed: bool = False
    told: Mapping[str, Any] = field(default_factory=dict)
    kept: bytes | None = None
    lacks: tuple[str, ...] = ()
    hurries: bool = False
    claims: Callable[[bytes], Iterable[str]] | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Protocol:
    """
    One folder under ``formats/``, as the receiver uses it.

    Attributes:
        name: The folder's name, the format of the batch.
        paths: Where clients post.
        suffix: Every path that ends so is taken as well, ``""`` = none.
        methods: By which they do.
        probe: Method, path and headers of a question that is no post -> its answer; ``None`` = it is not for this protocol.
        declare: Path and query -> resource attributes that they declare; the header's own win.
        group: Directory of its segments; protocols may share one only if they share their mappings.
        signal: ``logs``, ``traces``, ``metrics``, ``breakers`` or ``reports``.
        tables: Targets, in the order they are loaded; each has ``<table>.sql`` in the folder.
        judge: Body and headers, ``:path`` among them -> `Judged`; raises `Malformed` or `Unsupported`.
        answer: The success answer's JSON for a batch (kept, and repeated to a repeat).
        respond: That JSON, duplicate or not, as the HTTP answer.
        refuse: An error as the protocol's own error answer; ``None`` = the common error body.
        content_types: Accepted without parameters other than ``proto``; empty = any.
        encoding: What a body without ``Content-Encoding`` is taken for.
        seal_age_s: Seconds a small segment gathers before it is sealed: what people wait for is sealed soon; each load costs
            the engine a fixed analysis of its statement, so the rest gathers longer. Large ones gather for a second.
        quiet_s: While nobody reads, its records may wait to be loaded, but for those that tell of a breaker or that `Judged.hurries`: at most so many seconds;
            ``None`` = as the settings say.
    """

    name: str
    paths: Sequence[str]
    group: str
    signal: str
    tables: tuple[str, ...]
    judge: Callable[[bytes, Mapping[bytes, bytes]], Judged]
    answer: Callable[[str, int, int], dict[str, Any]]
    respond: Callable[[Mapping[str, Any], bool], Response]
    refuse: Callable[[FuseboardError], Response] | None = None
    content_types: Sequence[str] = ()
    encoding: str = "identity"
    suffix: str = ""
    methods: Sequence[str] = ("POST",)
    probe: Callable[[str, str, Mapping[bytes, bytes]], Response | None] | None = None
    declare: Callable[[str, Mapping[str, str]], Mapping[str, str]] | None = None
    seal_age_s: float = 1.0
    quiet_s: float | None = None
