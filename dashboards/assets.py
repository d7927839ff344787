"""
Our static files, in memory: a style sheet that stands before the first paint does not wait for a disk or for a thread.

Their addresses carry a hash of their bytes (``render.py``), so browsers keep them for good; without it they ask each time, by ``ETag``.
"""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_FOR_GOOD = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class _File:
    content: bytes
    media_type: str
    etag: str


class Assets:
    """
    An ASGI application of the files in a folder, read once.

    Args:
        folder: With everything in and beneath it.
    """

    def __init__(self, folder: Path) -> None:
        self._files = {
            f"/{path.relative_to(folder)}": _read(path) for path in folder.rglob("*") if path.is_file()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one file."""
        request = Request(scope, receive)
        await self._answer(request)(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            raise HTTPException(405)
        file = self._files.get(request.scope["path"].removeprefix(request.scope.get("root_path", "")))
        if file is None:
            raise HTTPException(404)
        headers = {
            "ETag": file.etag,
            "Cache-Control": _FOR_GOOD if "v" in request.query_params else "no-cache",
            "X-Content-Type-Options": "nosniff",
        }
        if request.headers.get("if-none-match") == file.etag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, 200, headers, file.media_type)


def _read(path: Path) -> _File:
    content = path.read_bytes()
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return _File(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:24]}"')
