"""Where images come from: folders, archives, tables, columns, the Hub, the web, and sets that steadygan draws itself.

Names are loaded when first used: a process that only reads pictures needs `items` alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    "archive": ("Tar", "Zip"),
    "columns": ("Columns",),
    "folder": ("Folder",),
    "hub": ("Hub",),
    "idx": ("Idx",),
    "items": ("Item", "Rejection"),
    "labels": ("class_names",),
    "opening": ("AnyFiles", "AnySource", "Listing", "list_items", "open_source"),
    "picture": ("Picture",),
    "table": ("Table",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

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


def __getattr__(name: str) -> Any:
    """Load a public name from its home when it is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
