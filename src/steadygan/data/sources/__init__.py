"""Where images come from: folders, archives, tables, columns, the Hub, and the sets that steadygan draws itself."""

from __future__ import annotations

from steadygan.data.sources.archive import Tar, Zip
from steadygan.data.sources.columns import Columns
from steadygan.data.sources.folder import Folder
from steadygan.data.sources.hub import Hub
from steadygan.data.sources.idx import Idx
from steadygan.data.sources.items import Item, Rejection
from steadygan.data.sources.labels import class_names
from steadygan.data.sources.opening import AnyFiles, AnySource, Listing, list_items, open_source
from steadygan.data.sources.picture import Picture
from steadygan.data.sources.table import Table

__all__ = [
    "AnyFiles",
    "AnySource",
    "Columns",
    "Folder",
    "Hub",
    "Idx",
    "Item",
    "Listing",
    "Picture",
    "Rejection",
    "Table",
    "Tar",
    "Zip",
    "class_names",
    "list_items",
    "open_source",
]
