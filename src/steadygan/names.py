"""Names as a system gives them: taken from the user, written into records, read back, and shown.

The name of a file is bytes. Those that are no UTF-8 are surrogates in Python (PEP 383), which no text can hold but
JSON can spell: `caf\\udce9` is read back to the same string and so to the same bytes. The two functions for records
do so; what people read is escaped by `shown`, and only that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from pydantic import BaseModel


M = TypeVar("M", bound="BaseModel")

_UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that are none: controls, ends of lines, turns of the direction of writing, bytes that are no UTF-8."""


def to_json(record: BaseModel, indent: int | None = None, **options: Any) -> str:
    """A record as JSON that any encoding of text can hold, whatever names are in it."""
    try:
        return record.model_dump_json(indent=indent, **options)
    except ValueError:  # a name that is no UTF-8
        tree = record.model_dump(mode="json", **options)
        separators = (",", ":") if indent is None else None
        return spelled(json.dumps(tree, indent=indent, separators=separators, ensure_ascii=False))


def from_json(kind: type[M], text: str) -> M:
    """A record that `to_json` wrote, with the same names; ValueError if it is none."""
    try:
        return kind.model_validate_json(text)
    except ValueError:  # pydantic's own parser does not know surrogates
        return kind.model_validate(json.loads(text))


def spelled(json_text: str) -> str:
    """JSON in which bytes that are no UTF-8 are spelled as JSON does, `\\udce9`."""
    return json_text.encode(errors="backslashreplace").decode()


def exact(text: str) -> bytes:
    """Bytes that differ wherever two texts do, for digests; those of UTF-8 where it has some."""
    return text.encode(errors="surrogatepass")


def shown(text: object) -> str:
    """Text for people, on one line: what a terminal would obey or could not show is escaped."""
    return _UNSHOWABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))


@contextmanager
def in_utf8(path: Path, mode: Literal["rb", "w+b"] = "rb") -> Iterator[Path]:
    """A name for a file, for libraries that take UTF-8 alone: its own, or else one that is good only in the block."""
    if is_utf8(path):
        yield path
        return
    with path.open(mode) as file:
        yield Path(f"/dev/fd/{file.fileno()}")  # systems without this have no such names


def is_utf8(text: object) -> bool:
    """Whether a name is text."""
    try:
        return bool(str(text).encode())
    except UnicodeEncodeError:
        return False


def path_of(text: str | Path) -> Path:
    """The path that a user wrote; `~` and `~NAME` are home folders, unless nobody is called so."""
    path = Path(text)
    try:
        return path.expanduser()
    except RuntimeError:
        return path
