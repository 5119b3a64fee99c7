"""Images from anywhere as one array on disk, and batches from it.

`prepare` makes a data set folder, `prepare_cached` makes it once and finds it again, `open_dataset` maps it into
memory, `inspect` says what is in one or in a folder, `save_images` writes it as pictures again. `Batches` feeds
training and `TorchImages` a DataLoader; they alone need torch. Names are loaded when first used, so that a process
that only reads pictures starts fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steadygan.data.cache import cached, prepare_cached
    from steadygan.data.dataset import Dataset, is_dataset, open_dataset
    from steadygan.data.health.report import Inspection
    from steadygan.data.inspection import inspect
    from steadygan.data.loader import Batch, Batches, TorchImages, positions_to_indices
    from steadygan.data.making import prepare
    from steadygan.data.pictures import save_images
    from steadygan.data.reading.decode import Decoded, decode
    from steadygan.data.resplit import resplit
    from steadygan.data.settings import PrepareSettings, Tiles
    from steadygan.data.smaller import smaller
    from steadygan.data.sources.archive import Tar, Zip
    from steadygan.data.sources.columns import Columns
    from steadygan.data.sources.folder import Folder
    from steadygan.data.sources.hub import Hub
    from steadygan.data.sources.idx import Idx
    from steadygan.data.sources.items import Item, Rejection
    from steadygan.data.sources.opening import AnyFiles, AnySource, is_missing, is_path, open_source
    from steadygan.data.sources.picture import Picture
    from steadygan.data.sources.table import Table
    from steadygan.data.tiles.remote import Remote
    from steadygan.data.tiles.xyz import Xyz
    from steadygan.data.work import Entry

_HOMES = {
    "cache": "cached prepare_cached",
    "dataset": "Dataset is_dataset open_dataset",
    "health.report": "Inspection",
    "inspection": "inspect",
    "loader": "Batch Batches TorchImages positions_to_indices",
    "making": "prepare",
    "pictures": "save_images",
    "reading.decode": "Decoded decode",
    "resplit": "resplit",
    "settings": "PrepareSettings Tiles",
    "smaller": "smaller",
    "sources.archive": "Tar Zip",
    "sources.columns": "Columns",
    "sources.folder": "Folder",
    "sources.hub": "Hub",
    "sources.idx": "Idx",
    "sources.items": "Item Rejection",
    "sources.opening": "AnyFiles AnySource is_missing is_path open_source",
    "sources.picture": "Picture",
    "sources.table": "Table",
    "tiles.remote": "Remote",
    "tiles.xyz": "Xyz",
    "work": "Entry",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}

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
    "Remote",
    "Table",
    "Tar",
    "Tiles",
    "TorchImages",
    "Xyz",
    "Zip",
    "cached",
    "decode",
    "inspect",
    "is_dataset",
    "is_missing",
    "is_path",
    "open_dataset",
    "open_source",
    "positions_to_indices",
    "prepare",
    "prepare_cached",
    "resplit",
    "save_images",
    "smaller",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its home when it is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
