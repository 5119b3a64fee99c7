"""Photographs of the user's, brought to the form of a set by the same means as the images in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from steadygan.data.settings import PrepareSettings
from steadygan.data.sources.items import Rejection
from steadygan.data.sources.opening import AnyFiles, is_path, list_items, open_source
from steadygan.data.work import ReadFile, Row
from steadygan.errors import ConfigError, DataError


class Photos(NamedTuple):
    """Pictures uint8 (N, S, S, C) with their names, and what of a folder could not be used."""

    names: tuple[str, ...]
    images: NDArray[np.uint8]
    refused: tuple[Rejection, ...] = ()


def read_photos(paths: Sequence[str | Path], settings: PrepareSettings) -> Photos:
    """Files in the order given, and all pictures of folders and archives by name, as `prepare` would make them.

    `settings` give one picture for each. ConfigError if nothing is there, DataError if a file given by itself is no
    picture that can be used, or nothing in a folder is.
    """
    rows: list[tuple[str, NDArray[np.uint8]]] = []
    refused: list[Rejection] = []
    for path in paths:
        source = open_source(path) if is_path(path) else None
        if not isinstance(source, AnyFiles):
            raise ConfigError(f"{path}: photos are files or folders of this machine; give one")
        listing = list_items([source], "none")
        results = [result for item in listing.items for result in ReadFile(item, settings).run()]
        found = [(row.entry.file, row.pixels) for row in results if isinstance(row, Row)]
        problems = [*listing.problems, *(it for it in results if isinstance(it, Rejection))]
        if not found:
            raise DataError(f"{path}: it {problems[0].reason}" if problems else f"{path}: there is no picture in it")
        rows, refused = rows + found, refused + problems
    names, images = zip(*rows, strict=True)
    return Photos(tuple(names), np.stack(images), tuple(refused))
