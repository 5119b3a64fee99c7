"""Where images come from: folders, archives, tables and the sets that steadygan draws itself."""

from __future__ import annotations

from steadygan.data.sources.archive import Zip
from steadygan.data.sources.folder import Folder
from steadygan.data.sources.items import Item, Rejection
from steadygan.data.sources.labels import class_names
from steadygan.data.sources.opening import AnySource, Listing, list_items, open_source

__all__ = ["AnySource", "Folder", "Item", "Listing", "Rejection", "Zip", "class_names", "list_items", "open_source"]
