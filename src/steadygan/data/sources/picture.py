"""One image file: enough for a set only if it is cut into tiles, crops or frames."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Literal

from steadygan.data.sources.items import Found, Item, PathSource, open_file, version_of


class Picture(PathSource):
    """One image file, small or huge."""

    kind: Literal["picture"] = "picture"

    def entries(self) -> Iterator[Found]:
        """The one file."""
        path = self.path.absolute()
        yield Item(path.name, *version_of(path), partial(open_file, str(path)))
