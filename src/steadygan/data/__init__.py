"""Images from anywhere as one array on disk, and batches from it.

`prepare` makes a data set folder, `prepare_cached` makes it once and finds it again, `open_dataset` maps it into
memory, `inspect` says what is in one or in a folder. `Batches` feeds training; it alone needs torch, which
is loaded when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from steadygan.data.cache import cache_folder, cached, prepare_cached
from steadygan.data.dataset import Dataset, is_dataset, open_dataset
from steadygan.data.inspect import Inspection, inspect
from steadygan.data.pictures import save_images
from steadygan.data.prepare import prepare
from steadygan.data.reading.decode import Decoded, decode
from steadygan.data.settings import PrepareSettings
from steadygan.data.sources import (
    AnyFiles,
    AnySource,
    Columns,
    Folder,
    Hub,
    Idx,
    Item,
    Picture,
    Rejection,
    Table,
    Tar,
    Zip,
    open_source,
)
from steadygan.data.work import Entry

if TYPE_CHECKING:
    from steadygan.data.loader import Batch, Batches, TorchImages, positions_to_indices

__all__ = [
    "AnyFiles",
    "AnySource",
    "Batch",
    "Batches",
    "Columns",
    "Dataset",
    "Decoded",
    "Entry",
    "Folder",
    "Hub",
    "Idx",
    "Inspection",
    "Item",
    "Picture",
    "PrepareSettings",
    "Rejection",
    "Table",
    "Tar",
    "TorchImages",
    "Zip",
    "cache_folder",
    "cached",
    "decode",
    "inspect",
    "is_dataset",
    "open_dataset",
    "open_source",
    "positions_to_indices",
    "prepare",
    "prepare_cached",
    "save_images",
]

_LOADER = frozenset({"Batch", "Batches", "TorchImages", "positions_to_indices"})


def __getattr__(name: str) -> Any:
    if name not in _LOADER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from steadygan.data import loader

    return vars(loader)[name]
