"""One image on a web server, of which only the needed parts are fetched."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, Any, Literal, TypeVar
from urllib.parse import unquote, urlsplit

from pydantic import field_validator

from steadygan.data.sources.items import Found, Item
from steadygan.data.tiles.fetch import Polite, Refused, Url, open_url, shown
from steadygan.data.tiles.scene import identity
from steadygan.errors import DataError
from steadygan.part import Value

T = TypeVar("T")

_RATE = 50.0
_KNOWN = {401: "asks for a password", 403: "may not be read", 404: "is not there", 410: "is no longer there"}


class Remote(Value):
    """A large image at an http or https address, such as a cloud-optimised GeoTIFF; read by parts, never as a whole."""

    kind: Literal["remote"] = "remote"
    url: Url

    @field_validator("url")
    @classmethod
    def _is_web_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an address begins with http:// or https://")
        return url

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
        size, version = _asked(self.url, partial(_look, self.url), Range="bytes=0-0")
        yield Item(self.file, size, identity(f"{self.url} {size} {version}"), partial(open_url, self.url))


def open_start(url: str) -> IO[bytes]:
    """The first 64 KB of what a web server gives for an address; DataError if it does not."""
    return io.BytesIO(_asked(url, lambda answer: answer.read(2**16), Range="bytes=0-65535"))


def _look(url: str, part: Any) -> tuple[int, str]:
    """Size in bytes and what else tells versions of a file apart, from an answer that must be a part of it."""
    if part.status != 206:
        raise DataError(
            f"{shown(url)}: the server gives no parts of files (no range requests); download it and give its path"
        )
    size = part.headers.get("Content-Range", "").rpartition("/")[2].strip()
    version = part.headers.get("ETag") or part.headers.get("Last-Modified") or ""
    return int(size) if size.isdigit() else 0, version.strip()


def _asked(url: str, take: Callable[[Any], T], **headers: str) -> T:
    try:
        return Polite(_RATE).ask(url, take, **headers)
    except Refused as problem:
        words = _KNOWN.get(problem.code, "is refused by the server")
        raise DataError(f"{shown(url)} {words} (HTTP {problem.code}); check the address") from problem
