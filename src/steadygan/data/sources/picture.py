"""One image file: enough for a set only if it is cut into tiles, crops or frames."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from steadygan.data.sources.items import Found, Item, open_file, version_of


class Picture(BaseModel):
    """One image file, small or huge."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["picture"] = "picture"
    path: Path

    @property
    def name(self) -> str:
        """What the source is called among others."""
        return self.path.stem

    @property
    def where(self) -> str:
        """What to call the source in messages."""
        return str(self.path)

    def entries(self) -> Iterator[Found]:
        """The one file."""
        path = self.path.absolute()
        yield Item(path.name, *version_of(path), partial(open_file, str(path)))
