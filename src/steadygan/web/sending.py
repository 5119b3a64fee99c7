"""Files of run folders for a browser: by exact names, only what really lies there, and asked for again only if new."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from steadygan.web.thumbnails import inside

_KINDS = {
    ".png": "image/png",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".html": "text/html; charset=utf-8",
}


def file_of(request: Request, folder: Path, file: Path, *, save: bool = False, policy: str = "") -> Response:
    """A file of a folder; 404 if it is not there or a link leads out. `save` lets the browser store it, not show it."""
    if not os.path.isfile(file) or not inside(file, folder):  # for names that are too long `is_file` raises
        raise HTTPException(404, f"there is no {file.name} in this run")
    there = file.stat()
    tag = f'"{sha256(f"{there.st_mtime_ns} {there.st_size} {there.st_ino}".encode()).hexdigest()[:20]}"'
    headers = {"etag": tag, "cache-control": "no-cache"} | ({"content-security-policy": policy} if policy else {})
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    kind = _KINDS.get(file.suffix, "application/octet-stream")
    return FileResponse(file, headers=headers, media_type=kind, filename=file.name if save else None)
