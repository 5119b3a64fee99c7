"""One image on a web server, of which only the needed parts are fetched."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from functools import partial
from http.client import HTTPException
from typing import IO, Literal
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from pydantic import field_serializer, field_validator

from steadygan.data.sources.items import Found, Item
from steadygan.data.tiles.scene import identity
from steadygan.errors import DataError
from steadygan.part import Value
from steadygan.version import __version__

USER_AGENT = f"steadygan/{__version__}"
TRIES = 4

_SECRET = re.compile(r"(?i)([?&][^=&]*(?:key|token|sig|secret|password|auth|credential)[^=&]*=)[^&{]+")
_TIMEOUT = 30.0
_FIRST_PAUSE = 1.0


class Remote(Value):
    """A large image at an http or https address, such as a cloud-optimised GeoTIFF; read by parts, never as a whole."""

    kind: Literal["remote"] = "remote"
    url: str

    @field_validator("url")
    @classmethod
    def _is_web_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an address begins with http:// or https://")
        return url

    @field_serializer("url")
    def _without_secrets(self, url: str) -> str:
        return shown(url)

    @property
    def name(self) -> str:
        """What the source is called among others."""
        return self.file.rsplit(".", 1)[0] or "image"

    @property
    def where(self) -> str:
        """What to call the source in messages."""
        return shown(self.url)

    @property
    def file(self) -> str:
        """The last part of the address."""
        parts = urlsplit(self.url)
        return unquote(parts.path.rstrip("/").rsplit("/", 1)[-1]) or parts.hostname or "image"

    def entries(self) -> Iterator[Found]:
        """The one image. Its stamp changes with what the server says of size, version and date.

        Raises DataError if it is not there, the server does not answer, or gives no parts of files.
        """
        size, version = _look(self.url)
        yield Item(self.file, size, identity(f"{self.url} {size} {version}"), partial(open_url, self.url))


def shown(url: str) -> str:
    """An address without passwords, keys, tokens and signatures, for messages and files."""
    parts = urlsplit(_SECRET.sub(r"\1…", url))
    return urlunsplit(parts._replace(netloc=parts.netloc.rsplit("@", 1)[-1]))


def open_url(url: str, method: str = "GET", **headers: str) -> IO[bytes]:
    """What a web server gives for an address; keywords are header lines, with _ for -. Raises what urlopen raises."""
    sent = {"User-Agent": USER_AGENT, **{name.replace("_", "-"): value for name, value in headers.items()}}
    answer: IO[bytes] = urlopen(Request(url, headers=sent, method=method), timeout=_TIMEOUT)
    return answer


def open_start(url: str) -> IO[bytes]:
    """The first 64 KB of what a web server gives for an address; DataError if it does not."""
    return _asked(url, "GET", Range="bytes=0-65535")


def _look(url: str) -> tuple[int, str]:
    """Size in bytes and what else tells versions of a file apart, after a look that it can be read by parts."""
    with _asked(url, "GET", Range="bytes=0-0") as part:
        status, span = getattr(part, "status", 200), _header(part, "Content-Range")
    if status != 206:
        raise DataError(
            f"{shown(url)}: the server gives no parts of files (no range requests); download it and give its path"
        )
    with _asked(url, "HEAD") as head:
        size = _header(head, "Content-Length") or span.rpartition("/")[2]
        version = _header(head, "ETag") or _header(head, "Last-Modified")
    return int(size) if size.isdigit() else 0, version


def _asked(url: str, method: str, **headers: str) -> IO[bytes]:
    """The answer to one request, asked again a few times if the server is busy or out of reach."""
    for attempt in range(TRIES):
        try:
            return open_url(url, method, **headers)
        except HTTPError as problem:
            if problem.code < 500 and problem.code != 429:
                raise DataError(f"{shown(url)} {_refusal(problem.code)}") from problem
            reason = f"HTTP {problem.code}"
        except (URLError, HTTPException, OSError) as problem:
            reason = str(getattr(problem, "reason", problem)) or type(problem).__name__
        if attempt + 1 < TRIES:
            time.sleep(_FIRST_PAUSE * 2**attempt)
    raise DataError(f"{shown(url)}: the server does not answer as it should ({reason}); try again later")


def _refusal(code: int) -> str:
    known = {401: "asks for a password", 403: "may not be read", 404: "is not there", 410: "is no longer there"}
    return f"{known.get(code, 'is refused by the server')} (HTTP {code}); check the address"


def _header(answer: IO[bytes], name: str) -> str:
    headers = getattr(answer, "headers", {})
    return str(headers.get(name) or "").strip()
