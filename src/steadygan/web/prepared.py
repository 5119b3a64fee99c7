"""Prepared data sets as the studio sees them: folders of any origin, read as files; nothing is computed about them."""

from __future__ import annotations

import io
import json
import os
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from steadygan.errors import DataError, reason
from steadygan.spec import ImageSpec
from steadygan.web.lines import Stamp, stamp

R = TypeVar("R", bound=BaseModel)

_MOST = 64_000_000  # bytes of a `dataset.json`: its lists of remarks end at 1,000 each
_MOST_LINES = 2_000_000
_MOST_PIXELS = 4096 * 4096  # of an image, as `prepare` makes them
_SMALL = 128  # pixels of a side of a small picture


class _Read(BaseModel):
    """What stands in a file; what else stands there is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Noticed(_Read):
    """One thing to know about a set, as `inspect` says it: `indices` of its images, or `groups` of them."""

    check: str = Field(pattern=r"^[\w-]{1,60}$")
    severity: Literal["info", "warning", "serious"]
    sentence: str
    remedy: str = ""
    count: int = 0
    captions: tuple[str, ...] = ()
    indices: tuple[int, ...] = ()
    groups: tuple[tuple[int, ...], ...] = ()


class ValueSpread(_Read):
    """How many values lie between each two neighbouring edges."""

    edges: tuple[float, ...] = Field(min_length=2, max_length=1000)
    counts: tuple[int, ...] = Field(min_length=1, max_length=999)


class SetHealth(_Read):
    """What is the matter with the images of a set."""

    findings: tuple[Noticed, ...] = ()
    histograms: dict[str, ValueSpread] = {}


class Inspected(_Read):
    """What is read of the answer of `inspect --json`."""

    health: SetHealth


class Counts(_Read):
    """How many there are of what."""

    images: int = Field(ge=0, le=10**12)
    held_out: int = 0
    rejected: int = 0
    enlarged: int = 0
    classes: dict[str, int] = {}
    passed_over: dict[str, int] = {}


class SetMeta(_Read):
    """What is read of `dataset.json`; `health` is None where nobody has looked yet."""

    digest: str = ""
    spec: ImageSpec
    counts: Counts
    converted: str = ""
    notes: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    health: SetHealth | None = None
    settings: dict[str, Any] = {}
    sources: tuple[dict[str, Any], ...] = ()


class ImageOrigin(_Read):
    """A line of `index.jsonl`: the file an image is from, and its class."""

    file: str = ""
    label: str | None = None


class UnusedFile(_Read):
    """A line of `rejected.jsonl`."""

    file: str = ""
    reason: str = ""
    left_out: bool = False


class Prepared:
    """A folder that `prepare` made. DataError where it cannot be read, in a line that names it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.meta = _meta(path / "dataset.json", stamp(path / "dataset.json"))

    @property
    def source(self) -> str:
        """What a run has to be given to train on these images: where they came from, or the set itself."""
        [first, *others] = self.meta.sources or ({},)
        where, kind = first.get("path"), first.get("kind")
        if others or not isinstance(kind, str):
            return str(self.path)
        if isinstance(where, str):
            return where if os.path.exists(where) else str(self.path)  # `exists` of a Path raises for some texts
        return f"builtin:{kind}" if set(first) == {"kind"} else str(self.path)

    @property
    def name(self) -> str:
        """What people call it."""
        first = next(iter(self.meta.sources), {})
        where, kind = first.get("path"), first.get("kind")
        more = f" and {len(self.meta.sources) - 1} more" if len(self.meta.sources) > 1 else ""
        named = Path(where).name if isinstance(where, str) else str(kind or "")
        return f"{named or self.path.name}{more}"

    def entries(self) -> tuple[ImageOrigin, ...]:
        """Where each image comes from, in the order of the images."""
        file = self.path / "index.jsonl"
        return _lines(file, stamp(file), ImageOrigin)

    def rejected(self) -> tuple[UnusedFile, ...]:
        """The files that cannot be used."""
        file = self.path / "rejected.jsonl"
        return tuple(one for one in _lines(file, stamp(file), UnusedFile) if not one.left_out)

    def picture(self, index: int, small: bool = False) -> bytes:
        """An image as PNG, reduced to 128 pixels if it is to be small; DataError if there is none at this index."""
        images = self._images()
        if not 0 <= index < len(images):
            raise DataError(f"{self.path} has no image {index}; it has {len(images):,}")
        pixels = np.array(images[index])
        made = Image.fromarray(pixels[..., 0] if pixels.shape[2] < 3 else np.ascontiguousarray(pixels[..., :3]))
        if small and made.width > _SMALL:
            made = made.resize((_SMALL, _SMALL), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        made.save(out, "PNG", compress_level=1)
        return out.getvalue()

    def _images(self) -> NDArray[np.uint8]:
        file, spec = self.path / "images.npy", self.meta.spec
        try:
            if not file.is_file():
                raise FileNotFoundError(2, "not there")
            images: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError, SyntaxError) as problem:
            raise DataError(f"{file} is missing or damaged; prepare it again") from problem
        shape = (self.meta.counts.images, spec.size, spec.size, spec.channels)
        if images.dtype != np.uint8 or images.shape != shape or spec.size**2 > _MOST_PIXELS:
            raise DataError(f"{file} does not hold the images that dataset.json says; prepare it again")
        return images


@lru_cache(maxsize=256)
def _meta(file: Path, at: Stamp) -> SetMeta:
    """Of a `dataset.json` as it was written `at` a time."""
    return parsed(file, SetMeta, at[1])


def parsed(file: Path, kind: type[R], size: int) -> R:
    """A JSON file of any origin as a record; DataError says why it is none."""
    if size > _MOST:
        raise DataError(f"{file} is larger than any that steadygan writes; prepare it again")
    try:
        if not file.is_file():
            raise FileNotFoundError(2, "there is no such file")
        return kind.model_validate(json.loads(file.read_bytes()))
    except OSError as problem:
        raise DataError(f"{file} cannot be read: {reason(problem)}") from problem
    except ValidationError as problem:
        place = ".".join(map(str, problem.errors()[0]["loc"]))
        raise DataError(f"{file} cannot be read: {place or 'what it holds'} is not what steadygan writes") from problem
    except (ValueError, RecursionError) as problem:
        raise DataError(f"{file} cannot be read: it is no JSON") from problem


@lru_cache(maxsize=8)
def _lines(file: Path, at: Stamp, kind: type[Any]) -> tuple[Any, ...]:
    """Records of a file of lines; a damaged line keeps its place, empty."""
    if not file.is_file():
        return ()
    with file.open("rb") as lines:
        return tuple(_line(line, kind) for line in islice(lines, _MOST_LINES))


def _line(line: bytes, kind: type[Any]) -> Any:
    try:
        return kind.model_validate(json.loads(line))
    except (ValueError, ValidationError, RecursionError):
        return kind()
